"""The `quality` suite of `python -m benchmarks`: measures, keeps the figures as JSON and writes the page."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from app.backends.embedders.hashing import HashingEmbedder
from app.backends.embedders.local import LocalEmbedder
from app.ports import Embedder
from benchmarks.corpus.preparation import Say
from benchmarks.errors import BenchmarkError
from benchmarks.measurement import RESULTS, Outcome, describe_surroundings, load_outcome, stamp
from benchmarks.quality.conversations import READERS
from benchmarks.quality.embeddings import KeptEmbedder
from benchmarks.quality.evaluation import evaluate, summarise
from benchmarks.quality.made import make_persons
from benchmarks.quality.question_sets import QuestionSet
from benchmarks.quality.report import write_quality

SUITE = "quality"
SEEDS = {"tuned": 1, "held": 2}
"""Weights were chosen on the first seed; nothing was chosen on the second."""
PERSONS = 24
SETS = ("made", *READERS)
EMBEDDERS: Mapping[str, Callable[[], Embedder]] = {"local": LocalEmbedder, "hashing": HashingEmbedder}


def measure_quality(
    name: str,
    *,
    environments: Path,
    say: Say,
    data: Path | None = None,
    persons: int = PERSONS,
    embedder: str = "local",
) -> list[Path]:
    """Measure a question set and return the files of its figures, one for each seed of the made-up persons.

    `data` is the file of a public set. Raises `BenchmarkError` where it is missing or not as published.
    """
    if name not in SETS:
        raise BenchmarkError(f"there is no question set {name!r}: use one of {', '.join(SETS)}")
    sets: dict[str, QuestionSet]
    if name == "made":
        sets = {size: make_persons(seed, persons) for size, seed in SEEDS.items()}
    elif data is None:
        raise BenchmarkError(f"{name} is not in the repository: give the path of its file with --data")
    else:
        sets = {name: READERS[name](data)}
    return [_measure(size, one, environments, EMBEDDERS[embedder](), say) for size, one in sets.items()]


def _measure(size: str, questions: QuestionSet, environments: Path, embedder: Embedder, say: Say) -> Path:
    started, clock, surroundings = stamp(), time.monotonic(), describe_surroundings()
    collections, memories, count = questions.count()
    if not count:
        raise BenchmarkError(f"{questions.name} has no question with evidence: nothing can be measured")
    say(f"{size}: {collections:,} collections, {memories:,} memories, {count:,} questions")
    kept = KeptEmbedder(embedder, environments / "bench-data" / "quality" / "embeddings.db")
    try:
        figures, library = evaluate(questions, kept, say)
    finally:
        kept.close()
    outcome = Outcome(suite=SUITE, size=size, started=started, surroundings=surroundings)
    summarise(figures, library, outcome, list(figures.values))
    outcome.facts |= {
        **questions.facts,
        "collections": collections,
        "memories": memories,
        "questions": count,
        "embedder": embedder.identity.model,
    }
    outcome.seconds = round(time.monotonic() - clock, 1)
    return outcome.save()


def write_page(path: Path, folder: Path = RESULTS) -> None:
    """Write the page of all figures that are kept."""
    write_quality(path, [load_outcome(one) for one in sorted(folder.glob(f"{SUITE}-*.json"))])
