"""A vector index on Elasticsearch 8.11 or newer, by the client of 8.19; it ranks by vectors and by words.

It uses nothing that a licence or a plugin brings: no scripts, no delete by query, no ILM, no analyzers but whitespace.
"""

from collections.abc import Sequence

from app.backends.elasticsearch.collection import CollectionSettings
from app.backends.elasticsearch.connections import Server
from app.backends.elasticsearch.vector_index import ElasticsearchIndex

__all__ = ["ElasticsearchIndex", "open_index"]


def open_index(
    hosts: Sequence[str],
    *,
    api_key: str = "",
    username: str = "",
    password: str = "",
    ca_certs: str = "",
    verify_certs: bool = True,
    timeout_s: float = 30.0,
    index_name: str = "reme",
    number_of_shards: int = 3,
    number_of_replicas: int = 1,
    refresh_interval: str = "30s",
    max_result_window: int = 50_000,
    m: int = 16,
    ef_construction: int = 100,
    num_candidates: int = 300,
    quantization: str = "none",
    batch: int = 500,
) -> ElasticsearchIndex:
    """Open the index without asking the server anything; `prepare` does.

    `hosts` are addresses such as https://es.example.com:9200, of one cluster. `index_name` begins the names of its
    indices; two services on one cluster need two. `quantization` is none, int8 or bbq. `ca_certs` is a file. Shards to
    window have the values of the requirements (§3.2); `m` and `ef_construction` Elasticsearch's own. Raises
    `SettingsError` for what cannot be used.
    """
    server = Server(
        hosts,
        api_key=api_key,
        username=username,
        password=password,
        ca_certs=ca_certs,
        verify_certs=verify_certs,
        timeout_s=timeout_s,
    )
    settings = CollectionSettings(
        prefix=index_name,
        number_of_shards=number_of_shards,
        number_of_replicas=number_of_replicas,
        refresh_interval=refresh_interval,
        max_result_window=max_result_window,
        m=m,
        ef_construction=ef_construction,
        quantization=quantization,
    )
    return ElasticsearchIndex(server, settings, num_candidates=num_candidates, batch=batch)
