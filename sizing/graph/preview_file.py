"""Reads what `pulumi preview --json` prints: the stack before and after, and what the engine would do."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sizing.graph.change import Action
from sizing.graph.errors import InvalidGraph
from sizing.graph.recorded_state import Places, RecordedState, read_resource, stack_of
from sizing.graph.resources import Resource, ResourceGraph, build_graph
from sizing.graph.state_file import explain
from sizing.graph.values import unwrap

_ACTIONS: Final[Mapping[str, Action]] = {
    "same": "same",
    "create": "create",
    "import": "create",
    "update": "update",
    "refresh": "same",  # one that finds a difference is written as an update
    "replace": "replace",
    "create-replacement": "replace",
    "delete-replaced": "replace",
    "import-replacement": "replace",
    "delete": "delete",
}
_PASSED_OVER: Final = frozenset({"read", "read-replacement", "discard", "discard-replaced", "remove-pending-replace"})
"""What happens to resources of others, or to the state alone. Both sets: pulumi v3.200, pkg/resource/deploy/step.go."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """What the engine would do to one resource.

    `paths` are the properties that differ, those of `forcing` make it replace the resource; both as the provider gave
    them, empty where it gave none. `former_urn` is the URN in the state, which differs after a rename.
    """

    urn: str
    action: Action
    paths: tuple[str, ...] = ()
    forcing: frozenset[str] = frozenset()
    former_urn: str = ""


@dataclass(frozen=True, kw_only=True)
class Preview:
    """A preview's file. `missing` is how many unchanged resources it leaves out: with any, the graphs are partial."""

    before: ResourceGraph
    after: ResourceGraph
    steps: Mapping[str, Step]
    missing: int = 0
    diagnostics: tuple[str, ...] = field(default=(), repr=False)

    @property
    def complete(self) -> bool:
        """Whether both graphs have every resource: the file was written with `--show-sames`."""
        return self.missing == 0


