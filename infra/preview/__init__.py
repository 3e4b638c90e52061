"""What a change of a Pulumi program does to every stack: resources, cost, policies."""
