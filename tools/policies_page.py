"""The reference page of the policies: every rule with its level in each environment, its kinds and its remedy."""

from collections.abc import Callable, Iterable

from policies.register import all_rules
from policies.rule import Rule
from policies.settings import ENVIRONMENTS, PolicySettings, read_waivers
from policies.tables import read_table
from tools.reference_pages import REFERENCE, code, page, table

_LEAD = (
    "The rules that stacks are judged by: in the engine (`pulumi preview --policy-pack policies`), in the comment of "
    "a pull request, and in the tests of this repository, by the same functions. How to use, change and waive them: "
    "[policies](../howto/policies.md)."
)
_LEVELS = (
    "**M** is mandatory: the change is stopped. **a** is advisory: it is said, and goes on. **–** is off. A level is a "
    "row of `policies/data/levels.csv`."
)
_UNKNOWN = (
    "A value that is known only after the deployment is neither passed nor failed: the rule says, at advisory level, "
    "which value keeps it from judging."
)
_MARKS = {"mandatory": "M", "advisory": "a", "disabled": "–"}


def _levels(rule: Rule) -> tuple[str, ...]:
    return tuple(
        _MARKS[PolicySettings.model_validate({"environment": name}).level_of(rule.id)] for name in ENVIRONMENTS
    )


def _rules(family: str) -> Iterable[tuple[str, ...]]:
    for rule in all_rules():
        if rule.family == family:
            clouds = " ".join({"aws": "AWS", "alicloud": "Alibaba"}[cloud] for cloud in reversed(rule.clouds))
            frameworks = ", ".join(rule.frameworks)
            yield (code(rule.id), rule.title, rule.severity, clouds, *_levels(rule), frameworks, rule.remedy)


def _list_table(name: str, *columns: str) -> str:
    return table(columns, [tuple(row[column] for column in columns) for row in read_table(name)])


def write_policies_page() -> str:
    """Write the page from the rules and the tables of `policies`."""
    families = sorted({rule.family for rule in all_rules()})
    columns = ("Rule", "What it asks for", "Severity", "Clouds", *ENVIRONMENTS, "Asked for by", "Remedy")
    waivers = [(code(each.rule), code(each.urn), each.reason, each.expires) for each in read_waivers()]
    return page(
        "Policies",
        _LEAD,
        f"{len(all_rules())} rules. {_LEVELS}",
        _UNKNOWN,
        *(part for family in families for part in (f"## {family.capitalize()}", table(columns, _rules(family)))),
        "## Thresholds",
        _list_table("thresholds.csv", "name", *ENVIRONMENTS, "unit", "source"),
        "## Budgets",
        "USD a month, or per cent of the cost before. A row with a service is that component's own budget.",
        _list_table("budgets.csv", "environment", "limit", "service", "value", "source"),
        "## Regions",
        _list_table("regions.csv", "environment", "cloud", "region", "source"),
        "## Kinds and machines that are not allowed",
        _list_table("forbidden_kinds.csv", "environment", "kind", "reason", "source"),
        _list_table("forbidden_machines.csv", "environment", "cloud", "pattern", "reason", "source"),
        "## Where models answer from",
        _list_table("endpoints.csv", "host", "jurisdiction", "source", "date"),
        "## Waivers",
        "What the repository's own stacks are excused from, until a day.",
        table(("Rule", "Resource", "Reason", "Until"), waivers),
    )


POLICIES_FILES: dict[str, Callable[[], str]] = {f"{REFERENCE}/policies.md": write_policies_page}
