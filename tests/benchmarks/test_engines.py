"""Adapters: each imports without its peer, each peer is pinned, and ours finds what a condition lets through."""

import re
from importlib import import_module
from pathlib import Path

import pytest

from benchmarks.corpus.datasets import Dataset
from benchmarks.corpus.memories import Generated
from benchmarks.corpus.truth import Truth
from benchmarks.engines.contract import EVERYONE, HYBRID, VECTOR, Query, Where
from benchmarks.engines.ours import Ours
from benchmarks.engines.roster import OURS, ROSTER, Entry, find_entries, find_python
from benchmarks.engines.vec0 import grams
from benchmarks.environments import PEERS
from benchmarks.errors import BenchmarkError


@pytest.mark.parametrize("entry", ROSTER, ids=lambda entry: entry.name)
def test_an_adapter_needs_its_peer_only_when_opened(entry: Entry) -> None:
    made = getattr(import_module(f"benchmarks.engines.{entry.module}"), entry.class_name)()
    assert made.packages
    assert VECTOR in made.legs
    assert set(made.fields) <= {"kind", "author", "tag", "channel", "created"}
    assert callable(made.search)


@pytest.mark.parametrize("entry", [entry for entry in ROSTER if entry.requirements], ids=lambda entry: entry.name)
def test_a_peer_is_pinned_with_hashes(entry: Entry) -> None:
    pins = (PEERS / f"{entry.requirements}.txt").read_text(encoding="utf-8")
    wanted = (PEERS / f"{entry.requirements}.in").read_text(encoding="utf-8").splitlines()
    blocks = re.split(r"^(?=[A-Za-z0-9_.-]+(?:\[[a-z,]+\])?==)", pins, flags=re.MULTILINE)[1:]
    assert blocks
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in pins
    named = {re.split(r"[\[=]", block)[0].lower() for block in blocks}
    assert {re.split(r"[\[=]", line)[0].lower() for line in wanted} <= named


def test_names_choose_engines() -> None:
    assert [entry.name for entry in find_entries("")] == [entry.name for entry in ROSTER]
    assert [entry.name for entry in find_entries("chroma")] == [OURS, "chroma"]
    with pytest.raises(BenchmarkError, match="no engine nobody: choose of"):
        find_entries("chroma, nobody")
    assert find_python(ROSTER[1], Path("environments")) == Path("environments/bench-chroma/bin/python")


def test_trigrams_of_both_languages() -> None:
    assert grams("Who is it? 张伟喜欢喝咖啡") == ["Who", "张伟喜", "伟喜欢", "喜欢喝", "欢喝咖", "喝咖啡"]
    assert grams("a b 咖啡") == []


WHERES = (
    Where(field="kind", value="tool"),
    Where(field="author", value="reviewer"),
    Where(field="tag", value="shared"),
    Where(field="channel", value="phone"),
)


COMPARED = 180
"""Few enough that the store compares every vector, so that the answers must be exact but for 16-bit rounding."""


def test_ours_answers_exactly_at_this_size(dataset: Dataset, generated: list[Generated], tmp_path: Path) -> None:
    truth, engine = Truth(dataset), Ours()
    engine.open(tmp_path, dataset.corpus.dimensions)
    try:
        rows, vectors = generated[:COMPARED], dataset.corpus.matrix(0, COMPARED)
        for start in range(0, COMPARED, 60):
            engine.add(rows[start : start + 60], vectors[start : start + 60], EVERYONE)
        items = list(range(10))
        for where in (None, *WHERES, truth.span(0.1)):
            asked = [
                Query(
                    text=dataset.questions.texts[item],
                    vector=dataset.questions.vectors[item],
                    workspace=EVERYONE,
                    where=where,
                    limit=10,
                )
                for item in items
            ]
            found = [engine.search(VECTOR, query) for query in asked]
            expected = truth.expect(items, where, mixed=False, rows=COMPARED, limit=10)
            assert truth.recall(items, found, expected, where, mixed=False, rows=COMPARED) > 0.98
            allowed = truth.select(where, COMPARED)
            assert all(allowed[number] for query in asked for number in engine.search(HYBRID, query))
        extra, its = generated[500:501], dataset.corpus.matrix(500, 501)
        engine.add(extra, its, EVERYONE)
        query = Query(text="?", vector=its[0], workspace=EVERYONE, where=None, limit=1)
        assert engine.search(VECTOR, query) == [500]
        engine.read(extra, EVERYONE)
        engine.remove(extra, EVERYONE)
        assert engine.search(VECTOR, query) != [500]
    finally:
        engine.close()
