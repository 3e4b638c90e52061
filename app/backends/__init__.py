"""What stands behind the ports: stores, embedders, extractors, the clock."""
