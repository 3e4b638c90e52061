"""Real servers for tests: each is started on a free port, can be killed, paused and restarted, and leaves nothing behind."""
