"""What the service tells about itself: log lines and metrics. Neither ever holds a secret or a memory's text."""
