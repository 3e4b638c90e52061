"""The vector index on Elasticsearch: memories found by their vectors and by their words."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.backends.elasticsearch import keywords
from app.backends.elasticsearch.catalogue import Catalogue
from app.backends.elasticsearch.collection import MOST_DIMENSIONS, Collection, CollectionSettings
from app.backends.elasticsearch.connections import Server
from app.backends.elasticsearch.documents import check_vector, list_operations, write_vector
from app.backends.elasticsearch.selection import select
from app.domain.embedding import EmbeddingIdentity, Vector
from app.domain.indexing import IndexAbilities, IndexEntry
from app.domain.memory import Scope
from app.domain.query import Candidate, MemoryFilter
from app.errors import IndexUnavailable, SettingsError

MOST_CANDIDATES = 10_000
"""The server's limit on `num_candidates` (reference, "k-nearest neighbor search")."""
CHECK_S = 3.0
"""How long a check for readiness may take."""
_OVERSAMPLE = {"int8": 2.0, "bbq": 3.0}
"""How many times the candidates are compared by their stored vectors, which makes their cosines exact again; for bbq
Elastic's own default is 3."""
_FOUND = "hits.hits._id,hits.hits._score"


class ElasticsearchIndex:
    """A `VectorIndex` on a cluster. `num_candidates` is how many each shard looks at, at least; `batch` how many
    entries a request tells.

    A number decides the shard, not the workspace: a memory that is taken out is told by its number alone, and a large
    workspace uses every shard. What one search costs more (it asks all shards) it gains in each being smaller.
    """

    def __init__(
        self, server: Server, settings: CollectionSettings, *, num_candidates: int = 300, batch: int = 500
    ) -> None:
        if not 1 <= num_candidates <= MOST_CANDIDATES:
            raise SettingsError(f"num_candidates is {num_candidates}: give 1 to {MOST_CANDIDATES}")
        if batch < 1:
            raise SettingsError(f"the batch of the vector index is {batch}: give 1 or more")
        self._server, self._settings = server, settings
        self._num_candidates, self._batch = num_candidates, batch
        self._catalogue = Catalogue(server, settings)
        self._collection: Collection | None = None
        self._lacks: tuple[str, ...] = ()

    @property
    def abilities(self) -> IndexAbilities:
        """Not exact: comparing every vector takes a script, which a server may not allow, so the store does it."""
        return IndexAbilities(exact=False, keywords=True, dimensions=MOST_DIMENSIONS, lacks=self._lacks)

    def prepare(self, identity: EmbeddingIdentity) -> str:
        """Make the index for an embedding if it is missing; returns its mark."""
        collection = self._catalogue.prepare(identity)
        self._lacks = (*self._list_limits(), *self._catalogue.list_lacks(collection))
        self._collection = collection
        return collection.mark

    def apply(self, entries: Sequence[IndexEntry]) -> None:
        """Hold or take out each entry, and then let all be seen by one refresh.

        The refresh makes a small segment in each shard that was written to, so it pays to tell many entries at once.
        Measured (one node, three shards, 512 dimensions): 24 ms for one entry, 120 ms for 100, 520 ms for 1,000.
        """
        collection = self._require()
        operations = list_operations(entries, collection.identity)
        if not operations:
            return
        for start in range(0, len(operations), self._batch):
            self._server.write(collection.alias, operations[start : start + self._batch])
        answer = self._server.ask(
            lambda client: client.indices.refresh(index=collection.alias, filter_path="_shards.failed").body
        )
        if answer["_shards"]["failed"]:
            raise IndexUnavailable(f"the vector index at {self._server.place} has shards that fail: look at its log")

    def nearest(
        self,
        scope: Scope,
        vector: Vector,
        memory_filter: MemoryFilter,
        *,
        limit: int,
        now_ms: int,
        as_of_ms: int | None = None,
        exact: bool = False,
    ) -> list[Candidate]:
        """The closest by cosine, at most `MOST_CANDIDATES`.

        With `exact` the server looks at as many as it can: all, where a shard has 10,000 or fewer that pass.
        """
        collection = self._require()
        check_vector(vector, collection.identity)
        components = write_vector(vector)
        limit = min(limit, self._settings.max_result_window, MOST_CANDIDATES)
        if limit < 1 or components is None:
            return []
        candidates = MOST_CANDIDATES if exact else min(max(self._num_candidates, limit), MOST_CANDIDATES)
        knn: dict[str, Any] = {
            "field": "vector",
            "query_vector": components,
            "k": candidates,
            "num_candidates": candidates,
            "filter": select(scope, memory_filter, now_ms=now_ms, as_of_ms=as_of_ms),
        }
        if self._settings.quantization in _OVERSAMPLE:
            knn["rescore_vector"] = {"oversample": _OVERSAMPLE[self._settings.quantization]}
        found = self._search({"knn": knn}, limit)
        return [Candidate(number=number, score=_read_cosine(score)) for number, score in found]

    def matching(
        self,
        scope: Scope,
        text: str,
        memory_filter: MemoryFilter,
        *,
        limit: int,
        now_ms: int,
        as_of_ms: int | None = None,
    ) -> list[Candidate]:
        """The memories that share the rarest words of a text, best first."""
        self._require()
        limit = min(limit, self._settings.max_result_window)
        terms = keywords.list_terms(text)
        if limit < 1 or not terms:
            return []
        weights, mean_length = keywords.weigh_terms(
            self._ask(keywords.count_terms(scope, terms), "hits.total.value,aggregations")
        )
        if not weights:
            return []
        selected = select(scope, memory_filter, now_ms=now_ms, as_of_ms=as_of_ms)
        found = self._search({"query": keywords.rank(weights, mean_length, selected), "track_total_hits": False}, limit)
        return [Candidate(number=number, score=score) for number, score in found]

    def count(self) -> int:
        """How many memories it holds, of all workspaces."""
        answer = self._ask({"size": 0, "track_total_hits": True}, "hits.total.value")
        return int(answer["hits"]["total"]["value"])

    def check(self) -> None:
        """Raise `IndexUnavailable` where a shard cannot be searched."""
        collection = self._require()
        if not self._catalogue.is_open(collection, timeout_s=CHECK_S):
            raise IndexUnavailable(
                f"the vector index at {self._server.place} lacks {collection.name}, or shards of it: look at the "
                "cluster's health; a collection that is missing is made anew when the service starts"
            )

    def drop(self) -> None:
        """Remove the index for good."""
        self._catalogue.drop()

    def close(self) -> None:
        """Let go of connections."""
        self._server.close()

    def _list_limits(self) -> Iterator[str]:
        if self._settings.max_result_window > MOST_CANDIDATES:
            yield (
                f"max_result_window is {self._settings.max_result_window}, but a search by vectors finds "
                f"{MOST_CANDIDATES} memories at most; one by words goes as deep as the window"
            )

    def _require(self) -> Collection:
        if self._collection is None:
            raise IndexUnavailable(f"the vector index at {self._server.place} is not prepared: prepare it first")
        return self._collection

    def _search(self, asked: Mapping[str, Any], limit: int) -> list[tuple[int, float]]:
        """Numbers and scores, best first; of equals the smaller number."""
        order = [{"_score": "desc"}, {"number": "asc"}]
        answer = self._ask({**asked, "size": limit, "sort": order, "_source": False}, _FOUND)
        return [(int(hit["_id"]), float(hit["_score"])) for hit in answer.get("hits", {}).get("hits", ())]

    def _ask(self, body: Mapping[str, Any], wanted: str) -> Mapping[str, Any]:
        """The answer to a search of which no shard failed, so that what is missing is never taken for not there."""
        collection = self._require()
        return self._server.ask(
            lambda client: (
                client.search(
                    index=collection.alias, body=dict(body), allow_partial_search_results=False, filter_path=wanted
                ).body
            )
        )


def _read_cosine(score: float) -> float:
    """The server's score of a cosine is (1 + cosine) / 2 in single precision: exact to 2e-7."""
    return min(2 * score - 1, 1.0)
