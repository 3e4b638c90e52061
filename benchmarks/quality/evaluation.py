"""Runs a question set through all systems and gathers the figures."""

import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from app.domain.memory import Scope
from app.domain.query import MemoryFilter
from app.service.retrieval import Retrieval
from benchmarks.corpus.preparation import Say
from benchmarks.measurement import Measurement, Outcome
from benchmarks.quality.embeddings import KeptEmbedder
from benchmarks.quality.library import Library, build_library, scope_of
from benchmarks.quality.metrics import Interval, bootstrap, judge, measure_auroc
from benchmarks.quality.question_sets import Question, QuestionSet
from benchmarks.quality.systems import SERVICE, Shelf, run_systems

ALL = "all"
"""The case of every question with evidence."""
COMPARED = ("recall_5", "recall_10", "mrr", "ndcg_10")


@dataclass(kw_only=True)
class Figures:
    """Each system's figures of each question, in the order of the questions."""

    questions: list[tuple[str, Question]] = field(default_factory=list)
    values: dict[str, list[Mapping[str, float]]] = field(default_factory=lambda: defaultdict(list))
    deleted_hits: int = 0

    def gather(self, system: str, key: str, kind: str) -> dict[str, list[float]]:
        """A figure's values by collection, of all questions of a kind or a language, or of all."""
        found: dict[str, list[float]] = defaultdict(list)
        for (name, question), values in zip(self.questions, self.values[system], strict=True):
            if key in values and kind in (ALL, question.kind, f"in {question.language}"):
                found[name].append(values[key])
        return found

    def differ(self, system: str, key: str) -> Interval:
        """How much the service is ahead of a system, question by question."""
        found: dict[str, list[float]] = defaultdict(list)
        for (name, _), own, other in zip(self.questions, self.values[SERVICE], self.values[system], strict=True):
            if key in own:
                found[name].append(own[key] - other[key])
        return bootstrap(found)

    def auroc(self, system: str, key: str) -> float:
        """Of questions with evidence against those without; of made-up persons only those that ask for one fact."""
        single = any(question.kind.startswith("single-hop") for _, question in self.questions)
        known: list[float] = []
        unknown: list[float] = []
        for (_, question), values in zip(self.questions, self.values[system], strict=True):
            if not question.evidence and question.kind != "deletion":
                unknown.append(values[key])
            elif question.evidence and (not single or question.kind.startswith("single-hop")):
                known.append(values[key])
        return measure_auroc(known, unknown)


def evaluate(questions: QuestionSet, embedder: KeptEmbedder, say: Say) -> tuple[Figures, Library]:
    """Ask every question of every system; the library is closed already and tells only what it knew again."""
    figures = Figures()
    with tempfile.TemporaryDirectory() as folder:
        library = build_library(questions, Path(folder), embedder)
        retrieval = Retrieval(
            index=library.store.index, embedder=embedder, clock=library.clock, meter=library.store.meter, parallel=False
        )
        try:
            for number, collection in enumerate(questions.collections):
                scope = scope_of(number, collection)
                if collection.asked_ms is not None:
                    library.clock.set(collection.asked_ms)
                shelf = _fill_shelf(library, scope)
                deleted = {item.key for item in collection.items if item.deleted}
                for question in collection.questions:
                    figures.questions.append((collection.name, question))
                    for system, found in run_systems(library, retrieval, shelf, scope, question).items():
                        figures.values[system].append(judge(question, found, scope))
                        if system.startswith(SERVICE):
                            keys = {str(one.memory.metadata.get("evidence")) for one in found}
                            figures.deleted_hits += len(keys & deleted)
                say(f"{questions.name}: {collection.name}, {len(collection.questions)} questions")
        finally:
            retrieval.close()
            library.close()
    return figures, library


def _fill_shelf(library: Library, scope: Scope) -> Shelf:
    """All memories of a workspace, superseded ones too, by their numbers."""
    vector = np.zeros(library.embedder.identity.dimensions, np.float32)
    vector[0] = 1.0
    index, many = library.store.index, 1_000_000
    numbers = {one.number for one in index.nearest(scope, vector, MemoryFilter(), limit=many, exact=True)}
    # Superseded memories are seen as of every moment at which one was written.
    page = library.store.memories.scan(scope, MemoryFilter(), limit=many, superseded=True)
    for moment in sorted({memory.valid_from_ms for memory in page.items if memory.superseded}):
        held = index.nearest(scope, vector, MemoryFilter(), limit=many, as_of_ms=moment, exact=True)
        numbers |= {one.number for one in held}
    shelf = Shelf(memories=library.read(scope, sorted(numbers)))
    shelf.prepare(library, scope)
    return shelf


def summarise(figures: Figures, library: Library, outcome: Outcome, systems: Sequence[str]) -> None:
    """Write the figures into an outcome: a case is a kind of question, an engine a system."""
    kinds = list(dict.fromkeys(question.kind for _, question in figures.questions if question.evidence))
    languages = list(dict.fromkeys(f"in {question.language}" for _, question in figures.questions))
    for system in systems:
        for case in (ALL, *kinds, *languages):
            values: dict[str, float] = {}
            keys = dict.fromkeys(key for each in figures.values[system] for key in each)
            for key in keys:
                found = figures.gather(system, key, case)
                if not found:
                    continue
                interval = bootstrap(found)
                values[key] = round(interval.mean, 4)
                if case == ALL or key == "recall_5":
                    values[f"{key}_low"], values[f"{key}_high"] = round(interval.low, 4), round(interval.high, 4)
            if values.get("tokens"):
                values["recall_per_1k"] = round(values["recall_10"] / values["tokens"] * 1000, 3)
            rows = sum(map(len, figures.gather(system, "recall_5", case).values()))
            if rows:
                outcome.measurements.append(Measurement(case=case, engine=system, rows=rows, values=values))
    outcome.facts["auroc"] = {
        system: {key: round(figures.auroc(system, key), 4) for key in ("first_score", "margin")} for system in systems
    }
    ahead = {system: {key: figures.differ(system, key) for key in COMPARED} for system in systems if system != SERVICE}
    outcome.facts["ahead"] = {
        system: {key: [round(each.mean, 4), round(each.low, 4), round(each.high, 4)] for key, each in found.items()}
        for system, found in ahead.items()
    }
    outcome.facts["foreign_hits"] = sum(values["foreign"] for each in figures.values.values() for values in each)
    outcome.facts["deleted_hits"] = figures.deleted_hits
    outcome.facts["unknown"] = sum(not question.evidence for _, question in figures.questions)
    if library.repeated:
        known = sum(known for _, known in library.repeated)
        right = sum(twin and known for twin, known in library.repeated)
        twins = sum(twin for twin, _ in library.repeated)
        outcome.facts["repeats"] = {
            "twins": twins,
            "precision": round(right / known, 4) if known else float("nan"),
            "recall": round(right / twins, 4) if twins else float("nan"),
        }
