"""Secrets of a stack on any cloud: which are generated, which are given, and how a password is made."""

from collections.abc import Mapping

import pulumi
import pulumi_random as random

from infra.service.configuration import ADMIN_SECRET, CACHE_SECRET, DATABASE_SECRET, name_secrets
from infra.settings import StackSettings
from sizing.plan import RegionPlan

GENERATED = (ADMIN_SECRET, DATABASE_SECRET, CACHE_SECRET)
"""Secrets that the stack makes; others are keys of providers, from the stack's configuration."""

ADMIN_PREFIX = "rk_"
ADMIN_DIGITS = 32
"""A key of the service is rk_[0-9a-f]{32} (§10.1)."""


def list_generated(plan: RegionPlan) -> tuple[str, ...]:
    """Names of the secrets that the stack makes itself."""
    return tuple(name for name in name_secrets(plan) if _is_generated(name, plan))


def read_given(plan: RegionPlan, settings: StackSettings) -> Mapping[str, pulumi.Output[str]]:
    """The keys of providers by name, from the stack's configuration. Raises MissingSetting with the purpose."""
    return {
        name: settings.secret(f"{name}-api-key", f"the service calls {name} with it")
        for name in name_secrets(plan)
        if not _is_generated(name, plan)
    }


def generate(
    name: str, purpose: str, *, length: int, least_of_kind: int | None = None, protect: bool, parent: pulumi.Resource
) -> pulumi.Output[str]:
    """A generated secret: the admin key in the form of the service's keys, else letters and digits.

    `least_of_kind` is how many capitals, small letters and digits there are at least, where a service asks for them.
    """
    opts = pulumi.ResourceOptions(parent=parent, protect=protect)
    if purpose == ADMIN_SECRET:
        digits = random.RandomPassword(
            f"{name}-password",
            length=ADMIN_DIGITS,
            upper=False,
            lower=False,
            numeric=False,
            special=True,
            override_special="0123456789abcdef",
            opts=opts,
        )
        return pulumi.Output.secret(pulumi.Output.concat(ADMIN_PREFIX, digits.result))
    password = random.RandomPassword(
        f"{name}-password",
        length=length,
        special=False,
        min_upper=least_of_kind,
        min_lower=least_of_kind,
        min_numeric=least_of_kind,
        opts=opts,
    )
    return pulumi.Output.secret(password.result)


def _is_generated(name: str, plan: RegionPlan) -> bool:
    """A vector server of the stack's own gets a key that the stack makes, one of a provider has its own."""
    return name in GENERATED or (name in ("qdrant", "elasticsearch") and plan.vector_store.placement != "managed")