class _Difference(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    kind: str = ""


class _Step(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    op: str
    urn: str = Field(min_length=1)
    old: RecordedState | None = Field(default=None, alias="oldState")
    new: RecordedState | None = Field(default=None, alias="newState")
    detailed: dict[str, _Difference] | None = Field(default=None, alias="detailedDiff")
    differing: list[str] | None = Field(default=None, alias="diffReasons")
    forcing: list[str] | None = Field(default=None, alias="replaceReasons")


class _Diagnostic(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    message: str = ""
    severity: str = ""


class _Digest(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    config: dict[str, Any] | None = None
    steps: list[_Step] | None = None
    diagnostics: list[_Diagnostic] | None = None
    summary: dict[str, int] | None = Field(default=None, alias="changeSummary")


def read_preview(document: Mapping[str, Any], file: str, regions: Mapping[str, str] | None = None) -> Preview:
    """Both graphs and the steps of a preview; `regions` are those of default providers whose region no file tells.

    Raises InvalidGraph for a document of another shape, and for a preview that failed: what it shows is not all.
    """
    try:
        digest = _Digest.model_validate(document)
    except ValidationError as error:
        raise InvalidGraph(file, explain(error), "Write it with `pulumi preview --json --show-sames`") from None
    if digest.summary is None:
        raise InvalidGraph(
            file, "the preview failed: it has no summary", "Mend what `pulumi preview` says, and write the file again"
        )
    steps = digest.steps or []
    places = _learn_places(steps, digest.config or {}, regions or {})
    before: dict[str, Resource] = {}
    after: dict[str, Resource] = {}
    found: dict[str, Step] = {}
    for each in steps:
        _add_sides(each, places, before, after)
        if each.op not in _PASSED_OVER:
            found[each.urn] = _merge(found.get(each.urn), _read_step(each, file))
    name = stack_of(steps[0].urn) if steps else ""
    return Preview(
        before=build_graph(name, before.values(), _outputs(before)),
        after=build_graph(name, after.values(), _outputs(after)),
        steps=found,
        missing=max(0, sum(count for op, count in digest.summary.items() if op not in _PASSED_OVER) - len(found)),
        diagnostics=tuple(each.message for each in digest.diagnostics or () if each.severity in ("error", "warning")),
    )


def complete_preview(preview: Preview, state: ResourceGraph) -> Preview:
    """A preview of `pulumi preview --json` without `--show-sames`, completed with the state that it was made on.

    What the preview does not show is the same before and after. Raises InvalidGraph where the state is another
    stack's, or does not make up for what is missing: it was exported before or after another update.
    """
    if preview.before.stack and state.stack and preview.before.stack != state.stack:
        problem = f"it is of the stack {state.stack!r}, and the preview of {preview.before.stack!r}"
        raise InvalidGraph("the state", problem, "Export the stack of the preview")
    shown = {each.urn for graph in (preview.before, preview.after) for each in graph}
    untouched = [each for each in state if each.urn not in shown and not _is_default_provider(each)]
    left_out = [each for each in untouched if not each.external]
    absent = [each.name for each in preview.before if not each.external and state.find(each.urn) is None]
    if len(left_out) != preview.missing or absent:
        problem = f"{preview.missing} unchanged resources are missing in the preview, and it has {len(left_out)} more"
        problem += f"; it has not {', '.join(absent[:3])}" if absent else ""
        raise InvalidGraph("the state", problem, "Export the state that the preview was made on, or use --show-sames")
    before = build_graph(state.stack, (*preview.before, *untouched), preview.before.outputs)
    after = build_graph(state.stack, (*preview.after, *untouched), preview.after.outputs)
    return replace(preview, before=before, after=after, missing=0)


def _is_default_provider(resource: Resource) -> bool:
    return resource.is_provider and resource.name.startswith("default")


def _learn_places(steps: Iterable[_Step], config: Mapping[str, Any], regions: Mapping[str, str]) -> Places:
    configured = dict(regions)
    for key, value in config.items():
        package, _, name = key.rpartition(":")
        known = unwrap(value)[0]
        if name == "region" and isinstance(known, str):
            configured[package] = known
    places = Places(configured)
    for each in steps:
        for state in (each.old, each.new):
            if state is not None:
                places.learn(state)
    return places


def _add_sides(step: _Step, places: Places, before: dict[str, Resource], after: dict[str, Resource]) -> None:
    old = read_resource(step.old, places) if step.old is not None else None
    new = read_resource(step.new, places) if step.new is not None else None
    if step.op in ("read", "read-replacement"):
        old = replace(old, external=True) if old is not None else None
        new = replace(new, external=True) if new is not None else None
    if old is not None and step.op != "create":
        before[old.urn] = old
    if new is not None and step.op != "delete":
        if old is not None and step.op in ("same", "update"):
            # of what stays the file leaves out what the state knows
            new = replace(new, id=new.id or old.id, outputs=new.outputs or (old.outputs if step.op == "same" else {}))
        after[new.urn] = new


def _read_step(step: _Step, file: str) -> Step:
    action = _ACTIONS.get(step.op)
    if action is None:
        raise InvalidGraph(file, f"it has a step of the unknown kind {step.op!r}", "Use a newer version of this tool")
    detailed = step.detailed or {}
    forcing = {path for path, difference in detailed.items() if difference.kind.endswith("-replace")}
    paths = dict.fromkeys((*detailed, *(step.differing or ()))) if not detailed else dict.fromkeys(detailed)
    reasons = step.forcing or ()
    # a provider that names top-level properties alone still says which of them force
    forcing |= {path for path in paths if path in reasons}
    extra = [each for each in reasons if not any(_lies_in(path, each) for path in forcing)]
    return Step(
        urn=step.urn,
        action=action,
        paths=(*paths, *(each for each in extra if each not in paths)),
        forcing=frozenset({*forcing, *extra}),
        former_urn=step.old.urn if step.old is not None and step.old.urn != step.urn else "",
    )


def _lies_in(path: str, prop: str) -> bool:
    return path == prop or path.startswith((f"{prop}.", f"{prop}["))


def _merge(known: Step | None, found: Step) -> Step:
    """One step of a replacement's several, which share their URN."""
    if known is None:
        return found
    return replace(
        known if known.paths else found,
        action="replace" if "replace" in (known.action, found.action) else found.action,
        former_urn=known.former_urn or found.former_urn,
    )


def _outputs(resources: Mapping[str, Resource]) -> Mapping[str, Any]:
    return next((each.outputs for each in resources.values() if each.type == "pulumi:pulumi:Stack"), {})
