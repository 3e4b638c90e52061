"""What a change does to a stack's cost: by resource, by component, by type, and in all."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from sizing.cost.report import COMPONENTS, ZERO
from sizing.graph.change import Change
from sizing.graph.kinds import find_kind
from sizing.pricing.quotation import PricedResource, StackCost, Totals, total_lines

NOTHING = Totals(baseline=ZERO, usage=ZERO)
OUTSIDE = "more"
"""The component of lines that belong to no component of the plan."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CostShift:
    """A sum before and after. `partial` tells that either side has something without a price: both are lower bounds,
    and the difference may be off in both directions.
    """

    before: Totals
    after: Totals
    partial: bool = False

    @property
    def delta(self) -> Totals:
        """After less before, corner by corner: the high corner is the difference of the high ones."""
        return self.after - self.before


@dataclass(frozen=True, kw_only=True, slots=True)
class ResourceShift:
    """One resource before and after; a side that does not exist is None.

    `delta` is None where a side that exists is not fully priced: what is not known stays unknown.
    """

    urn: str
    name: str
    type: str
    component: str
    before: PricedResource | None
    after: PricedResource | None

    @property
    def delta(self) -> Totals | None:
        """After less before, None where either is not known."""
        if any(each is not None and not _is_known(each) for each in (self.before, self.after)):
            return None
        return _total(self.after) - _total(self.before)


@dataclass(frozen=True, kw_only=True)
class CostChange:
    """Two costs of a stack side by side.

    `resources` has every resource of either side once; `components` and `types` add up to `total`, corner by corner.
    """

    before: StackCost
    after: StackCost
    resources: tuple[ResourceShift, ...]

    @cached_property
    def total(self) -> CostShift:
        """The whole stack's, with the lines that belong to no resource."""
        partial = self.before.partial or self.after.partial
        return CostShift(before=self.before.totals, after=self.after.totals, partial=partial)

    @cached_property
    def components(self) -> Mapping[str, CostShift]:
        """By component: those of the plan in its order, then others."""
        found = self._group(lambda each: each.component)
        for side, cost in enumerate((self.before, self.after)):
            for component in dict.fromkeys(line.component for line in cost.more):
                lines = tuple(line for line in cost.more if line.component == component)
                known = found.get(component, CostShift(before=NOTHING, after=NOTHING))
                sums = [known.before, known.after]
                sums[side] = sums[side] + total_lines(lines)
                partial = known.partial or any(not line.is_priced for line in lines)
                found[component] = CostShift(before=sums[0], after=sums[1], partial=partial)
        order = {name: index for index, name in enumerate(COMPONENTS)}
        return dict(sorted(found.items(), key=lambda item: (order.get(item[0], len(order)), item[0])))

    @cached_property
    def types(self) -> Mapping[str, CostShift]:
        """By the type that the kind is billed by; lines that belong to no resource are under `more`."""
        found = dict(sorted(self._group(lambda each: find_kind(each.type).type).items()))
        if self.before.more or self.after.more:
            lines = (*self.before.more, *self.after.more)
            found[OUTSIDE] = CostShift(
                before=total_lines(self.before.more),
                after=total_lines(self.after.more),
                partial=any(not line.is_priced for line in lines),
            )
        return found

    @cached_property
    def changed(self) -> tuple[ResourceShift, ...]:
        """Resources whose cost changes, or may: the largest difference first, then those that are not known."""
        found = [each for each in self.resources if each.delta is None and not _is_alike(each)]
        known = [
            each for each in self.resources if each.delta is not None and _total(each.before) != _total(each.after)
        ]
        known.sort(key=lambda each: -abs((_total(each.after) - _total(each.before)).total.expected))
        return (*known, *found)

    def _group(self, name: Callable[[ResourceShift], str]) -> dict[str, CostShift]:
        groups: dict[str, list[ResourceShift]] = {}
        for each in self.resources:
            groups.setdefault(name(each), []).append(each)
        return {
            key: CostShift(
                before=_add(each.before for each in found),
                after=_add(each.after for each in found),
                partial=any(
                    side is not None and not _is_known(side) for each in found for side in (each.before, each.after)
                ),
            )
            for key, found in groups.items()
        }


def compare_costs(before: StackCost, after: StackCost, changes: Iterable[Change] = ()) -> CostChange:
    """Put two costs side by side; `changes` tell which resource was renamed."""
    former = {each.former_urn: each.urn for each in changes if each.former_urn}
    olds = {former.get(each.resource.urn, each.resource.urn): each for each in before.resources}
    news = {each.resource.urn: each for each in after.resources}
    shifts = []
    for urn in dict.fromkeys((*olds, *news)):
        old, new = olds.get(urn), news.get(urn)
        shown = new or old
        assert shown is not None, "a resource is on one side at least"  # noqa: S101
        shifts.append(
            ResourceShift(
                urn=urn,
                name=shown.resource.name,
                type=shown.resource.type,
                component=shown.component,
                before=old,
                after=new,
            )
        )
    return CostChange(before=before, after=after, resources=tuple(shifts))


def _is_known(each: PricedResource) -> bool:
    """Whether its baseline is known: what is billed by use alone has none."""
    return each.status in ("priced", "free", "by-use") and all(line.is_priced for line in each.lines)


def _is_alike(each: ResourceShift) -> bool:
    """Whether nothing that a price rests on differs."""
    if each.before is None or each.after is None:
        return False
    sides = [
        (side.status, side.reason, [(line.sku, line.quantity) for line in side.lines])
        for side in (each.before, each.after)
    ]
    return sides[0] == sides[1]


def _total(each: PricedResource | None) -> Totals:
    return NOTHING if each is None else total_lines(each.lines)


def _add(sides: Iterable[PricedResource | None]) -> Totals:
    total = NOTHING
    for each in sides:
        total = total + _total(each)
    return total
