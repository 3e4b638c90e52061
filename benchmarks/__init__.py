"""The memory service and its peers, measured on the same data in the same run."""
