"""What the service does when the server of its vector index fails."""
