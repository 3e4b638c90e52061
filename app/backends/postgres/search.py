"""The search index: vectors by pgvector, words by terms in a GIN index."""

from collections.abc import Sequence

from app.backends.identities import ProcessEmbedding
from app.backends.postgres.connections import Database
from app.backends.postgres.indexes import COMPARED, IndexKeeper
from app.backends.postgres.nearest import (
    Found,
    Place,
    Question,
    Sight,
    compare,
    compare_few,
    count_compared,
    follow,
    look,
    look_closely,
)
from app.backends.postgres.ranking import TextRanker
from app.backends.postgres.rows import SELECT, read_memory
from app.backends.postgres.selection import select_filter, select_held
from app.backends.postgres.statements import Connection, select_rows
from app.backends.postgres.vectors import pack_vector, read_vectors
from app.backends.vectors import check_vector
from app.backends.words import CAP, FILTERED_CAP
from app.domain.embedding import Vector
from app.domain.memory import Memory, Scope
from app.domain.query import Candidate, MemoryFilter
from app.ports import Clock

_ALL = MemoryFilter()
_PLACES = 10_000
_FETCH = f"{SELECT} WHERE number = ANY(%s::bigint[]) AND tenant_id = %s AND workspace_id = %s AND deleted_at IS NULL"


class PostgresSearchIndex:
    """Searches one workspace at a time: by words in one round trip, by vectors in two."""

    def __init__(self, database: Database, *, embedding: ProcessEmbedding, clock: Clock, keeper: IndexKeeper) -> None:
        self._database, self._embedding, self._clock, self._keeper = database, embedding, clock, keeper
        self._ranker = TextRanker()
        self._places: dict[Scope, Place] = {}

    # -- the legs

    def nearest(
        self,
        scope: Scope,
        vector: Vector,
        memory_filter: MemoryFilter,
        *,
        limit: int,
        as_of_ms: int | None = None,
        exact: bool = False,
    ) -> list[Candidate]:
        """The memories whose vectors are closest by cosine, best first, of equally close ones the older."""
        identity = self._embedding.identity
        check_vector(vector, identity)
        if limit <= 0:
            return []
        where, values = self._select(memory_filter, as_of_ms)
        question = Question(identity=identity, vector=pack_vector(vector), where=where, values=values, limit=limit)
        narrowed = memory_filter != _ALL or as_of_ms is not None
        found = self._database.ask(
            lambda connection: self._find(connection, scope, question, narrowed=narrowed, exact=exact)
        )
        return [Candidate(number=number, score=score) for number, score in found]

    def matching(
        self, scope: Scope, text: str, memory_filter: MemoryFilter, *, limit: int, as_of_ms: int | None = None
    ) -> list[Candidate]:
        """The memories that share the rarest words of a text, best first, of equally good ones the newer."""
        where, values = self._select(memory_filter, as_of_ms)
        cap = CAP if memory_filter == _ALL and as_of_ms is None else FILTERED_CAP
        found = self._database.ask(
            lambda connection: self._ranker.rank(connection, scope, text, where, values, cap=cap, limit=max(limit, 0))
        )
        return [Candidate(number=number, score=score) for number, score in found]

    def fetch(self, scope: Scope, numbers: Sequence[int]) -> dict[int, Memory]:
        """The memories of these numbers, without those deleted meanwhile."""
        if not numbers:
            return {}
        values = (list(numbers), scope.tenant_id, scope.workspace_id)
        rows = self._database.ask(lambda connection: select_rows(connection, _FETCH, values))
        return {row[0]: read_memory(row) for row in rows}

    def vectors(self, scope: Scope, numbers: Sequence[int]) -> dict[int, Vector]:
        """The stored vectors of these numbers."""
        if not numbers:
            return {}
        dimensions = self._embedding.identity.dimensions
        return self._database.ask(lambda connection: read_vectors(connection, numbers, dimensions, scope=scope))

    # -- how vectors are found

    def _select(self, memory_filter: MemoryFilter, as_of_ms: int | None) -> tuple[str, list[object]]:
        held, moments = select_held(as_of_ms, now_ms=self._clock.now_ms())
        where, values = select_filter(memory_filter)
        return held + where, [*moments, *values]

    def _find(self, connection: Connection, scope: Scope, question: Question, *, narrowed: bool, exact: bool) -> Found:
        sight = self._look(connection, scope, question, closely=narrowed and not exact)
        if sight.place is None or sight.stamped is None:
            return []
        found = (
            compare(connection, sight.place, question)
            if exact
            else self._find_quickly(connection, sight.place, question, estimate=sight.estimate)
        )
        if not found:  # that may be because the store was moved to another embedding since it was looked at
            self._look(connection, scope, question, closely=False)
        return found

    def _find_quickly(
        self, connection: Connection, place: Place, question: Question, *, estimate: float | None
    ) -> Found:
        plan, narrowed = self._keeper.plan, estimate is not None
        if not place.indexed and place.population > COMPARED and place.total >= plan.least_vectors:
            self._keeper.keep_soon()
        if not place.indexed or place.population <= count_compared(place, question.limit, narrowed=narrowed):
            return compare(connection, place, question)
        if estimate is not None:
            few = compare_few(connection, place, question, estimate)
            if few is not None:
                return few
        found = follow(connection, place, question, plan, estimate=estimate)
        return found if len(found) == question.limit else compare(connection, place, question)

    def _look(self, connection: Connection, scope: Scope, question: Question, *, closely: bool) -> Sight:
        """Look at the store and the workspace; raises `EmbeddingMismatch` where the store has another embedding.

        Of a workspace that was large when it was last looked at, the estimate comes in the same round trip.
        """
        known = self._places.get(scope) if closely else None
        if known is not None and known.population > COMPARED:
            sight = look_closely(connection, scope, known.workspace, question)
        else:
            sight = look(connection, scope, question.identity.dimensions)
        self._embedding.compare(sight.stamped)
        place = sight.place
        if place is None:
            return sight
        if len(self._places) >= _PLACES:
            self._places.clear()
        self._places[scope] = place
        if closely and sight.estimate is None and place.population > COMPARED:
            return look_closely(connection, scope, place.workspace, question)
        return sight
