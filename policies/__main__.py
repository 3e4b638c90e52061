"""The pack that the engine starts: `pulumi preview --policy-pack policies`."""

import pulumi
from pulumi.runtime import get_config_env
from pulumi_policy import PolicyPack

from policies.pack import NAME, build_policies
from policies.register import rule_ids
from policies.settings import find_environment, find_residency, read_settings, read_waivers
from sizing.pricing.pricer import price_graph

_stack = pulumi.get_stack()
_config = {str(key): str(value) for key, value in get_config_env().items()}
_settings = read_settings(
    {
        "environment": find_environment(_stack, _config),
        "residency": find_residency(_stack, _config),
        "waivers": read_waivers(),
    },
    rule_ids(),
)

PolicyPack(NAME, build_policies(_settings, price_graph))
