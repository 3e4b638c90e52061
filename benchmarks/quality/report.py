"""Writes docs/quality.md from the kept figures."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.measurement import Measurement, Outcome
from benchmarks.quality.evaluation import ALL
from benchmarks.quality.systems import SERVICE
from benchmarks.report import write_table

_MAIN = (
    ("recall_1", "R@1"),
    ("recall_5", "R@5"),
    ("recall_10", "R@10"),
    ("recall_20", "R@20"),
    ("all_10", "all in 10"),
    ("mrr", "MRR"),
    ("ndcg_10", "nDCG@10"),
    ("recall_per_1k", "R@10 per 1,000 tokens"),
)
_BY_KIND = (
    SERVICE,
    "service without dates",
    "service with two hops",
    "vector leg",
    "keyword leg",
    "plain BM25",
    "reciprocal ranks",
    "windows of three",
)
_METHOD = Path(__file__).parent / "data" / "method.md"
_TITLES = {
    "tuned": "Made-up persons, the seed that weights were chosen on",
    "held": "Made-up persons, a seed that nothing was chosen on",
}


def write_quality(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Write the page; figures of a seed that nothing was chosen on come first."""
    order = ["held", "tuned"]
    known = sorted(outcomes, key=lambda one: order.index(one.size) if one.size in order else len(order))
    lines = [
        "# Quality of retrieval",
        "",
        "<!-- Written by `python -m benchmarks quality --report docs/quality.md`; edit benchmarks/quality instead. -->",
        "",
        _METHOD.read_text(encoding="utf-8").strip(),
        "",
    ]
    for outcome in known:
        lines += _write_outcome(outcome)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


def _write_outcome(outcome: Outcome) -> list[str]:
    facts = outcome.facts
    size = (
        f"{facts['collections']:,} conversations or persons, {facts['memories']:,} memories,"
        f" {facts['questions']:,} questions"
    )
    seed = f", seed {facts['seed']}" if "seed" in facts else ""
    lines = [
        f"## {_TITLES.get(outcome.size, outcome.size)}",
        "",
        f"{size}{seed}; {facts['unknown']:,} questions have no answer.",
        f"Measured {outcome.started} UTC in {outcome.seconds:,.0f} s, vectors of {facts['embedder']}.",
        "",
    ]
    whole = [one for one in outcome.measurements if one.case == ALL]
    rows = [(_name(one.engine), *(_show(one, key) for key, _ in _MAIN)) for one in whole]
    lines += write_table(("system", *(title for _, title in _MAIN)), rows)
    lines += ["In brackets the 95 % interval of R@5:", ""]
    lines += write_table(
        ("system", "R@5", "service ahead in R@5", "service ahead in MRR"),
        [(_name(one.engine), _span(one, "recall_5"), *_ahead(outcome, one.engine)) for one in whole],
    )
    lines += _write_kinds(outcome)
    lines += _write_safety(outcome, whole)
    return lines


def _write_kinds(outcome: Outcome) -> list[str]:
    cases = [case for case in dict.fromkeys(one.case for one in outcome.measurements) if case != ALL]
    rows = []
    for case in cases:
        cells = [outcome.find(case, system) for system in _BY_KIND]
        first = next(one for one in cells if one is not None)
        rows.append((case, f"{first.rows:,}", *("" if one is None else _show(one, "recall_5") for one in cells)))
    return [
        "### R@5 by kind of question and by language",
        "",
        *write_table(("kind", "questions", *map(_name, _BY_KIND)), rows),
    ]


def _write_safety(outcome: Outcome, whole: Sequence[Measurement]) -> list[str]:
    facts = outcome.facts
    rows = [
        (
            _name(one.engine),
            _show(one, "stale"),
            _show(one, "poisoned"),
            f"{facts['auroc'][one.engine]['first_score']:.3f}",
            f"{facts['auroc'][one.engine]['margin']:.3f}",
        )
        for one in whole
    ]
    lines = [
        "### What should not be found",
        "",
        f"Hits of another workspace or tenant: {facts['foreign_hits']:,.0f}.",
        f"Hits of deleted memories: {facts['deleted_hits']:,}.",
        "",
        *write_table(
            ("system", "old before new", "poison before answer", "AUROC of the score", "AUROC of the margin"), rows
        ),
    ]
    repeats = facts.get("repeats")
    if repeats:
        lines += [
            f"Of {repeats['twins']:,} notes that came again with other letters, blanks or a full stop,",
            f"{repeats['recall']:.0%} were known again (recall); of what was taken for a repetition",
            f"{repeats['precision']:.0%} was one (precision).",
            "",
        ]
    return lines


def _name(system: str) -> str:
    return f"**{system}**" if system == SERVICE else system


def _show(one: Measurement, key: str) -> str:
    value = one.values.get(key)
    return "" if value is None else f"{value:.3f}"


def _span(one: Measurement, key: str) -> str:
    return f"{one.values[key]:.3f} [{one.values[f'{key}_low']:.3f}, {one.values[f'{key}_high']:.3f}]"


def _ahead(outcome: Outcome, system: str) -> tuple[str, str]:
    found = outcome.facts["ahead"].get(system)
    if found is None:
        return "", ""
    shown = [f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]" for mean, low, high in (found["recall_5"], found["mrr"])]
    return shown[0], shown[1]
