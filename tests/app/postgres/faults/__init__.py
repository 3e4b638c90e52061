"""What the store in PostgreSQL does when its server, the network or the disk fails."""
