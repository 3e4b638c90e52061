"""Pulumi's names and Terraform's: the one in camel case, the other in snake case."""

import re

MADE_UP = "made-up-"
"""How ids begin of what is planned only: no emulator has it."""


def snake(name: str) -> str:
    """The name in snake case."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def camel(name: str) -> str:
    """The name in camel case."""
    return re.sub(r"_([a-z0-9])", lambda found: found.group(1).upper(), name)
