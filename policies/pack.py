"""The rules as Pulumi's policies: what the engine asks while it previews and updates a stack."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import pulumi_policy as crossguard
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, UnknownValueError

from policies.judgement import Enforced, apply_waivers
from policies.register import all_rules
from policies.rule import Finding, Rule
from policies.settings import PolicySettings, read_settings
from policies.spend import Priced, Spend, sum_spend
from sizing.graph.resources import UNKNOWN, Resource, ResourceGraph, build_graph

NAME: Final = "reme-cloud"
Pricing = Callable[[ResourceGraph], Priced]
"""Prices the resources of a stack from their inputs."""

_LEVELS: Final = {
    "mandatory": crossguard.EnforcementLevel.MANDATORY,
    "advisory": crossguard.EnforcementLevel.ADVISORY,
    "disabled": crossguard.EnforcementLevel.DISABLED,
}
_CONFIG: Final[Mapping[str, dict[str, Any]]] = {
    "residency": {
        "type": "string",
        "enum": ["", "cn", "eu"],
        "description": "the jurisdiction that data must not leave",
    },
    "thresholds": {
        "type": "object",
        "additionalProperties": {"type": "number"},
        "description": "limits by name, over those of policies/data/thresholds.csv",
    },
    "regions": {"type": "array", "items": {"type": "string"}, "description": "allowed regions, such as aws/us-east-1"},
    "required_tags": {"type": "array", "items": {"type": "string"}, "description": "the tags that resources need"},
    "budget": {"type": "object", "description": "monthly_usd, growth_usd, growth_percent, and services by component"},
}
"""What a pack's configuration may say to any rule, besides its level."""


def build_policies(settings: PolicySettings, price: Pricing | None = None) -> list[crossguard.Policy]:
    """Every rule as a policy, at the level of the settings' environment.

    Rules of costs are left out where nothing prices the stack. A rule that compares with the cost before has no say in
    the engine, which hands over one side only.
    """
    return [
        _of_stack(rule, settings, price) if rule.check is None else _of_resource(rule, settings)
        for rule in all_rules()
        if rule.spend_check is None or price is not None
    ]


def _describe(rule: Rule, settings: PolicySettings) -> dict[str, Any]:
    return {
        "name": rule.id,
        "description": rule.title,
        "enforcement_level": _LEVELS[settings.level_of(rule.id)],
        "config_schema": crossguard.PolicyConfigSchema(properties=dict(_CONFIG)),
        "display_name": rule.title,
        "severity": crossguard.Severity(rule.severity),
        "framework": crossguard.PolicyComplianceFramework(
            name="FSBP and Checkov", specification=", ".join(rule.frameworks)
        ),
        "tags": [rule.family, *rule.clouds],
        "remediation_steps": rule.remedy,
    }


def _of_resource(rule: Rule, settings: PolicySettings) -> crossguard.Policy:
    def validate(args: crossguard.ResourceValidationArgs, report: crossguard.ReportViolation) -> None:
        if rule.kinds and args.resource_type not in rule.kinds:
            return
        told = _tell(settings, args.get_config())
        _report(rule, rule.find_at(read_resource(args), told), told, report)

    return crossguard.ResourceValidationPolicy(validate=validate, **_describe(rule, settings))


def _of_stack(rule: Rule, settings: PolicySettings, price: Pricing | None) -> crossguard.Policy:
    def validate(args: crossguard.StackValidationArgs, report: crossguard.ReportViolation) -> None:
        told = _tell(settings, args.get_config())
        graph = read_graph(args.resources)
        spend = Spend(after=sum_spend(price(graph))) if rule.spend_check and price else None
        _report(rule, rule.find(graph, told, spend), told, report)

    return crossguard.StackValidationPolicy(validate=validate, **_describe(rule, settings))


def _report(
    rule: Rule, findings: Iterable[Finding], settings: PolicySettings, report: crossguard.ReportViolation
) -> None:
    """Report what is broken; then say of the first unknown value that it keeps the rule from judging."""
    said = settings.level_of(rule.id)
    level: Enforced = "mandatory" if said == "disabled" else said  # the pack's configuration has turned it on
    found = tuple(findings)
    for violation in apply_waivers(rule, found, settings, level):
        if violation.judged:
            report(f"{violation.message}. {violation.remedy}", violation.urn or None)
    unknown = [each.unknown for each in found if each.unknown]
    if unknown:
        more = f" (and {len(unknown) - 1} more)" if len(unknown) > 1 else ""
        raise UnknownValueError(UNKNOWN_STRING_VALUE, [unknown[0] + more])


def _tell(settings: PolicySettings, config: Mapping[str, Any]) -> PolicySettings:
    given = {name: config[name] for name in _CONFIG if name in config}
    return read_settings({**settings.model_dump(exclude_unset=True), **given}) if given else settings


def read_resource(args: crossguard.ResourceValidationArgs | crossguard.PolicyResource) -> Resource:
    """A resource as rules see it; what is not known in a preview is UNKNOWN."""
    provider = args.provider
    props = _reveal(args.props)
    region = props.get("region") if args.resource_type.startswith("aws:") else None
    if region is None and provider is not None:
        region = _reveal(provider.props).get("region")
    return Resource(
        urn=args.urn,
        type=args.resource_type,
        name=args.name,
        inputs=props,
        provider=provider.urn if provider is not None else "",
        custom=provider is not None or args.resource_type.startswith("pulumi:"),
        protected=bool(args.opts.protect),
        region=region if isinstance(region, str) else "",
    )


def read_graph(resources: Sequence[crossguard.PolicyResource]) -> ResourceGraph:
    """A stack as rules see it."""
    read = [
        replace(
            read_resource(each),
            dependencies=tuple(other.urn for other in each.dependencies),
            property_dependencies={
                name: tuple(other.urn for other in others) for name, others in each.property_dependencies.items()
            },
        )
        for each in resources
    ]
    stack = next((each.urn.split("::")[0].rpartition(":")[2] for each in read), "")
    return build_graph(stack, read)


def _reveal(value: Any) -> Any:
    """Take the proxy off, which raises where a value is unknown."""
    if isinstance(value, Mapping):
        return {name: _at(value, name) for name in value}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_at(value, index) for index in range(len(value))]
    return value


def _at(value: Any, step: Any) -> Any:
    try:
        return _reveal(value[step])
    except UnknownValueError:
        return UNKNOWN
