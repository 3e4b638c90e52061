"""The page of the stacks' architecture, drawn from the resources that each stack registers."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator

from tests.infra.recorder import Recorded, Recording
from tests.infra.stacks import STACKS, plan_recorded, record_stack

PAGE = "docs/reference/stacks.md"
_RULES = "rules between parts"
_EVERYWHERE = frozenset(
    {"keys", "logs", "log-buckets", "notices", "budgets", "credentials", "registry", "zone", _RULES}
)
"""Parts that nearly every other part uses: they stand in the table and not in the drawing."""
_KINDS = re.compile(r"^aws:[^/]+/\w+:(\w+)$")


def write_stacks_page() -> str:
    """The page in Markdown: for each stack its tier and cost, a drawing of its parts, and what each part is made of."""
    parts = [
        "# The stacks, drawn",
        "",
        "<!-- Written by tools/write_docs.py (make docs). Edit the code or the stack's file that it comes from. -->",
        "",
        "Each drawing comes from the resources that the stack's program registers: an arrow means that a resource of",
        "one part is given an address or a name of the other. What every part uses (keys, secrets, logs, notices,",
        "budgets) stands in the tables only. [Stacks on AWS](../howto/stacks-on-aws.md) and",
        "[on Alibaba Cloud](../howto/stacks-on-alibaba-cloud.md) say how to use them.",
        "",
        *(line for stack in STACKS for line in _describe(stack)),
    ]
    return "\n".join(parts).rstrip() + "\n"


def _describe(stack: str) -> Iterator[str]:
    planned, recording = plan_recorded(stack), record_stack(stack)
    usd = planned.monthly_usd
    members = _gather(recording)
    yield from (f"## {stack}", "")
    partial = f"; {planned.unpriced} lines have no price" if planned.unpriced else ""
    cost = f"${usd['expected']:,.2f} a month expected (${usd['low']:,.2f} to ${usd['high']:,.2f}){partial}"
    yield from (f"Tier `{planned.plan.tier}` in `{planned.region.region}`, {cost}.", "")
    yield from ("```mermaid", "flowchart LR")
    yield from (f'  {_id(part)}["{part}"]' for part in sorted(members.keys() - _EVERYWHERE))
    yield from (f"  {_id(one)} --> {_id(other)}" for one, other in sorted(_relate(members)))
    yield from ("```", "", "| Part | Resources |", "| --- | --- |")
    yield from (f"| {part} | {_count(resources)} |" for part, resources in sorted(members.items()))
    yield ""


def _gather(recording: Recording) -> dict[str, list[Recorded]]:
    """The resources of each part: of each component that stands directly below the stack."""
    by_urn = {each.urn: each for each in recording}
    found: dict[str, list[Recorded]] = {}
    for each in recording:
        top = each
        while top.parent in by_urn:
            top = by_urn[top.parent]
        if each.custom and not each.type.startswith("pulumi:"):
            name = top.name if not top.custom else _RULES
            found.setdefault(name, []).append(each)
    return found


def _relate(members: dict[str, list[Recorded]]) -> set[tuple[str, str]]:
    """Pairs of parts of which the first is given something of the second."""
    drawn = members.keys() - _EVERYWHERE
    texts = {part: json.dumps([dict(each.props) for each in members[part]], default=str) for part in drawn}
    found = set()
    for part in drawn:
        for other in drawn - {part}:
            words = "|".join(re.escape(each.name) for each in members[other])
            if re.search(rf"(?<![\w-])({words})(-id|-1234567)?(?![\w-])", texts[part]):
                found.add((part, other))
    return found


def _count(resources: list[Recorded]) -> str:
    kinds = Counter(_kind(each) for each in resources)
    return ", ".join(f"{kind} × {count}" if count > 1 else kind for kind, count in sorted(kinds.items()))


def _kind(resource: Recorded) -> str:
    found = _KINDS.match(resource.type)
    return found.group(1) if found else resource.type.rpartition(":")[2]


def _id(part: str) -> str:
    return re.sub(r"\W", "_", part)


STACKS_FILES: dict[str, Callable[[], str]] = {PAGE: write_stacks_page}
