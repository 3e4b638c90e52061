"""How the service arrives on its machines: configuration, start and container, rendered from the plan."""
