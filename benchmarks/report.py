"""Writes the report: goals, tables of every suite, where a peer is ahead, and what was measured of whom."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.corpus.memories import WORKSPACES
from benchmarks.engines.roster import EMBEDDED_STORE, OURS, Entry
from benchmarks.goals import GOALS, SERVICE_LEVELS, Goal, judge
from benchmarks.measurement import SIZES, Measurement, Outcome
from benchmarks.rounds import FEWEST

TITLES = {
    "limits": "What the machine can do",
    "retrieve": "One workspace",
    "mix": f"{WORKSPACES} workspaces",
    "filters": "Filters",
    "wide": "1,024 dimensions",
    "stores": "The service over every store",
    "ingest": "Writing",
    "startup": "Start and memory",
    "http": "Over HTTP",
}
_COLUMNS: dict[str, tuple[tuple[str, str, bool], ...]] = {
    "limits": (("p50_ms", "p50 ms", False), ("p95_ms", "p95 ms", False), ("gb_per_s", "GB/s", False)),
    "startup": (
        ("opened_s", "opened s", True),
        ("answered_s", "first answer s", True),
        ("rss_mb", "RSS MB", True),
        ("anonymous_mb", "anonymous MB", True),
    ),
    "http": (
        ("requests_per_s", "requests/s", False),
        ("p50_ms", "p50 ms", True),
        ("p95_ms", "p95 ms", True),
        ("p99_ms", "p99 ms", False),
        ("failed", "failed", False),
        ("late_p95_ms", "sent late p95 ms", False),
        ("service_cpu", "service cores", False),
        ("generator_cpu", "generator cores", False),
        ("ready_s", "ready s", False),
        ("rss_mb", "RSS MB", False),
    ),
    "loading and memory": (
        ("rows_per_s", "memories/s", True),
        ("rows_per_s_with_index", "with index/s", True),
        ("rss_mb", "RSS MB", False),
        ("server_mb", "server's RAM MB", False),
        ("file_mb", "on disk MB", True),
    ),
    "batches of 1,000": (
        ("rows_per_s", "memories/s", True),
        ("rows_per_s_with_index", "with index/s", True),
        ("rows_per_cpu_s", "memories/CPU s", True),
        ("batch_p95_ms", "batch p95 ms", False),
        ("file_mb", "file MB", True),
    ),
}
_TIMES: tuple[tuple[str, str, bool], ...] = (
    ("p50_ms", "p50 ms", True),
    ("p95_ms", "p95 ms", True),
    ("cpu_p50_ms", "CPU p50 ms", True),
    ("cpu_p95_ms", "CPU p95 ms", False),
    ("recall", "recall@10", False),
    ("own_found", "own memory found", False),
    ("n", "n", False),
)
_MORE_IS_BETTER = {"rows_per_s", "rows_per_s_with_index", "rows_per_cpu_s", "requests_per_s"}
_NEAR = 0.05
"""A ratio within this of 1 counts as equal."""


def write_report(path: Path, outcomes: Sequence[Outcome], roster: Sequence[Entry]) -> None:
    """Write the report of all outcomes as Markdown."""
    order = [*TITLES]
    known = sorted(
        (outcome for outcome in outcomes if outcome.suite in TITLES),
        key=lambda outcome: (order.index(outcome.suite), SIZES[outcome.size]),
    )
    lines = [
        "# Benchmarks",
        "",
        "<!-- Written by `python -m benchmarks report --report docs/benchmarks.md`; edit the suites instead. -->",
        "",
        "The service and its peers on the same data, with the same vectors, asked in turn in the same run.",
        "A ratio is a peer's figure as a multiple of ours: above 1 ours is quicker or smaller, below 1 the peer is.",
        "Figures depend on the machine and its load; ratios of one run can be compared, figures of two runs hardly.",
        "",
        *_write_surroundings(known),
        *_write_goals("Goals", "What this project set itself:", GOALS, known),
        *_write_goals("Service levels", "What the requirements ask for (§7.1):", SERVICE_LEVELS, known),
        *_write_ahead(known),
    ]
    for suite in order:
        found = [outcome for outcome in known if outcome.suite == suite]
        if found:
            lines += [f"## {TITLES[suite]}", ""]
            for outcome in found:
                lines += _write_outcome(outcome)
    lines += [*_write_data(known), *_write_engines(known, roster), *_write_left_out(known)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


def write_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table and an empty one; all columns but the first are flush right."""
    marks = ["---", *("---:" for _ in head[1:])]
    return [_row(head), _row(marks), *(_row(row) for row in rows), ""]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def format_figure(value: float | None) -> str:
    """A figure with three digits that count."""
    if value is None:
        return ""
    if value != value:  # noqa: PLR0124  not a number
        return "-"
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 1 else f"{value:.2g}" if abs(value) < 0.9 else f"{value:.3f}"


