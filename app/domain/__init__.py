"""What the memory service is about: memories, workspaces, queries, principals. No I/O."""
