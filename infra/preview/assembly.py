"""From two graphs of a stack to what the result says of it: changes, costs, tier, policies, what is not known."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from infra.errors import InfraError
from infra.preview.changes import count_unchanged, describe_changes
from infra.preview.costs import describe_costs
from infra.preview.offline.record import MADE_UP
from infra.preview.plans import PLACEHOLDERS, describe_tier, plan_side, read_config
from infra.preview.result import How, StackResult, Status
from infra.preview.runs import StackRun
from infra.preview.states import restore_protection
from infra.preview.violations import describe_violations
from policies.judgement import judge
from policies.settings import PolicySettings, find_environment, find_residency, read_waivers
from policies.spend import Spend, sum_spend
from sizing.errors import SizingError
from sizing.graph.change import Change
from sizing.graph.difference import find_changes, preview_changes
from sizing.graph.documents import open_document
from sizing.graph.preview_file import Preview
from sizing.graph.resources import UNKNOWN, ResourceGraph, build_graph
from sizing.pricing.cost_change import compare_costs
from sizing.pricing.pricer import price_graph
from sizing.pricing.usage import NO_USAGE, Usage

MAX_NOTES = 30


@dataclass(frozen=True, kw_only=True)
class Sides:
    """A stack's two graphs and what happens between them; `unsure` are URNs that may be replaced, with properties."""

    name: str
    status: Status
    how: How
    before: ResourceGraph
    after: ResourceGraph
    changes: tuple[Change, ...]
    unsure: Mapping[str, tuple[str, ...]]
    base_config: Path | None = None
    head_config: Path | None = None
    project: str = ""
    made_up: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What all stacks are judged by: usage that is known, whether policies are asked, and the waivers' file."""

    usage: Usage = NO_USAGE
    policies: bool = True
    waivers: Path | None = None


def assemble_run(run: StackRun, project: str, how: How, terms: Terms) -> StackResult:
    """The result of one stack that the engine ran; whatever goes wrong in one stack is told in its `error`."""
    if run.status == "failed":
        return _fail(run.name, how, "; ".join(run.errors))
    try:
        return assemble(_read_sides(run, project, how), terms)
    except (InfraError, SizingError) as error:
        return _fail(run.name, how, str(error))


def assemble(sides: Sides, terms: Terms) -> StackResult:
    """The result of one stack. Raises the errors of `sizing`, `infra` and `policies` for input that is wrong."""
    changes = tuple(_doubt(each, sides.unsure) for each in sides.changes)
    plans = [plan_side(config, sides.project) for config in (sides.base_config, sides.head_config)]
    costs = [
        price_graph(graph, usage=terms.usage, more=plan.lines if plan else (), beside=(sides.before, sides.after))
        for graph, plan in zip((sides.before, sides.after), plans, strict=True)
    ]
    shown = sides.after if sides.status != "removed" else sides.before
    settings = _settings(sides, shown, terms)
    was, becomes = (sum_spend(cost) for cost in costs)
    before = Spend(after=was)
    after = Spend(after=becomes, before=was if sides.status == "compared" else None)
    old = judge(sides.before, settings, before) if terms.policies and sides.status == "compared" else ()
    new = judge(sides.after, settings, after) if terms.policies and sides.status != "removed" else ()
    return StackResult(
        name=sides.name,
        cloud=_commonest(each.package for each in shown.custom if each.package in ("aws", "alicloud")),
        region=_commonest(each.region for each in shown.custom if each.region),
        environment=settings.environment,
        status=sides.status,
        how=sides.how,
        changes=describe_changes(changes),
        unchanged=count_unchanged(changes),
        cost=describe_costs(
            compare_costs(costs[0], costs[1], changes),
            is_new=sides.status == "new",
            is_removed=sides.status == "removed",
        ),
        tier=describe_tier(plans[0], plans[1]),
        violations=describe_violations(old, new),
        unjudged=sum(not each.judged for each in new),
        made_up=sides.made_up,
        notes=tuple(note[:4000] for note in sides.notes[:MAX_NOTES]),
    )


