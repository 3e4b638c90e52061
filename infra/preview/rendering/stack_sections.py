"""The sections on one stack: what is taken away, what is made, what it costs, what it breaks, what is not known."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from infra.preview.rendering.figures import is_same, show_change, show_part, show_usd
from infra.preview.result import ChangedResource, Property, StackResult
from infra.preview.spending import CostRow, Parts
from sizing.messages import Language, messages, render
from sizing.render.blocks import Bullets, Paragraph, Table


@dataclass(frozen=True, kw_only=True)
class Section:
    """A titled part of a stack; `first` is shown unfolded where there is folding."""

    key: str
    title: str
    blocks: tuple[Paragraph | Bullets | Table, ...] = field(default=())
    first: bool = False


def say(code: str, language: Language, **values: object) -> str:
    """A sentence or label of the preview, in the singular where `count` (or `total`) is one and it has one."""
    one = f"preview.{code}.one"
    singular = values.get("count", values.get("total")) == 1 and one in messages(language)
    return render(one if singular else f"preview.{code}", language, values)


def outline_stack(stack: StackResult, language: Language) -> tuple[Section, ...]:
    """The sections of a stack, without those that would be empty."""
    if stack.status == "failed":
        blocks: tuple[Paragraph | Bullets | Table, ...] = (Paragraph(text=stack.error, strong=True),)
        return (Section(key="notes", title=say("section.failed", language), blocks=blocks, first=True),)
    taken = [change for change in stack.changes if change.destructive]
    made = [change for change in stack.changes if not change.destructive]
    sections = [
        _section("destructive", [_tabulate_changes(taken, language)] if taken else [], language, first=True),
        _section("changes", [_tabulate_changes(made, language)] if made else [], language),
        _section("properties", _tabulate_properties(stack.changes, language), language),
        _section("cost", _cost(stack, language), language, first=True),
        _section("tier", _tier(stack, language), language),
        _section("policy", _policy(stack, language), language),
        _section("unpriced", _unpriced(stack, language), language),
        _section("notes", _notes(stack, language), language),
    ]
    return tuple(section for section in sections if section.blocks)


def _section(
    key: str, blocks: Sequence[Paragraph | Bullets | Table], language: Language, *, first: bool = False
) -> Section:
    return Section(key=key, title=say(f"section.{key}", language), blocks=tuple(blocks), first=first)


def _columns(language: Language, *names: str) -> tuple[str, ...]:
    return tuple(say(f"column.{name}", language) for name in names)


def _tabulate_changes(changes: Sequence[ChangedResource], language: Language) -> Table:
    rows = []
    for change in changes:
        marks = [say("action.may-replace" if not change.certain else f"action.{change.action}", language)]
        if change.loses_data and change.destructive:
            marks.append(say("loses-data", language))
        if change.protected and change.destructive:
            marks.append(say("protected", language))
        because = change.because or tuple(each.path for each in change.properties[:3])
        rows.append((change.name, change.type, ", ".join(marks), ", ".join(because) or "–"))
    return Table(columns=_columns(language, "resource", "type", "what", "because"), rows=tuple(rows))


def _tabulate_properties(changes: Sequence[ChangedResource], language: Language) -> list[Table]:
    rows = [
        (change.name, each.path, _show_value(each, each.before, language), _show_value(each, each.after, language))
        for change in changes
        if change.action in ("update", "replace")
        for each in change.properties
    ]
    columns = _columns(language, "resource", "property", "before", "after")
    return [Table(columns=columns, rows=tuple(rows))] if rows else []


def _show_value(prop: Property, value: str, language: Language) -> str:
    if prop.secret:
        return say("secret", language)
    return value or say("absent", language)


def _cost(stack: StackResult, language: Language) -> list[Paragraph | Table]:
    after, before = stack.cost.after or Parts(), stack.cost.before or Parts()
    changed = [row for row in stack.cost.rows if not is_same(row.before, row.after)]
    same = [row for row in stack.cost.rows if is_same(row.before, row.after)]
    total = after.total
    blocks: list[Paragraph | Table] = []
    if changed:
        names = ("component", "baseline-before", "baseline-after", "usage-before", "usage-after", "delta")
        ordered = sorted(changed, key=lambda row: -abs(row.delta.expected))
        rows = [*ordered, *_join(same, language)]
        rows.append(CostRow(component=say("total", language), before=stack.cost.before, after=stack.cost.after))
        blocks.append(
            Table(
                columns=_columns(language, *names),
                rows=tuple(_cost_row(row) for row in rows),
                right=frozenset({1, 2, 3, 4, 5}),
                total=True,
            )
        )
    if stack.cost.before or stack.cost.after:
        figures = {corner: show_usd(getattr(total, corner)) for corner in ("low", "expected", "high")}
        blocks.append(Paragraph(text=say("range", language, before=show_usd(before.total.expected), **figures)))
    return blocks


def _join(same: Sequence[CostRow], language: Language) -> list[CostRow]:
    """One row for all components that cost what they did."""
    if not same:
        return []
    joined = CostRow(
        component=say("same-components", language, count=len(same)),
        before=sum((row.before for row in same if row.before), Parts()),
        after=sum((row.after for row in same if row.after), Parts()),
    )
    return [joined]


def _cost_row(row: CostRow) -> tuple[str, ...]:
    before, after = row.before, row.after
    return (
        row.component,
        show_part(before.baseline if before else None),
        show_part(after.baseline if after else None),
        show_part(before.usage if before else None),
        show_part(after.usage if after else None),
        show_change(row.delta.expected),
    )


def _tier(stack: StackResult, language: Language) -> list[Paragraph | Bullets]:
    tier = stack.tier
    if not tier.changes:
        return []
    reasons = [Bullets(items=tier.reasons)] if tier.reasons else []
    return [Paragraph(text=say("tier-changes", language, before=tier.before, after=tier.after), strong=True), *reasons]


def _policy(stack: StackResult, language: Language) -> list[Paragraph | Table]:
    blocks: list[Paragraph | Table] = []
    if stack.violations:
        ordered = sorted(stack.violations, key=lambda each: (each.level != "mandatory", not each.is_new, each.rule))
        rows = []
        for each in ordered:
            level = say(f"policy.{each.level}", language)
            level = level if each.is_new else f"{level}, {say('policy.old', language)}"
            rows.append((level, each.rule, each.name, each.message, each.remedy))
        columns = _columns(language, "level", "rule", "resource", "message", "remedy")
        blocks.append(Table(columns=columns, rows=tuple(rows)))
    if stack.unjudged:
        blocks.append(Paragraph(text=say("policy.unjudged", language, count=stack.unjudged)))
    return blocks


def _unpriced(stack: StackResult, language: Language) -> list[Paragraph | Table]:
    counts = stack.cost.counts_after or stack.cost.counts_before
    if counts is None:
        return []
    known = {name: count for name, count in counts.model_dump().items() if name != "total" and count}
    parts = ", ".join(say(f"count.{name}", language, count=count) for name, count in known.items())
    text = say("counts", language, total=counts.total, parts=parts)
    blocks: list[Paragraph | Table] = [Paragraph(text=text)]
    if stack.cost.unpriced:
        rows = tuple(
            (each.name, each.type, say(f"unpriced.{each.status}", language), each.reason or "–")
            for each in stack.cost.unpriced
        )
        blocks.append(Table(columns=_columns(language, "resource", "type", "status", "reason"), rows=rows))
    return blocks


def _notes(stack: StackResult, language: Language) -> list[Bullets]:
    items = [say(f"how.{stack.how}", language)]
    if stack.status == "removed":
        items.insert(0, say("removed", language))
    if stack.made_up:
        items.append(say("made-up", language, count=stack.made_up))
    if stack.unchanged:
        items.append(say("unchanged", language, count=stack.unchanged))
    return [Bullets(items=(*items, *stack.notes, *stack.cost.unexplained))]
