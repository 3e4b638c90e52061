"""The resource graph: what a Pulumi program made or would make, read from the engine's own files."""
