"""The vector index on a Chroma server, by its HTTP client; both must be of one version (1.5).

It has no exact search and no ranking by words: the store does both.
"""

from collections.abc import Mapping

from app.backends.chroma.api import ChromaApi, ChromaServer
from app.backends.chroma.index import BATCH, ChromaIndex
from app.ports import VectorIndex

__all__ = ["open_index"]


def open_index(
    host: str,
    port: int = 8000,
    *,
    name: str = "reme_memory",
    ssl: bool | str = False,
    api_key: str = "",
    headers: Mapping[str, str] | None = None,
    tenant: str = "default_tenant",
    database: str = "default_database",
    search_timeout_s: float = 5.0,
    timeout_s: float = 30.0,
    m: int = 16,
    ef_construction: int = 200,
    ef_search: int = 256,
    batch_size: int = BATCH,
) -> VectorIndex:
    """The index in a collection of a server; nothing is connected yet.

    `ssl` is whether to use TLS, or the path of the certificates to trust. `api_key` is sent as X-Chroma-Token,
    `headers` as they are. A search gives up after the shorter of `search_timeout_s` and `timeout_s`, everything else
    after `timeout_s`, each of some attempts. `m`, `ef_construction` and `ef_search` are the graph's, which Chroma calls
    max_neighbors, ef_construction and ef_search. `batch_size` records are sent at once, 500 at most.
    """
    server = ChromaServer(
        host=host, port=port, ssl=ssl, api_key=api_key, headers=headers or {}, tenant=tenant, database=database
    )
    return ChromaIndex(
        ChromaApi(server, timeout_s=min(search_timeout_s, timeout_s)),
        ChromaApi(server, timeout_s=timeout_s),
        name=name,
        m=m,
        ef_construction=ef_construction,
        ef_search=ef_search,
        batch_size=min(batch_size, BATCH),
    )