def _read_sides(run: StackRun, project: str, how: How) -> Sides:
    """Both graphs of a stack's run."""
    nothing = build_graph(run.name, ())
    if run.preview is not None:
        preview = open_document(run.preview)
        assert isinstance(preview, Preview)  # noqa: S101 - the run made it so
        before, after = forget_made_up(preview.before), forget_made_up(preview.after)
        if run.base_state is not None:
            before = restore_protection(before, _read_state(run.base_state))
        changes = preview_changes(replace(preview, before=before, after=after))
    else:
        assert run.base_state is not None  # noqa: S101
        before, after = forget_made_up(_read_state(run.base_state)), nothing
        changes = find_changes(before, nothing)
    return Sides(
        name=run.name,
        status=run.status,
        how=how,
        before=nothing if run.status == "new" else before,
        after=after,
        changes=changes,
        unsure=run.unsure,
        base_config=run.base_config if run.base_config or how != "live" else run.head_config,
        head_config=run.head_config,
        project=project,
        made_up=len(run.made_up),
        notes=_note(run),
    )


def _read_state(file: Path) -> ResourceGraph:
    state = open_document(file)
    assert isinstance(state, ResourceGraph)  # noqa: S101 - the run made it so
    return state


def forget_made_up(graph: ResourceGraph) -> ResourceGraph:
    """The graph with every output that an offline provider made up as a value that nobody knows, ordered by URN.

    The engine's own order is that in which the program's calls happened to arrive, which differs from run to run.
    """
    found = []
    for each in sorted(graph, key=lambda one: one.urn):
        names = each.outputs.get(MADE_UP) or ()
        outputs = {key: UNKNOWN if key in names else value for key, value in each.outputs.items() if key != MADE_UP}
        found.append(replace(each, outputs=outputs))
    return build_graph(graph.stack, found, graph.outputs)


def _note(run: StackRun) -> tuple[str, ...]:
    found = []
    if run.made_up:
        counted = Counter(each.about for each in run.made_up)
        found.append(f"Made-up answers: {', '.join(f'{about} ({count})' for about, count in sorted(counted.items()))}.")
    if run.unknown_packages:
        found.append(f"Packages without an SDK here, whose rules are not known: {', '.join(run.unknown_packages)}.")
    replaced = [key for key in run.placeholders if key not in PLACEHOLDERS]
    if replaced:
        found.append(f"Secrets that were replaced by placeholders: {', '.join(replaced)}.")
    if run.changed_secrets:
        names = ", ".join(run.changed_secrets)
        found.append(f"Secrets that are encrypted anew; whether their values change cannot be seen here: {names}.")
    return tuple(found)


def _doubt(change: Change, unsure: Mapping[str, Sequence[str]]) -> Change:
    """A change of which nobody knows whether it replaces: it reads "may replace"."""
    if change.urn not in unsure or change.action != "update":
        return change
    properties = unsure[change.urn]
    changed = tuple(
        replace(each, forces=None) if each.path.partition(".")[0].partition("[")[0] in properties else each
        for each in change.changed
    )
    return replace(change, action="replace", certain=False, changed=changed)


def _settings(sides: Sides, shown: ResourceGraph, terms: Terms) -> PolicySettings:
    config = read_config(sides.head_config or sides.base_config)
    given = (each.inputs.get("tags") for each in shown.custom)
    tags: dict[str, object] = next((each for each in given if isinstance(each, dict)), {})
    plain = {key: value for key, value in tags.items() if isinstance(value, str)}
    said = config.config if config else {}
    environment, residency = find_environment(sides.name, said, plain), find_residency(sides.name, said)
    waivers = read_waivers(terms.waivers) if terms.waivers else read_waivers()
    return PolicySettings.model_validate({"environment": environment, "residency": residency, "waivers": waivers})


def _commonest(values: Iterable[str]) -> str:
    counted = Counter(values)
    return counted.most_common(1)[0][0] if counted else ""


def _fail(name: str, how: How, error: str) -> StackResult:
    return StackResult(name=name, status="failed", how=how, error=error[:4000])
