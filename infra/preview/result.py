"""What a preview found: the one document that the terminal, the comment, the page and other programs are made from.

It may come from a job that ran a stranger's code, so everything in it is bounded and checked when it is read.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from infra.preview.errors import InvalidResult
from infra.preview.spending import NOTHING, Name, Part, Parts, Spend, StackCost, Text

SCHEMA_VERSION = 1
MAX_FILE_MB = 32
"""More than a thousand stacks of ours would take; a file above it is not read."""

Action = Literal["create", "update", "replace", "delete"]
Level = Literal["block", "warn"]
PolicyLevel = Literal["mandatory", "advisory"]
Verdict = Literal["pass", "warn", "block"]
Status = Literal["compared", "new", "removed", "failed"]
How = Literal["offline", "live", "files"]


class Property(Part):
    """A property that changes. A secret's values are never here."""

    path: Name
    before: Text = ""
    after: Text = ""
    secret: bool = False
    forces: bool | None = False

    @model_validator(mode="after")
    def _hide(self) -> Self:
        if self.secret and (self.before or self.after):
            raise ValueError(f"{self.path} is a secret, and its value is given")
        return self


class ChangedResource(Part):
    """What happens to one resource. `certain` is false where the provider's rule for a change is not known."""

    urn: Name
    type: Name
    name: Name
    action: Action
    certain: bool = True
    loses_data: bool = False
    protected: bool = False
    forced_by: tuple[Name, ...] = ()
    properties: tuple[Property, ...] = ()

    @property
    def destructive(self) -> bool:
        """Whether something that stands is taken away."""
        return self.action in ("replace", "delete")

    @property
    def because(self) -> tuple[str, ...]:
        """The properties that force a replacement, or that may."""
        return self.forced_by or tuple(each.path for each in self.properties if each.forces is None)


class TierChange(Part):
    """The tier before and after, and why; equal where it stays."""

    before: Name = ""
    after: Name = ""
    reasons: tuple[Text, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether the tier is another one."""
        return bool(self.before and self.after and self.before != self.after)


class Violation(Part):
    """A policy that the changed stack breaks; `is_new` where it did not before the change."""

    rule: Name
    level: PolicyLevel
    urn: Name
    name: Name
    message: Text
    remedy: Text = ""
    is_new: bool = True


class StackResult(Part):
    """One stack, before and after."""

    name: Name
    cloud: Name = ""
    region: Name = ""
    environment: Name = ""
    status: Status
    how: How
    error: Text = ""
    changes: tuple[ChangedResource, ...] = ()
    unchanged: Annotated[int, Field(ge=0)] = 0
    cost: StackCost = StackCost()
    tier: TierChange = TierChange()
    violations: tuple[Violation, ...] = ()
    unjudged: Annotated[int, Field(ge=0)] = 0
    made_up: Annotated[int, Field(ge=0)] = 0
    notes: tuple[Text, ...] = ()

    def count(self, action: Action) -> int:
        """How many resources this happens to."""
        return sum(change.action == action for change in self.changes)


class Finding(Part):
    """A guardrail that the change breaks. `stack` is empty where it is about all of them."""

    guardrail: Name
    stack: Name = ""
    level: Level
    message: Text
    remedy: Text = ""


class PreviewResult(Part):
    """Everything that a preview found."""

    schema_version: Literal[1] = 1
    tool_version: Name = ""
    base: Name
    head: Name
    stacks: tuple[StackResult, ...]
    findings: tuple[Finding, ...] = ()
    prices_from: Name = ""
    prices_until: Name = ""

    @property
    def verdict(self) -> Verdict:
        """The worst of the findings, and "block" where a stack could not be previewed."""
        if any(finding.level == "block" for finding in self.findings) or self.failed:
            return "block"
        return "warn" if self.findings else "pass"

    @property
    def failed(self) -> tuple[StackResult, ...]:
        """The stacks that could not be previewed."""
        return tuple(stack for stack in self.stacks if stack.status == "failed")

    @property
    def before(self) -> Parts:
        """The cost of all stacks before."""
        return sum((stack.cost.before for stack in self.stacks if stack.cost.before), Parts())

    @property
    def after(self) -> Parts:
        """The cost of all stacks after."""
        return sum((stack.cost.after for stack in self.stacks if stack.cost.after), Parts())

    @property
    def delta(self) -> Spend:
        """After less before, of what has a price."""
        return self.after.total - self.before.total

    @property
    def changed(self) -> bool:
        """Whether anything is different: a resource, a cost or a tier."""
        return any(
            stack.changes or stack.cost.delta != NOTHING or stack.tier.changes or stack.status != "compared"
            for stack in self.stacks
        )


def write_result(result: PreviewResult) -> str:
    """The result as JSON text; money is text."""
    return result.model_dump_json(indent=1) + "\n"


def read_result(path: Path) -> PreviewResult:
    """Read a result that `write_result` made. Raises InvalidResult for anything else."""
    size_mb = path.stat().st_size / 1e6
    if size_mb > MAX_FILE_MB:
        raise InvalidResult(str(path), f"it has {size_mb:.0f} MB, and {MAX_FILE_MB} is the most")
    try:
        return TypeAdapter(PreviewResult).validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise InvalidResult(str(path), f"{where}: {first['msg']}") from None


def result_schema() -> Mapping[str, Any]:
    """The JSON Schema of a result."""
    schema = PreviewResult.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "reme-preview result"}
