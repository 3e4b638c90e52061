"""`reme-deploy`: stacks planned, deployed, updated and removed without knowing Pulumi."""
