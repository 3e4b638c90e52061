"""Guardrails: the limits of a repository that a change must keep, in a file of that repository.

They are read from the base's tree, so that a change cannot lift the limit that it breaks.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from infra.preview.errors import InvalidGuardrails
from infra.preview.result import ChangedResource, Finding, Level, PreviewResult, StackResult
from infra.preview.spending import CENT, Parts

FILE = "reme-guardrails.yaml"
"""Where a repository keeps them."""

Usd = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]
Answer = Literal["block", "warn", "allow"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Limits(_Model):
    """Limits of a month's expected cost in USD; what is absent is not limited.

    Totals count what has a price. `max_increase_percent` is of the cost before, and says nothing of what is new.
    """

    max_monthly_usd: Usd | None = None
    max_increase_usd: Usd | None = None
    max_increase_percent: Usd | None = None


class Forbidden(_Model):
    """A kind of resource that must not be made: a type such as `aws:ec2/natGateway:NatGateway`, `*` as wild card."""

    type: Annotated[str, Field(min_length=3, max_length=200)]
    environments: tuple[str, ...] = ()
    reason: Annotated[str, Field(min_length=3, max_length=500)]


class Guardrails(_Model):
    """What a repository allows; without a file these defaults hold."""

    version: Literal[1] = 1
    limits: Limits = Limits()
    stacks: Mapping[str, Limits] = {}
    components: Mapping[str, Usd] = {}
    data_loss: Answer = "block"
    protected: Answer = "block"
    replacements: Answer = "warn"
    unpriced: Answer = "allow"
    made_up: Answer = "allow"
    mandatory_policies: Answer = "block"
    advisory_policies: Answer = "allow"
    forbidden: tuple[Forbidden, ...] = ()


def read_guardrails(path: Path) -> Guardrails:
    """Read a guardrails file; the defaults where there is none. Raises InvalidGuardrails."""
    if not path.exists():
        return Guardrails()
    return parse_guardrails(path.read_text(encoding="utf-8"), str(path))


def find_guardrails(given: Path | None, folder: Path) -> Guardrails:
    """The guardrails of the file that is named, else of a folder, else the defaults. Raises InvalidGuardrails."""
    return read_guardrails(given or folder / FILE)


def parse_guardrails(text: str, where: str) -> Guardrails:
    """Read guardrails from YAML. Raises InvalidGuardrails."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidGuardrails(where, f"is no YAML: {str(error).splitlines()[0]}") from None
    try:
        return Guardrails.model_validate({} if document is None else document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "the document"
        raise InvalidGuardrails(where, f"{field}: {first['msg']}") from None


def judge(result: PreviewResult, guardrails: Guardrails) -> tuple[Finding, ...]:
    """What the result breaks, the blocking findings first."""
    found = [*_judge_money("", guardrails.limits, result.before, result.after, new=False)]
    unknown = sorted(set(guardrails.stacks) - {stack.name for stack in result.stacks})
    found += [
        _write(
            guardrail="stacks",
            stack=name,
            level="warn",
            message=f"the guardrails name the stack {name}, and this preview has none of that name",
            remedy="Correct the name, or take it out of the guardrails.",
        )
        for name in unknown
    ]
    for stack in result.stacks:
        found += _judge_stack(stack, guardrails)
    return tuple(sorted(found, key=lambda finding: finding.level != "block"))


def _judge_stack(stack: StackResult, guardrails: Guardrails) -> Iterator[Finding]:
    limits = guardrails.stacks.get(stack.name)
    if limits is not None:
        before, after = stack.cost.before or Parts(), stack.cost.after or Parts()
        yield from _judge_money(stack.name, limits, before, after, new=stack.status == "new")
    for row in stack.cost.rows:
        limit = guardrails.components.get(row.component)
        if limit is not None and row.after is not None and row.after.total.expected > limit:
            yield _write(
                guardrail=f"components.{row.component}",
                stack=stack.name,
                level="block",
                message=f"{row.component} costs {_usd(row.after.total.expected)} a month; the limit is {_usd(limit)}",
                remedy=f"Choose a smaller {row.component}, or raise the limit in {FILE}.",
            )
    yield from _judge_changes(stack, guardrails)
    yield from _judge_policies(stack, guardrails)
    cost = stack.cost.after
    if cost is not None and cost.unpriced:
        yield from _found(
            guardrails.unpriced,
            "unpriced",
            stack,
            f"{cost.unpriced} resources or lines have no price, so the total is a lower bound",
            "Give their usage in a usage file, or prices in a price file.",
        )
    if stack.made_up:
        yield from _found(
            guardrails.made_up,
            "made_up",
            stack,
            f"{stack.made_up} look-ups of the program were answered with made-up values",
            "Preview it with credentials to see what the cloud answers.",
        )


def _judge_changes(stack: StackResult, guardrails: Guardrails) -> Iterator[Finding]:
    for change in stack.changes:
        if change.protected and change.destructive:
            yield from _found(
                guardrails.protected,
                "protected",
                stack,
                f"{_name(change)} is protected and {_done(change)}{_forced(change)}; `pulumi up` refuses it",
                "Keep it, or lift its protection in a change of its own first.",
            )
        if change.loses_data and change.destructive:
            yield from _found(
                guardrails.data_loss,
                "data_loss",
                stack,
                f"{_name(change)} keeps data and {_done(change)}{_forced(change)}",
                "Keep it, or move its data first and say so in the change.",
            )
        elif change.action == "replace":
            yield from _found(
                guardrails.replacements,
                "replacements",
                stack,
                f"{_name(change)} {_done(change)}{_forced(change)}",
                "Expect an interruption, or keep the property that forces it.",
            )
        if change.action == "delete":
            continue
        for forbidden in guardrails.forbidden:
            here = not forbidden.environments or stack.environment in forbidden.environments
            if here and change.action in ("create", "replace") and fnmatchcase(change.type, forbidden.type):
                yield _write(
                    guardrail="forbidden",
                    stack=stack.name,
                    level="block",
                    message=f"{_name(change)} is of a forbidden kind: {forbidden.reason}",
                    remedy=f"Leave it out, or take {forbidden.type} out of `forbidden`.",
                )


def _judge_policies(stack: StackResult, guardrails: Guardrails) -> Iterator[Finding]:
    answers: Mapping[str, Answer] = {
        "mandatory": guardrails.mandatory_policies,
        "advisory": guardrails.advisory_policies,
    }
    for violation in stack.violations:
        yield from _found(
            answers[violation.level],
            f"policy.{violation.rule}",
            stack,
            f"{violation.name}: {violation.message}{'' if violation.is_new else ' (there before the change)'}",
            violation.remedy,
        )


def _judge_money(stack: str, limits: Limits, before: Parts, after: Parts, *, new: bool) -> Iterator[Finding]:
    of, was, now = f"stacks.{stack}." if stack else "limits.", before.total.expected, after.total.expected

    def over(limit: str, message: str) -> Finding:
        return _write(
            guardrail=of + limit,
            stack=stack,
            level="block",
            message=message,
            remedy=f"Make the change smaller, or raise {of}{limit} in {FILE}.",
        )

    who = stack or "all stacks together"
    if limits.max_monthly_usd is not None and now > limits.max_monthly_usd:
        yield over("max_monthly_usd", f"{who}: {_usd(now)} a month; the limit is {_usd(limits.max_monthly_usd)}")
    if limits.max_increase_usd is not None and now - was > limits.max_increase_usd:
        limit = _usd(limits.max_increase_usd)
        yield over("max_increase_usd", f"{who}: {_usd(now - was)} a month more; the limit is {limit}")
    if limits.max_increase_percent is not None and was > 0 and not new:
        percent = (now - was) / was * 100
        if percent > limits.max_increase_percent:
            yield over(
                "max_increase_percent",
                f"{who}: {percent.quantize(CENT)} % more; the limit is {limits.max_increase_percent} %",
            )


def _write(*, guardrail: str, stack: str, level: Level, message: str, remedy: str) -> Finding:
    """A finding of texts that may be too long for one, since a result may name its resources as it likes."""
    return Finding(
        guardrail=guardrail[:1000], stack=stack[:1000], level=level, message=message[:4000], remedy=remedy[:4000]
    )


def _found(answer: Answer, guardrail: str, stack: StackResult, message: str, remedy: str) -> Iterator[Finding]:
    levels: Mapping[Answer, Level] = {"block": "block", "warn": "warn"}
    if answer in levels:
        yield _write(guardrail=guardrail, stack=stack.name, level=levels[answer], message=message, remedy=remedy)


def _name(change: ChangedResource) -> str:
    return f"{change.name} ({change.type})"


def _done(change: ChangedResource) -> str:
    if change.action == "delete":
        return "would be deleted"
    return "would be replaced" if change.certain else "may be replaced"


def _forced(change: ChangedResource) -> str:
    return f" because of {', '.join(change.because)}" if change.because else ""


def _usd(amount: Decimal) -> str:
    return f"${amount.quantize(CENT):,}"
