"""Compares a workspace in two stores: counts, checksums of all rows, and what sampled queries find."""

from collections.abc import Iterator, Sequence
from heapq import nsmallest
from statistics import fmean
from typing import TypeAlias

from app.domain.copying import CopiedMemory, fingerprint
from app.domain.embedding import Vector
from app.domain.memory import Scope, embedded_text
from app.domain.query import Candidate, MemoryFilter
from app.service.migration.places import Place
from app.service.ranking import fuse

SAMPLES = 8
TOP = 10
LEAST_OVERLAP = 0.9
"""Of the best ten of an approximate search, on the average of the samples."""
NAMED = 10
"""Rows that differ are named up to this many."""

_BATCH = 500
_LEG = 50
_ROUNDING = 1e-3
"""Cosines differ by this much between half precision, which SQLite keeps, and single precision."""
_WORDS = 12
_ALL = MemoryFilter()

Found: TypeAlias = list[tuple[str, float]]
"""Ids of memories and their scores, best first."""


class Comparison:
    """Compares one workspace in two steps, so that the source is closed for the second alone.

    `prepare` reads all rows of both while they are written to; `finish` reads those again that differed or that
    changed since. Rows are told apart by `seq`: one that has none that is new was not written since.
    """

    def __init__(self, source: Place, target: Place, scope: Scope) -> None:
        self._source, self._target, self._scope = source, target, scope
        self._data_key_id = ""
        self._suspects: set[str] = set()
        self._samples: list[str] = []
        self._reached = {source.name: 0, target.name: 0}

    def prepare(self) -> None:
        """Read all rows of both, and remember which differ now, and some to search for."""
        workspace = self._source.find_workspace(self._scope)
        if workspace is None:
            return
        self._data_key_id = workspace.data_key_id
        here: dict[str, int] = {}
        lowest: list[tuple[int, str]] = []
        for each in self._read(self._source, after=0):
            here[each.memory.id] = number = fingerprint(each)
            if _stands(each):
                lowest = nsmallest(SAMPLES, [*lowest, (number, each.memory.id)])
        self._samples = [memory_id for _, memory_id in lowest]
        for each in self._read(self._target, after=0):
            if here.get(each.memory.id) == fingerprint(each):
                del here[each.memory.id]
            else:
                self._suspects.add(each.memory.id)
        self._suspects |= here.keys()
        for _, vector, text in self._read_samples():  # what searches keep in RAM is read now, not in `finish`
            for place in (self._source, self._target):
                _search(place, self._scope, vector, text)

    def finish(self, *, searches: bool = True) -> list[str]:
        """What differs, in a sentence each; nothing where the target has the workspace as the source has it."""
        here, there = (place.find_workspace(self._scope) for place in (self._source, self._target))
        name = _name(self._scope)
        if here != there:
            return [f"{name} is another one in {self._target.name}"]
        if here is None:
            return []
        if here.data_key_id != self._data_key_id:  # it was made anew since
            self._suspects, self._reached = set(), {self._source.name: 0, self._target.name: 0}
        findings = []
        counts = [place.storage.memories.contents(self._scope) for place in (self._source, self._target)]
        if counts[0] != counts[1]:
            findings.append(f"{name} has other counts in {self._target.name}")
        findings += self._name_rows()
        return findings + (self._compare_searches() if searches else [])

    def _read(self, place: Place, *, after: int) -> Iterator[CopiedMemory]:
        for batch in place.storage.copying.read_memories(self._scope, after=after):
            self._reached[place.name] = batch.seq
            yield from batch.memories

    def _name_rows(self) -> list[str]:
        """Which rows differ."""
        for place in (self._source, self._target):
            self._suspects |= {each.memory.id for each in self._read(place, after=self._reached[place.name])}
        suspects, findings = sorted(self._suspects), []
        for start in range(0, len(suspects), _BATCH):
            part = suspects[start : start + _BATCH]
            here, there = (
                {each.memory.id: fingerprint(each) for each in place.storage.copying.find_memories(self._scope, part)}
                for place in (self._source, self._target)
            )
            for memory_id in part:
                if here.get(memory_id) != there.get(memory_id):
                    what = f"differs in {self._target.name}"
                    if memory_id not in there:
                        what = f"is missing in {self._target.name}"
                    elif memory_id not in here:
                        what = f"is only in {self._target.name}"
                    findings.append(f"memory {memory_id} of {_name(self._scope)} {what}")
        if len(findings) > NAMED:
            findings[NAMED:] = [f"{len(findings) - NAMED:,} more memories of {_name(self._scope)} differ"]
        return findings

    def _read_samples(self) -> Iterator[tuple[str, Vector, str]]:
        """Ids, vectors and first words of memories that are searched for."""
        for each in self._source.storage.copying.find_memories(self._scope, self._samples):
            if each.vector is not None and _stands(each):
                text = embedded_text(each.memory.when_to_use, each.memory.content)
                yield each.memory.id, each.vector, " ".join(text.split()[:_WORDS])

    def _compare_searches(self) -> list[str]:
        """How searches by the vectors and words of some memories differ."""
        findings: list[str] = []
        overlaps: dict[str, list[float]] = {"vector": [], "keyword": [], "hybrid": []}
        for memory_id, vector, text in self._read_samples():
            here, there = (_search(place, self._scope, vector, text) for place in (self._source, self._target))
            if _overlap(here["exact"], there["exact"]) < 1:
                findings.append(
                    f"an exact search by the vector of memory {memory_id} finds others in {self._target.name}"
                )
            overlaps["keyword"].append(_overlap(here["keyword"], there["keyword"]))
            # the target may be nearer to the truth than the source
            for kind, truth in (("vector", "exact"), ("hybrid", "exact hybrid")):
                overlaps[kind].append(max(_overlap(here[kind], there[kind]), _overlap(here[truth], there[kind])))
        return findings + [
            f"{kind} searches in {_name(self._scope)} find {mean:.0%} of the same in {self._target.name}: "
            f"{LEAST_OVERLAP:.0%} are due"
            for kind, shares in overlaps.items()
            if shares and (mean := fmean(shares)) < LEAST_OVERLAP
        ]


