"""Results that tests of guardrails and rendering share."""

from decimal import Decimal

from infra.preview.result import ChangedResource, PreviewResult, Property, StackResult, TierChange, Violation
from infra.preview.spending import CostRow, Counts, Parts, Spend, StackCost, Unpriced

DATABASE = "aws:rds/instance:Instance"


def spend(expected: str, spread: str = "0") -> Spend:
    """An amount, less and more by a spread at the corners."""
    middle, aside = Decimal(expected), Decimal(spread)
    return Spend(low=middle - aside, expected=middle, high=middle + aside)


def row(component: str, before: str | None, after: str | None, *, usage: str = "0") -> CostRow:
    """A component with its baseline on both sides and a use that stays."""

    def side(amount: str | None) -> Parts | None:
        return None if amount is None else Parts(baseline=spend(amount), usage=spend(usage, usage))

    return CostRow(component=component, before=side(before), after=side(after))


def cost(*rows: CostRow, unpriced: tuple[Unpriced, ...] = ()) -> StackCost:
    """The cost of a stack of these rows, with as many resources as are asked for."""
    before = sum((each.before for each in rows if each.before), Parts())
    after = sum((each.after for each in rows if each.after), Parts())
    after = Parts(baseline=after.baseline, usage=after.usage, unpriced=len(unpriced))
    counts = Counts(priced=len(rows), free=2, unsupported=len(unpriced), total=len(rows) + 2 + len(unpriced))
    return StackCost(before=before, after=after, rows=rows, counts_after=counts, unpriced=unpriced)


def change(name: str, action: str, *forced_by: str, type_: str = DATABASE, **more: object) -> ChangedResource:
    """A changed resource."""
    properties = tuple(Property(path=path, before="a", after="b", forces=True) for path in forced_by)
    return ChangedResource(
        urn=f"urn:pulumi:prod::reme::{type_}::{name}",
        type=type_,
        name=name,
        action=action,  # type: ignore[arg-type]
        forced_by=forced_by,
        **{"properties": properties, **more},  # type: ignore[arg-type]
    )


def production() -> StackResult:
    """A stack whose database would be replaced."""
    return StackResult(
        name="aws-prod",
        cloud="aws",
        region="us-east-1",
        environment="prod",
        status="compared",
        how="offline",
        changes=(
            change("database-instance", "replace", "kmsKeyId", loses_data=True, protected=True),
            change("old-volume", "delete", type_="aws:ebs/volume:Volume", loses_data=True),
            change("service-group", "update", type_="aws:autoscaling/group:Group").model_copy(
                update={
                    "properties": (
                        Property(path="maxSize", before="4", after="6"),
                        Property(path="tags.token", secret=True, before="", after=""),
                    )
                }
            ),
            change("cache-group", "create", type_="aws:elasticache/replicationGroup:ReplicationGroup"),
        ),
        unchanged=97,
        cost=cost(
            row("compute", "372.30", "744.60", usage="10"),
            row("database", "365.00", "365.00"),
            row("cache", None, "49.64"),
            row("llm", "0", "0", usage="250"),
            unpriced=(Unpriced(name="mesh", type="aws:appmesh/mesh:Mesh", status="unsupported", reason="not known"),),
        ),
        tier=TierChange(before="single-host", after="ha", reasons=("500 users are more than 100",)),
        violations=(
            Violation(
                rule="database-multi-zone",
                level="mandatory",
                urn="urn:x",
                name="database-instance",
                message="multiAz is false",
                remedy="Set multiAz.",
            ),
            Violation(rule="log-retention", level="advisory", urn="urn:y", name="logs", message="7 days", is_new=False),
        ),
        unjudged=2,
        made_up=1,
        notes=("The stack's secrets were replaced by placeholders.",),
    )


def calm() -> StackResult:
    """A stack in which nothing changes."""
    same = row("compute", "30.37", "30.37", usage="2.5")
    return StackResult(
        name="aws-dev", cloud="aws", region="us-east-1", environment="dev", status="compared", how="offline",
        unchanged=41, cost=cost(same), tier=TierChange(before="single-host", after="single-host"),
    )  # fmt: skip


def whole(*stacks: StackResult) -> PreviewResult:
    """A result of these stacks, or of both kinds."""
    return PreviewResult(
        tool_version="0.1.0", base="main", head="8c1f0aa", stacks=stacks or (production(), calm()),
        prices_from="2024-07-01", prices_until="2026-10-02",
    )  # fmt: skip
