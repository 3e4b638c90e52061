"""Tags, which tell whose a resource is and what it costs."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from policies import kinds
from policies.properties import show
from policies.rule import Finding, Rule, breach, undecided
from policies.settings import PolicySettings
from policies.tables import read_table
from sizing.graph.resources import UNKNOWN, Resource, ResourceGraph, is_unknown


@cache
def taggable() -> Mapping[str, str]:
    """The property that tags stand in, by kind, of every kind that needs tags of its own."""
    excused = {row["kind"] for row in read_table("untagged_kinds.csv")}
    return {row["kind"]: row["property"] for row in read_table("taggable.csv") if row["kind"] not in excused}


def _read_tags(resource: Resource) -> Any:
    """The tags of a resource as a mapping, or UNKNOWN; a scaling group has a list of them."""
    given = resource.inputs.get(taggable()[resource.type])
    if isinstance(given, list | tuple):
        if any(is_unknown(each) or is_unknown(each.get("key")) for each in given):
            return UNKNOWN
        return {each.get("key"): each.get("value") for each in given}
    return given if is_unknown(given) else dict(given or {})


def _defaults(graph: ResourceGraph, resource: Resource) -> Any:
    provider = graph.find(resource.provider) or graph.find(resource.provider.rpartition("::")[0])
    if provider is None or provider.type != kinds.AWS_PROVIDER:
        return {}
    defaults = provider.inputs.get("defaultTags")
    if is_unknown(defaults) or (isinstance(defaults, Mapping) and is_unknown(defaults.get("tags"))):
        return UNKNOWN
    return dict((defaults or {}).get("tags") or {}) if isinstance(defaults, Mapping) else {}


def _check(graph: ResourceGraph, settings: PolicySettings) -> Iterable[Finding]:
    for resource in graph.custom:
        if resource.type not in taggable():
            continue
        own, defaults = _read_tags(resource), _defaults(graph, resource)
        if is_unknown(own) or is_unknown(defaults):
            yield undecided(resource, taggable()[resource.type])
            continue
        tags = {**defaults, **own}
        missing = [name for name in settings.required_tags if name not in tags or tags[name] in ("", None)]
        if missing:
            yield breach(resource, reason=f"the tags {', '.join(missing)} are missing")
        said = tags.get("environment")
        if is_unknown(said):
            yield undecided(resource, "tags.environment")
        elif "environment" in settings.required_tags and said not in (None, "", settings.environment):
            yield breach(resource, reason=f"its tag environment is {show(said)}, the stack's is {settings.environment}")


REQUIRED_TAGS = Rule(
    id="required-tags",
    family="tagging",
    title="Everything that takes tags says whose it is",
    severity="medium",
    message="{where}: {reason}",
    remedy="Hand the tags to the resource; AWS's default tags of the provider count, Alibaba Cloud has none.",
    stack_check=_check,
)
RULES = (REQUIRED_TAGS,)
