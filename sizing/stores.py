"""RAM and disk of each store, from what a memory takes in it (``data/yardsticks.csv``).

The runs have short texts (40 to 200 characters) and 1024 dimensions. Longer texts are added where a store holds
them; other dimensions are computed from the layout of a page, or in proportion, as each formula says.
"""

import math

from sizing.measures import BYTES_PER_GB, BYTES_PER_MB
from sizing.yardsticks import MEASURED_DIMENSIONS, SERVICE_DIMENSIONS, measured

HALF_PRECISION_BYTES = 2.0
SIGN_BYTES = 1.0 / 8.0
"""Bytes a component in the embedded store: half precision, and a bit for its sign. Exact."""

PAGE_BYTES = 8192
PAGE_ROOM_BYTES = 8160
"""A page of PostgreSQL, and what its headers leave of it (its documentation, storage-page-layout)."""
INLINE_DIMENSIONS = 1000
INLINE_ROW_BYTES = 44
"""The service keeps vectors of up to so many dimensions in their rows; head, ids and pointer of such a row."""
TOAST_CHUNK_BYTES = 1996
TOAST_CHUNKS_PER_PAGE = 3
"""Longer ones lie in pieces of so many bytes (TOAST). Four would fill a page, but their rests lie between them: on a
server, 2026-11, a vector of 1024 dimensions took 5,460 bytes."""
GRAPH_ROW_BYTES = 300
"""HNSW of pgvector with m = 16: 80 bytes of heads and 10 addresses, 206 of neighbours, 8 of item pointers."""

ROWS_OVERHEAD = 1.5
"""Assumed for long texts in PostgreSQL: 30 % of indexes, 20 % of bloat between vacuums. Error: +-30 %."""
WAL_MARGIN = 2.0
"""Ours: room for twice the write-ahead log that a server with its defaults keeps; the limit is a soft one."""
WARM_SHARE = 0.2
"""Assumed: a fifth of the rows, and of the vectors that searches compare, is read often. Error: factor 2."""
SYSTEM_GB = 0.5
"""Ours: the operating system of a node, as in service_ram_mb."""


def sqlite_disk_gb(text_gb: float, memories: float, dimensions: int) -> float:
    """Disk of the embedded store, in GB: texts with their index, vectors of half precision, signs.

    Also beside a vector index, since every vector is in the store. Measured at 1024 dimensions with short
    texts, which is the least that a memory takes; 2.125 bytes a component for others. Error: 2 % for the
    measured sizes, that of the texts' length else.
    """
    width = (HALF_PRECISION_BYTES + SIGN_BYTES) * dimensions
    short = measured("sqlite", "disk_per_memory") - (HALF_PRECISION_BYTES + SIGN_BYTES) * MEASURED_DIMENSIONS
    rows_gb = max(text_gb, memories * short / BYTES_PER_GB)
    return _fixed_gb("sqlite", "disk") + rows_gb + memories * width / BYTES_PER_GB


def local_index_mb(memories: float, dimensions: int) -> float:
    """RAM of the embedded store's index in one process, in MB: signs, records to filter by, vectors read before.

    Measured with 512 dimensions; it grows by the memory up to a limit that the service keeps, but never below
    the signs of all. Error: 20 %, and an upper bound for memories that nobody searches for.
    """
    record = measured("service", "ram_per_memory") - (HALF_PRECISION_BYTES + SIGN_BYTES) * SERVICE_DIMENSIONS
    grown = memories * ((HALF_PRECISION_BYTES + SIGN_BYTES) * dimensions + record) / BYTES_PER_MB
    return max(min(measured("service", "ram_most"), grown), memories * SIGN_BYTES * dimensions / BYTES_PER_MB)


def qdrant_ram_gb(vectors: float, dimensions: int, bytes_per_component: float = 1.0) -> float:
    """RAM that Qdrant needs to keep its index and quantised vectors in memory, in GB, per copy.

    Qdrant's own planning formula: vectors x dimensions x bytes x 1.5, the half for the HNSW graph
    (m = 16) and segments. int8 scalar quantisation takes 1 byte a component, float32 takes 4, binary
    1/8; the originals stay on disk. Error: not measured against a server here; Qdrant calls it rough. The
    client's local mode, which was measured, holds everything as Python objects and says nothing of a server.
    """
    return vectors * dimensions * bytes_per_component * 1.5 / BYTES_PER_GB


