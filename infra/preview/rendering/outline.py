"""What a preview says, in the order in which it is read, whatever lays it out."""

from collections.abc import Sequence
from dataclasses import dataclass

from infra.preview.rendering.figures import is_same, show_change, show_part, show_percent, show_total, show_usd
from infra.preview.rendering.stack_sections import Section, outline_stack, say
from infra.preview.result import Action, Finding, PreviewResult, StackResult, Verdict
from infra.preview.spending import Parts
from sizing.messages import Language
from sizing.render.blocks import Table

ORDER: tuple[Action, ...] = ("delete", "replace", "update", "create")
"""The destructive actions first."""


@dataclass(frozen=True, kw_only=True)
class StackView:
    """One stack: its headline, and its sections, the worst first; a quiet one has nothing to tell."""

    name: str
    headline: str
    sections: tuple[Section, ...]
    needs_action: bool
    quiet: bool


@dataclass(frozen=True, kw_only=True)
class ResultView:
    """The whole result."""

    title: str
    between: str
    headline: str
    verdict: Verdict
    judgement: str
    summary: Table
    findings: Table | None
    stacks: tuple[StackView, ...]
    quiet: str
    footer: str
    language: Language


def outline_result(result: PreviewResult, language: Language) -> ResultView:
    """Put a result into words and tables."""
    views = tuple(_view(stack, result.findings, language) for stack in result.stacks)
    quiet = ", ".join(view.name for view in views if view.quiet)
    return ResultView(
        title=say("title", language),
        between=say("between", language, base=result.base, head=result.head),
        headline=_headline(result, language),
        verdict=result.verdict,
        judgement=_judge(result, language),
        summary=_summarise(result, language),
        findings=_list_findings(result.findings, language),
        stacks=views,
        quiet=say("quiet", language, names=quiet) if quiet else "",
        footer=_footer(result, language),
        language=language,
    )


def _headline(result: PreviewResult, language: Language) -> str:
    failed = len(result.failed)
    if failed and failed == len(result.stacks):
        return say("cost-none", language)
    before, after = result.before, result.after
    delta, now = result.delta.expected, show_usd(after.total.expected)
    percent = show_percent(before.total.expected, after.total.expected)
    if is_same(before, after):
        text = say("cost-same", language, now=now)
    else:
        code = "cost-more" if delta >= 0 else "cost-less"
        text = say(code, language, usd=f"{show_usd(abs(delta))} {percent}".strip(), now=now)
    if not result.changed:
        text = f"{say('nothing', language)} {text}"
    unpriced = after.unpriced
    text += say("cost-partial", language, count=unpriced) if unpriced else ""
    return text + (say("cost-without", language, count=failed) if failed else "")


def _judge(result: PreviewResult, language: Language) -> str:
    blocking = sum(finding.level == "block" for finding in result.findings)
    if result.failed and not blocking:
        return say("verdict.failed", language, count=len(result.failed))
    count = blocking if result.verdict == "block" else len(result.findings)
    return say(f"verdict.{result.verdict}", language, count=count)


def _summarise(result: PreviewResult, language: Language) -> Table:
    names = ("stack", "changes", "baseline", "usage", "delta", "total", "policy")
    rows = [_summarise_stack(stack, language) for stack in result.stacks]
    has_total = len(rows) > 1 and len(result.failed) < len(rows)
    if has_total:
        after, before = result.after, result.before
        rows.append(
            (
                say("total", language),
                "",
                show_part(after.baseline),
                show_part(after.usage),
                _change_cell(before, after),
                show_total(after),
                "",
            )
        )
    return Table(
        columns=tuple(say(f"column.{name}", language) for name in names),
        rows=tuple(rows),
        right=frozenset({2, 3, 4, 5}),
        total=has_total,
    )


def _summarise_stack(stack: StackResult, language: Language) -> tuple[str, ...]:
    before, after = stack.cost.before or Parts(), stack.cost.after or Parts()
    if stack.status == "failed":
        return (stack.name, say("status.failed", language), "", "", "", "", "")
    levels = [violation.level for violation in stack.violations]
    broken = [
        f"{levels.count(level)} {say(f'policy.{level}', language)}"
        for level in ("mandatory", "advisory")
        if level in levels
    ]
    return (
        stack.name,
        describe_changes(stack, language),
        show_part(after.baseline),
        show_part(after.usage),
        _change_cell(before, after),
        show_total(after),
        ", ".join(broken) or "–",
    )


def describe_changes(stack: StackResult, language: Language) -> str:
    """The counts of a stack's changes, the destructive first."""
    counts = []
    for action in ORDER:
        perhaps = sum(change.action == action and not change.certain for change in stack.changes)
        certain = stack.count(action) - perhaps
        counts += [f"{certain} {say(f'action.{action}', language)}"] if certain else []
        counts += [f"{perhaps} {say('action.may-replace', language)}"] if perhaps else []
    text = ", ".join(counts) or say("no-changes", language)
    return text if stack.status == "compared" else f"{say(f'status.{stack.status}', language)}: {text}"


def _change_cell(before: Parts, after: Parts) -> str:
    delta = after.total.expected - before.total.expected
    return f"{show_change(delta)} {show_percent(before.total.expected, after.total.expected)}".strip()


def _list_findings(findings: Sequence[Finding], language: Language) -> Table | None:
    if not findings:
        return None
    names = ("level", "stack", "guardrail", "message", "remedy")
    return Table(
        columns=tuple(say(f"column.{name}", language) for name in names),
        rows=tuple(
            (say(f"level.{each.level}", language), each.stack or "–", each.guardrail, each.message, each.remedy)
            for each in findings
        ),
    )


def _view(stack: StackResult, findings: Sequence[Finding], language: Language) -> StackView:
    if stack.status == "failed":
        headline = f"{stack.name}: {say('status.failed', language)}"
    else:
        before, after = stack.cost.before or Parts(), stack.cost.after or Parts()
        cost = _change_cell(before, after)
        headline = f"{stack.name}: {describe_changes(stack, language)}; {cost if cost != '–' else show_total(after)}"
    return StackView(
        name=stack.name,
        headline=headline,
        sections=outline_stack(stack, language),
        needs_action=stack.status == "failed"
        or any(each.level == "block" and each.stack == stack.name for each in findings),
        quiet=stack.status == "compared"
        and not (stack.changes or stack.violations or stack.tier.changes)
        and is_same(stack.cost.before, stack.cost.after),
    )


def _footer(result: PreviewResult, language: Language) -> str:
    if result.prices_from:
        return say("footer", language, since=result.prices_from, until=result.prices_until)
    return say("footer-no-dates", language)