def _write_surroundings(outcomes: Sequence[Outcome]) -> list[str]:
    if not outcomes:
        return ["Nothing was measured yet.", ""]
    one = outcomes[0].surroundings
    versions: dict[str, str] = {}
    for outcome in outcomes:
        for packages in outcome.versions.values():
            versions.update(packages)
    stated = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    machine = (
        f"{one.get('cores')} cores, {one.get('memory_gb')} GB of memory, {one.get('system')} on "
        f"{one.get('architecture')}, Python {one.get('python')}. {stated}."
    )
    return [
        machine,
        "",
        *write_table(
            ("run", "UTC", "seconds", "load before", "load after"),
            (
                (
                    f"{outcome.suite} {outcome.size}",
                    outcome.started,
                    format_figure(outcome.seconds),
                    str(outcome.surroundings.get("load_before", "")),
                    str(outcome.surroundings.get("load_after", "")),
                )
                for outcome in outcomes
            ),
        ),
    ]


def _write_goals(title: str, lead: str, goals: Sequence[Goal], outcomes: Sequence[Outcome]) -> list[str]:
    words = {True: "met", False: "**missed**", None: "not measured"}
    verdicts = [judge(goal, outcomes) for goal in goals]
    rows = (
        (verdict.goal.title, verdict.goal.wanted, _with_unit(verdict.measured, verdict.goal), words[verdict.met])
        for verdict in verdicts
    )
    return [f"## {title}", "", lead, "", *write_table(("what", "goal", "measured", ""), rows)]


def _with_unit(measured: float | None, goal: Goal) -> str:
    return "" if measured is None else f"{format_figure(measured)}{goal.unit}"


def _write_ahead(outcomes: Sequence[Outcome]) -> list[str]:
    """Every case and figure in which a peer beats ours, so that none is overlooked in a table."""
    found = []
    for outcome in outcomes:
        for one in outcome.measurements if outcome.suite != "stores" else ():
            own = outcome.find(one.case, OURS)
            if own is None or one.engine == OURS:
                continue
            for key, title, compared in _columns(outcome, one.case):
                ratio = _ratio(one, own, key) if compared else None
                if ratio is not None and ratio < 1 - _NEAR:
                    where = f"{TITLES[outcome.suite]}, {outcome.size}: {one.case}"
                    found.append((where, one.engine, title, f"{format_figure(ratio)}x", _aside(one)))
    lead = "Every figure in which a peer is ahead of ours by more than 5 %:"
    if not found:
        return ["## Where a peer is ahead", "", "Nowhere in these runs by more than 5 %.", ""]
    return ["## Where a peer is ahead", "", lead, "", *write_table(("case", "peer", "figure", "ratio", ""), found)]


def _own(outcome: Outcome) -> str:
    """What the others of a suite are compared with."""
    return EMBEDDED_STORE if outcome.suite == "stores" else OURS


def _aside(one: Measurement) -> str:
    recall = one.values.get("recall")
    parts = [] if recall is None else [f"recall@10 {format_figure(recall)}"]
    return ", ".join([*parts, *([one.note] if one.note else [])])


def _columns(outcome: Outcome, case: str) -> tuple[tuple[str, str, bool], ...]:
    return _COLUMNS.get(case) or _COLUMNS.get(outcome.suite) or _TIMES


def _ratio(one: Measurement, own: Measurement, key: str) -> float | None:
    """How many times better ours is; None where it cannot be said."""
    theirs, ours = one.values.get(key), own.values.get(key)
    if theirs is None or not ours or not theirs:
        return None
    if "p95" in key and min(one.values.get("n", FEWEST), own.values.get("n", FEWEST)) < FEWEST:
        return None
    return ours / theirs if key in _MORE_IS_BETTER else theirs / ours