def _stands(copied: CopiedMemory) -> bool:
    """Whether a search may find a row by its vector."""
    return copied.vector is not None and copied.memory.deleted_ms is None and not copied.memory.superseded


def _name(scope: Scope) -> str:
    return f"workspace {scope.workspace_id} of tenant {scope.tenant_id}"


def _search(place: Place, scope: Scope, vector: Vector, text: str) -> dict[str, Found]:
    """What is found by a vector, exactly and in the usual way, by words, and by both."""
    index = place.storage.index
    exact = index.nearest(scope, vector, _ALL, limit=_LEG, exact=True)
    near = index.nearest(scope, vector, _ALL, limit=_LEG)
    words = index.matching(scope, text, _ALL, limit=_LEG)
    found = {
        "exact": exact,
        "vector": near,
        "keyword": words,
        "hybrid": _join(near, words),
        "exact hybrid": _join(exact, words),
    }
    return {kind: _fetch(place, scope, candidates[:TOP]) for kind, candidates in found.items()}


def _join(near: Sequence[Candidate], words: Sequence[Candidate]) -> list[Candidate]:
    return [Candidate(number=one.number, score=one.score) for one in fuse(near, words, full=len(near) == _LEG)]


def _fetch(place: Place, scope: Scope, found: Sequence[Candidate]) -> Found:
    memories = place.storage.index.fetch(scope, [one.number for one in found])
    return [(memories[one.number].id, one.score) for one in found if one.number in memories]


def _overlap(here: Found, there: Found) -> float:
    """The share of the one result that is in the other, the smaller of the two.

    What is as good as the last of ten, but for rounding, may be left out for another that is as good.
    """
    if not here or not there:
        return float(here == there)
    return min(_share(here, there), _share(there, here))


def _share(found: Found, other: Found) -> float:
    ids = {memory_id for memory_id, _ in other}
    least = found[-1][1] + _ROUNDING * max(1.0, abs(found[-1][1])) if len(found) == TOP else float("-inf")
    return sum(memory_id in ids or score <= least for memory_id, score in found) / len(found)
