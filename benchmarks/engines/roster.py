"""Which engines there are, where each runs and what exactly is measured of it."""

import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.errors import BenchmarkError

OURS = "reme-cloud"


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """An engine: its adapter, its environment (`requirements` is empty for this repository's own), what is measured.

    Above `most_rows` memories it is left out, and `too_many` says why.
    """

    name: str
    module: str
    class_name: str
    requirements: str
    measured: str
    most_rows: int = 10_000_000
    too_many: str = ""


_SLOW = "the local mode loads a few hundred memories a second and compares every vector"

ROSTER = (
    Entry(
        name=OURS,
        module="ours",
        class_name="Ours",
        requirements="",
        measured="the embedded SQLite store through its ports; hybrid is the whole `Retrieval` (vector leg, keyword "
        "leg, fusion, fetch) with the query's vector given, pipeline the same with the local embedder and no cache",
    ),
    Entry(
        name="chroma",
        module="chroma",
        class_name="Chroma",
        requirements="chroma",
        measured="PersistentClient, default HNSW, cosine, a collection for each workspace; query with documents; it "
        "has no ranked keyword search in embedded mode, so it has no hybrid row",
    ),
    Entry(
        name="lancedb",
        module="lance",
        class_name="Lance",
        requirements="lancedb",
        measured="one table with a workspace column; IVF_HNSW_SQ (ef 200) from 10,000 rows on, else flat; FTS "
        "index (ngram), bitmap and B-tree indexes on what is filtered, prefilter; hybrid with its own RRF reranker",
    ),
    Entry(
        name="sqlite-vec",
        module="vec0",
        class_name="Vec0",
        requirements="sqlite-vec",
        measured="vec0 with float32 vectors, which compares all of them; workspace as partition key, metadata columns; "
        "WAL, synchronous=FULL; hybrid is trigram FTS5 and RRF, 50 candidates each",
    ),
    Entry(
        name="qdrant-local",
        module="qdrant",
        class_name="Qdrant",
        requirements="qdrant",
        measured="qdrant-client's local mode on disk, a collection for each workspace, payload returned; this is the "
        "client's own numpy search, not the Qdrant server; hybrid needs a sparse encoder, which is not given",
        most_rows=100_000,
        too_many=_SLOW,
    ),
    Entry(
        name="mem0",
        module="mem0",
        class_name="Mem0",
        requirements="mem0",
        measured="`Memory.add(infer=False)` one by one and `Memory.search` with user_id as workspace, default store "
        "(Qdrant local mode on disk), embedder replaced by one that returns the given vector; its BM25 needs a model "
        "from a hub and its entities need spaCy, so both are off",
        most_rows=100_000,
        too_many=_SLOW,
    ),
    Entry(
        name="reme-0.2",
        module="reme",
        class_name="Reme",
        requirements="reme",
        measured="upstream reme-ai 0.2.0.6 on flowllm 0.2.0.10: the `local` vector store's `insert` and `search`, in "
        "process, embedder replaced by one that returns the given vector; its retrieval has no keyword leg",
        most_rows=100_000,
        too_many="keeps every vector as a Python list, 16 KB or more a memory, and compares all of them",
    ),
)


EMBEDDED_STORE = "sqlite"
STORES = (
    Entry(
        name=EMBEDDED_STORE,
        module="stores",
        class_name="Embedded",
        requirements="",
        measured="the embedded store alone: signs in RAM and a rescore, FTS5; synchronous=FULL",
    ),
    Entry(
        name="postgres",
        module="stores",
        class_name="OnPostgres",
        requirements="",
        measured="PostgreSQL 18 with pgvector 0.8 on this machine, HNSW (m 16, ef_construction 200, ef_search 256), "
        "fsync on, default shared_buffers",
    ),
    Entry(
        name="elasticsearch",
        module="stores",
        class_name="BesideElasticsearch",
        requirements="",
        measured="Elasticsearch 8.19 beside SQLite, 512 MB heap, HNSW (m 16, ef_construction 200, 256 candidates), one "
        "shard, no copies; it ranks by words too",
    ),
    Entry(
        name="chroma",
        module="stores",
        class_name="BesideChroma",
        requirements="",
        measured="a Chroma 1.5 server beside SQLite, HNSW (m 16, ef_construction 200, ef_search 256); words by SQLite",
    ),
    Entry(
        name="qdrant",
        module="stores",
        class_name="BesideQdrant",
        requirements="",
        measured="a Qdrant server beside SQLite where QDRANT_URL names one; here the client's local mode, which "
        "compares every vector in numpy and says nothing about the server; words by SQLite",
        most_rows=10_000,
        too_many="the client's local mode compares every vector in numpy",
    ),
)
"""The service over each store that it can have."""


def find_entries(names: str) -> tuple[Entry, ...]:
    """The engines of a list of names with commas, ours always first; all for an empty one."""
    if not names:
        return ROSTER
    wanted = {name.strip() for name in names.split(",")} | {OURS}
    unknown = wanted - {entry.name for entry in ROSTER}
    if unknown:
        known = ", ".join(entry.name for entry in ROSTER)
        raise BenchmarkError(f"there is no engine {', '.join(sorted(unknown))}: choose of {known}")
    return tuple(entry for entry in ROSTER if entry.name in wanted)


def find_python(entry: Entry, environments: Path) -> Path:
    """The interpreter of an engine's environment."""
    if not entry.requirements:
        return Path(sys.executable)
    return environments / f"bench-{entry.requirements}" / "bin" / "python"