def _write_outcome(outcome: Outcome) -> list[str]:
    lines: list[str] = []
    cases = list(dict.fromkeys(one.case for one in outcome.measurements))
    groups: dict[tuple[tuple[str, str, bool], ...], list[str]] = {}
    for case in cases:
        groups.setdefault(_columns(outcome, case), []).append(case)
    for columns, named in groups.items():
        chosen = [one for one in outcome.measurements if one.case in named]
        present = [column for column in columns if any(column[0] in one.values for one in chosen)]
        head = ["case", "engine"]
        for _, title, compared in present:
            head += [title, "ratio"] if compared else [title]
        rows = []
        for one in sorted(chosen, key=lambda each: named.index(each.case)):
            own = outcome.find(one.case, _own(outcome))
            cells = [one.case, f"**{one.engine}**" if one.engine == _own(outcome) else one.engine]
            for key, _, compared in present:
                few = "p95" in key and one.values.get("n", FEWEST) < FEWEST
                cells.append("" if few else format_figure(one.values.get(key)))
                if compared:
                    ratio = None if own is None or one.engine == _own(outcome) else _ratio(one, own, key)
                    cells.append("" if ratio is None else f"{format_figure(ratio)}x")
            rows.append([*cells, one.note])
        lines += [f"### {TITLES[outcome.suite]}, {SIZES[outcome.size]:,} memories", ""] if not lines else []
        lines += write_table([*head, ""], rows)
    resident = outcome.facts.get("resident_mb")
    if resident:
        told = ", ".join(f"{name} {format_figure(value)} MB" for name, value in resident.items())
        lines += [f"Resident memory of the processes after these questions: {told}.", ""]
    loaded = outcome.facts.get("loaded")
    if loaded:
        told = ", ".join(f"{name} {moment}" for name, moment in loaded.items())
        lines += [
            f"Loaded in turn, ended at (UTC): {told}. Figures of stores kept from an earlier run compare less.",
            "",
        ]
    return lines


def _write_data(outcomes: Sequence[Outcome]) -> list[str]:
    rows = []
    for outcome in outcomes:
        data = outcome.facts.get("data")
        if data:
            rows.append(
                (
                    f"{outcome.suite} {outcome.size}",
                    format_figure(data["embedded"]),
                    format_figure(data["first_cosine"]),
                    format_figure(data["tenth_cosine"]),
                    format_figure(data["random_cosine"]),
                )
            )
    return [
        "## Data",
        "",
        "Memories are generated: English and Chinese statements about made-up people and projects, 40 to 200",
        "characters, all distinct, words by Zipf's law, topics clustered by workspace; questions ask about some of",
        "them, a tenth in the other language. Vectors are those of the local embedder (512 dimensions). Where fewer",
        "are embedded than there are memories, the others are real vectors of the same topic plus the difference of",
        "two others, as far from their origin as a real vector is from its nearest neighbour. Vectors of 1,024",
        "dimensions are synthetic: clusters, a power-law spectrum, a common offset. The cosines below are medians",
        "between questions and their nearest, tenth nearest and any memory; they tell how alike the sets are.",
        "",
        *write_table(("run", "really embedded", "nearest", "tenth", "any"), rows),
        'Recall@10 is against exact cosines by numpy; equal cosines count as equal. "Own memory found" is the share',
        "of questions whose own memory is among the ten; many questions have more than ten good answers.",
        "",
    ]


def _write_engines(outcomes: Sequence[Outcome], roster: Sequence[Entry]) -> list[str]:
    named = {one.engine for outcome in outcomes for one in outcome.measurements}
    lines = ["## What is measured of whom", ""]
    lines += [f"- **{entry.name}**: {entry.measured}." for entry in roster if entry.name in named]
    return [
        *lines,
        "",
        "Each engine runs in an environment and a process of its own. Times are taken around its calls, CPU time is",
        "that of its whole process. Engines answer blocks of 20 questions in turn, after 40 that do not count; every",
        "search returns ten texts. An engine that spends its budget of time answers fewer questions (n); one that",
        "cannot load everything in time is measured with what it holds, which its row says. Of fewer than 20 questions",
        "no 95th percentile is shown.",
        "",
    ]


def _write_left_out(outcomes: Sequence[Outcome]) -> list[str]:
    rows = []
    for outcome in outcomes:
        for gone in outcome.left_out:
            rows.append((f"{outcome.suite} {outcome.size}", gone["engine"], gone["case"], gone["reason"]))
    if not rows:
        return ["## Left out", "", "Nothing.", ""]
    return ["## Left out", "", *write_table(("run", "engine", "case", "reason"), rows)]
