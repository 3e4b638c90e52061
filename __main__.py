"""What `pulumi` runs."""

from infra.program import deploy

deploy()
