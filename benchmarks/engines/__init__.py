"""One adapter for each engine that is measured; each runs in an environment and a process of its own."""