def qdrant_disk_gb(vectors: float, dimensions: int) -> float:
    """Disk of one copy in Qdrant, in GB: float32 originals, int8 copies, graph, 1 KB of payload.

    Assumed, no server was measured: (4 + 1) bytes a component, 300 bytes of graph, 1000 bytes of payload, and
    the half again that the optimiser needs while it rewrites a segment. Error: +-30 %, by the payload.
    """
    return vectors * (5.0 * dimensions + 1300.0) * QDRANT_REWRITE_ROOM / BYTES_PER_GB


QDRANT_REWRITE_ROOM = 1.5
"""Assumed: the half again that the optimiser needs while it rewrites a segment."""


def chroma_ram_gb(vectors: float, dimensions: int) -> float:
    """RAM of a Chroma server, in GB: a fixed part and one for each vector, in proportion to its dimensions.

    Measured with 1024 dimensions; the error is that of the rows in ``data/yardsticks.csv``, other dimensions
    were not measured.
    """
    return _fixed_gb("chroma", "ram") + _grown_gb("chroma", "ram", vectors, dimensions)


def chroma_disk_gb(vectors: float, dimensions: int) -> float:
    """Disk of a Chroma server, in GB, as ``chroma_ram_gb``; without the store beside it."""
    return _fixed_gb("chroma", "disk") + _grown_gb("chroma", "disk", vectors, dimensions)


def elasticsearch_ram_gb(vectors: float, dimensions: int) -> float:
    """RAM of the index in Elasticsearch beside a node's fixed part, in GB, per copy: its mapped files.

    Measured on one node with a heap of 512 MB and 1024 dimensions; in proportion for others. An upper bound: the
    machine had RAM to spare, so files stayed mapped that a smaller one would read again. The fixed part is
    ``elasticsearch_node_gb``.
    """
    return _grown_gb("elasticsearch", "ram", vectors, dimensions)


def elasticsearch_node_gb() -> float:
    """RAM of a node of Elasticsearch without memories, in GB, with a heap of 512 MB. Measured."""
    return _fixed_gb("elasticsearch", "ram")


def elasticsearch_disk_gb(text_gb: float, vectors: float, dimensions: int) -> float:
    """Disk of one copy in Elasticsearch, in GB: measured with short texts, and the words of long ones.

    Assumed: the words of a text take as much again as the text. The error of the measured part is large, since
    a small index is mostly log and unmerged segments.
    """
    measured_gb = _fixed_gb("elasticsearch", "disk") + _grown_gb("elasticsearch", "disk", vectors, dimensions)
    return measured_gb + text_gb


