"""The tags that every resource carries."""

from collections.abc import Mapping
from dataclasses import dataclass

PROJECT = "reme-cloud"


@dataclass(frozen=True, kw_only=True, slots=True)
class Tags:
    """What a resource belongs to: the environment (dev, staging, prod …) and the stack; more by choice.

    Alibaba Cloud's provider has no default tags, and a policy should see tags where they are written: so they
    are handed to every resource, and AWS's default tags only catch what is forgotten.
    """

    environment: str
    stack: str
    more: Mapping[str, str]

    def named(self, component: str) -> dict[str, str]:
        """The tags of one component's resources."""
        return {
            **self.more,
            "project": PROJECT,
            "environment": self.environment,
            "stack": self.stack,
            "component": component,
            "managed-by": "pulumi",
        }
