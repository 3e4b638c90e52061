"""A whole preview: both sides opened, every stack run, one result."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from infra.preview.assembly import Terms, assemble_run
from infra.preview.checkouts import Checkout, check_out
from infra.preview.guardrails import Guardrails, find_guardrails, judge
from infra.preview.plans import PLACEHOLDERS
from infra.preview.projects import read_project
from infra.preview.result import How, PreviewResult, StackResult
from infra.preview.runs import LIMIT_S, Say, StackRun, run_live, run_offline, say_nothing
from infra.tagging import PROJECT
from sizing.catalogue import catalogue

DEFAULTS = Terms()
WAIVERS = Path("policies/waivers.csv")
"""Where a repository keeps the waivers of policies."""
CARRIED = ("dist",)
"""What the product's own stacks need besides the repository: the wheel that a host gets."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is to be previewed: a project's folder, base and head as refs (`head` empty is the working tree).

    `stacks` empty are all. `placeholders` are keys of the configuration that no file has, `carried` paths that git does
    not keep and the program needs, which a checkout gets from the working tree. `guardrails` is a file over the one of
    the base.
    """

    project: Path
    base: str = "origin/main"
    head: str = ""
    stacks: Sequence[str] = ()
    placeholders: Sequence[str] = ()
    carried: Sequence[str] = ()
    guardrails: Path | None = None
    jobs: int = 0
    limit_s: float = LIMIT_S
    terms: Terms = DEFAULTS


def preview_change(request: Request, say: Say = say_nothing) -> PreviewResult:
    """Preview offline what changes from base to head. Raises the errors of `infra.preview.errors`."""
    carried = (*request.carried, *(CARRIED if _read_name(request.project) == PROJECT else ()))
    with check_out(request.project, request.base, request.head, carried=carried) as sides:
        name = _read_name(sides.head.project) or _read_name(sides.base.project)
        wanted = (*request.placeholders, *(PLACEHOLDERS if name == PROJECT else ()))
        guardrails = find_guardrails(request.guardrails, sides.base.project)
        with run_offline(
            sides, request.stacks, secrets=wanted, jobs=request.jobs, limit_s=request.limit_s, say=say
        ) as runs:
            stacks = _assemble(runs, name, "offline", find_terms(request.terms, sides.base.project), say)
        return put_together(_call(sides.base), _call(sides.head), stacks, guardrails)


def preview_live(request: Request, say: Say = say_nothing) -> PreviewResult:
    """Preview the working tree on the live state, with this environment's credentials. Raises as `preview_change`."""
    folder = request.project.resolve()
    head = Checkout(root=folder, project=folder, name="working tree", commit="")
    guardrails = find_guardrails(request.guardrails, folder)
    with run_live(head, request.stacks, jobs=request.jobs, limit_s=request.limit_s, say=say) as runs:
        stacks = _assemble(runs, _read_name(folder), "live", find_terms(request.terms, folder), say)
    return put_together("what is deployed", head.name, stacks, guardrails)


def find_terms(given: Terms, folder: Path) -> Terms:
    """The terms with a folder's waivers, unless others are named: of the base, so that no change waives itself."""
    here = folder / WAIVERS
    return replace(given, waivers=here) if given.waivers is None and here.is_file() else given


def put_together(base: str, head: str, stacks: Sequence[StackResult], guardrails: Guardrails) -> PreviewResult:
    """One result of several stacks, with what it breaks."""
    dates = sorted(price.as_of for price in catalogue().prices.values() if price.usd is not None and price.as_of)
    result = PreviewResult(
        tool_version=version("reme-cloud"),
        base=base,
        head=head,
        stacks=tuple(stacks),
        prices_from=dates[0],
        prices_until=dates[-1],
    )
    return result.model_copy(update={"findings": judge(result, guardrails)})


def _assemble(runs: Sequence[StackRun], project: str, how: How, terms: Terms, say: Say) -> list[StackResult]:
    found = []
    for run in runs:
        say(run.name, "pricing and judging")
        found.append(assemble_run(run, project, how, terms))
    return found


def _read_name(folder: Path) -> str:
    found = read_project(folder, folder) if folder.is_dir() else None
    return found.name if found is not None else ""


def _call(side: Checkout) -> str:
    return f"{side.name} ({side.commit[:10]})" if side.commit and not side.commit.startswith(side.name) else side.name