def pgvector_index_gb(vectors: float, dimensions: int) -> float:
    """HNSW index of pgvector, in GB: half precision at every size, by the rows that fit a page.

    2 bytes a component and 300 for the graph (m = 16) fill pages of 8 KB whole. Measured for 20,000 vectors:
    52 MiB with 1024 dimensions. Error: 5 %, and 20 % more after many changes.
    """
    row_bytes = HALF_PRECISION_BYTES * dimensions + GRAPH_ROW_BYTES
    if row_bytes > PAGE_ROOM_BYTES:
        return vectors * (PAGE_BYTES + GRAPH_ROW_BYTES) / BYTES_PER_GB
    return vectors * PAGE_BYTES / (PAGE_ROOM_BYTES // row_bytes) / BYTES_PER_GB


def postgres_vectors_gb(vectors: float, dimensions: int) -> float:
    """Vectors of single precision in PostgreSQL's table, in GB, by the rows or pieces that fit a page.

    In their rows up to 1000 dimensions, in pieces of 2 KB above. Compared with a server at 512 to 3072
    dimensions: error 10 % up to 1536 dimensions, above that an upper bound by up to 30 %.
    """
    width = 4.0 * dimensions + 8.0
    if dimensions <= INLINE_DIMENSIONS:
        pages = 1.0 / (PAGE_ROOM_BYTES // (width + INLINE_ROW_BYTES))
    else:
        pages = max(width // TOAST_CHUNK_BYTES / TOAST_CHUNKS_PER_PAGE, width / PAGE_ROOM_BYTES)
    return vectors * pages * PAGE_BYTES / BYTES_PER_GB


def postgres_data_gb(text_gb: float, memories: float, dimensions: int) -> float:
    """Tables and indexes of PostgreSQL, in GB: rows, text index, vectors and their HNSW index.

    Every vector is in the store and indexed there, also where another index answers searches. A memory takes
    at least what was measured with short texts; long ones ROWS_OVERHEAD times their size. Error: 5 % for the
    measured sizes, +-30 % with long texts.
    """
    whole_gb = memories * measured("postgres", "disk_per_memory") / BYTES_PER_GB
    short_gb = whole_gb - _vectors_indexed_gb(memories, MEASURED_DIMENSIONS)
    rows_gb = max(text_gb * ROWS_OVERHEAD, short_gb)
    return _fixed_gb("postgres", "disk") + rows_gb + _vectors_indexed_gb(memories, dimensions)


def postgres_wal_gb(memories: float) -> float:
    """Write-ahead log after so many memories were written, in GB, up to the server's max_wal_size. Measured."""
    grown = memories * measured("postgres", "wal_per_memory")
    return min(grown / BYTES_PER_GB, measured("postgres", "wal_most") * BYTES_PER_MB / BYTES_PER_GB)


def postgres_disk_gb(text_gb: float, memories: float, dimensions: int) -> float:
    """Disk of PostgreSQL, in GB: tables, indexes and WAL_MARGIN times the most that its log keeps."""
    return postgres_data_gb(text_gb, memories, dimensions) + WAL_MARGIN * postgres_wal_gb(math.inf)


def postgres_ram_gb(
    text_gb: float, memories: float, dimensions: int, connections: int, *, searches_here: bool
) -> float:
    """RAM that PostgreSQL needs, in GB: itself and the system, warm rows, 10 MB a connection; where it answers
    searches by vectors, also what is warm of these and the whole HNSW index.

    An index that does not fit is slow. Beside another vector store its vectors are only written. Itself: measured
    at 100,000 memories with 128 MB of shared buffers. A connection: PostgreSQL's usual 5-10 MB. Error: factor 2
    for the warm share.
    """
    itself = measured("postgres", "ram_used") * BYTES_PER_MB / BYTES_PER_GB + SYSTEM_GB
    rest = itself + WARM_SHARE * text_gb + connections * 0.010
    if not searches_here:
        return rest
    return rest + WARM_SHARE * postgres_vectors_gb(memories, dimensions) + pgvector_index_gb(memories, dimensions)


def vectors_ram_gb(engine: str, vectors: float, dimensions: int) -> float:
    """RAM of the index of all vectors in a vector store, in GB per copy, by the formula of its engine.

    Of the embedded store it is that of each process; of Elasticsearch a node's fixed part is not in it.
    """
    formulas = {
        "sqlite-vec": lambda: local_index_mb(vectors, dimensions) * BYTES_PER_MB / BYTES_PER_GB,
        "pgvector": lambda: pgvector_index_gb(vectors, dimensions),
        "elasticsearch": lambda: elasticsearch_ram_gb(vectors, dimensions),
        "chromadb": lambda: chroma_ram_gb(vectors, dimensions),
        "qdrant": lambda: qdrant_ram_gb(vectors, dimensions),
    }
    return formulas[engine]()


def vectors_disk_gb(engine: str, text_gb: float, vectors: float, dimensions: int) -> float:
    """Disk that a vector store takes beside the database, in GB per copy; 0 where it has none of its own."""
    if engine == "elasticsearch":
        return elasticsearch_disk_gb(text_gb, vectors, dimensions)
    if engine == "chromadb":
        return chroma_disk_gb(vectors, dimensions)
    return qdrant_disk_gb(vectors, dimensions) if engine == "qdrant" else 0.0


def _vectors_indexed_gb(vectors: float, dimensions: int) -> float:
    return postgres_vectors_gb(vectors, dimensions) + pgvector_index_gb(vectors, dimensions)


def _fixed_gb(store: str, quantity: str) -> float:
    """What a store takes without memories."""
    return measured(store, f"{quantity}_fixed") * BYTES_PER_MB / BYTES_PER_GB


def _grown_gb(store: str, quantity: str, vectors: float, dimensions: int) -> float:
    """What vectors add, in proportion to their dimensions."""
    return vectors * measured(store, f"{quantity}_per_memory") * dimensions / MEASURED_DIMENSIONS / BYTES_PER_GB
