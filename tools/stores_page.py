"""The reference page of the stores: the requirements' matrix as quoted, and what was measured of each."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sizing.tables import read_table
from tools.reference_pages import REFERENCE, page, table

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"
SIZES: Mapping[str, str] = {"1k": "1,000", "10k": "10,000", "100k": "100,000"}
ENGINES: Mapping[str, str] = {
    "sqlite": "Local (SQLite)",
    "elasticsearch": "Elasticsearch",
    "chroma": "ChromaDB",
    "qdrant": "Qdrant",
    "postgres": "PostgreSQL",
}
"""The engines of the suite by the names of the requirements, in their order."""
OPTIONS = ("local-sqlite", "elasticsearch", "chromadb", "qdrant", "postgresql")
ATTRIBUTES: Mapping[str, str] = {
    "deployment": "Deployment",
    "setup": "Setting up",
    "capacity": "Capacity",
    "concurrency": "Concurrency",
    "dimensions": "Dimensions",
    "latency": "Search",
    "managed": "Managed service",
    "tenancy": "Several tenants",
    "backup": "Backup",
    "cluster": "Cluster",
    "memory": "RAM",
}
OURS: Sequence[tuple[str, tuple[str, str, str, str, str]]] = (
    ("Dimensions (most)", ("4,096", "4,096", "4,096", "65,536", "4,000 with an index")),
    ("Several tenants", ("yes", "yes", "yes", "yes", "yes")),
    ("Several nodes", ("no", "with PostgreSQL", "with PostgreSQL", "with PostgreSQL", "yes")),
    ("Words", ("store", "index", "store", "store", "store")),
    ("Exact search", ("yes", "by the store", "by the store", "yes", "yes")),
    ("Lost index", ("part of the file", "made anew", "made anew", "made anew", "part of the database")),
)
"""What holds in this service, whatever the server could do besides; by its own tests."""
MEASURES: Sequence[tuple[str, str, str, Callable[[float], str]]] = (
    ("vector", "p50_ms", "Vector search, p50 ms", lambda value: f"{value:.1f}"),
    ("vector", "p95_ms", "Vector search, p95 ms", lambda value: f"{value:.1f}"),
    ("vector", "recall", "Recall@10", lambda value: f"{value:.3f}"),
    ("hybrid", "p50_ms", "Hybrid search, p50 ms", lambda value: f"{value:.1f}"),
    ("hybrid", "p95_ms", "Hybrid search, p95 ms", lambda value: f"{value:.1f}"),
    ("type, 10 %", "p95_ms", "Below a filter of 10 %, p95 ms", lambda value: f"{value:.1f}"),
    ("type, 10 %", "recall", "Recall@10 below it", lambda value: f"{value:.3f}"),
    ("loading and memory", "rows_per_s_with_index", "Loading, memories/s", lambda value: f"{value:,.0f}"),
    ("loading and memory", "rss_mb", "RAM of the service, MB", lambda value: f"{value:,.0f}"),
    ("loading and memory", "server_mb", "RAM of the server, MB", lambda value: f"{value:,.0f}"),
    ("loading and memory", "file_mb", "On disk, MB", lambda value: f"{value:,.0f}"),
)


_LEAD = (
    "## Measured\n\nVectors of 1,024 dimensions, one workspace, servers on the same two cores as the service, asked in "
    "turn in one run (`python -m benchmarks stores`, [benchmarks](../benchmarks.md)). Times of different machines "
    "cannot be compared, those of one table can. Elasticsearch and Chroma stand beside SQLite. Where no `QDRANT_URL` "
    "was given, the column of Qdrant is the local mode of its client, which compares every vector in numpy and says "
    "nothing about the server."
)


def write_stores() -> str:
    """Return the matrix of the requirements (§3.1) and the measured one."""
    quoted = {
        (row["option"], row["attribute"]): row["en"]
        for row in read_table("comparisons/attributes.csv")
        if row["table"] == "vector-stores"
    }
    heads = ["", *ENGINES.values()]
    matrix = [[title, *(quoted.get((option, name), "") for option in OPTIONS)] for name, title in ATTRIBUTES.items()]
    return page(
        "Stores side by side",
        "Memories are kept in SQLite or PostgreSQL; Elasticsearch, Chroma or Qdrant can stand beside either and search "
        "by vectors ([how](../howto/add-a-vector-index.md)). What the requirements say of the five, what this service "
        "does with each, and what was measured.",
        "## As the requirements have it (§3.1)\n\nQuoted, not measured; where they err, the [errata](../errata.md) say "
        "so.",
        table(heads, matrix),
        "## In this service",
        table(heads, [[title, *cells] for title, cells in OURS]),
        *_write_measured(),
    )


def _write_measured() -> list[str]:
    parts = [_LEAD]
    for size, count in SIZES.items():
        path = RESULTS / f"stores-{size}.json"
        if not path.exists():
            parts.append(f"### {count} memories\n\nNot measured yet.")
            continue
        outcome = json.loads(path.read_text(encoding="utf-8"))
        parts.append(f"### {count} memories\n\n{table(['', *ENGINES.values()], _list_rows(outcome))}")
    return parts


def _list_rows(outcome: Mapping[str, Any]) -> list[list[str]]:
    figures = {(one["case"], one["engine"]): one["values"] for one in outcome["measurements"]}
    gone = {one["engine"] for one in outcome["left_out"]}
    rows = []
    for case, key, title, write in MEASURES:
        cells = []
        for engine in ENGINES:
            value = figures.get((case, engine), {}).get(key)
            cells.append("left out" if value is None and engine in gone else "" if value is None else write(value))
        rows.append([title, *cells])
    return rows


STORE_FILES: dict[str, Callable[[], str]] = {f"{REFERENCE}/stores.md": write_stores}
