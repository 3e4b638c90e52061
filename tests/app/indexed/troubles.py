"""An index that is away, slow or choosy when a test says so; behind it is a real one."""

from collections.abc import Sequence
from threading import Event
from time import monotonic, sleep

from app.backends.memory.vector_index import RamVectorIndex
from app.domain.embedding import EmbeddingIdentity, Vector
from app.domain.indexing import IndexAbilities, IndexEntry
from app.domain.memory import Scope
from app.domain.query import Candidate, MemoryFilter
from app.errors import IndexUnavailable, StoreError
from app.ports import VectorIndex


class TroubledIndex:
    """A `VectorIndex` before another. `asked` counts its calls, `told` is the entries that it took, call by call.

    `away` lets every call fail; `delay_s` is how long one takes; `refused` are numbers that it does not take;
    `hangs` lets `apply` wait until the event is set. `closed_s` is when it was closed, by the monotonic clock.
    """

    def __init__(self, index: VectorIndex | None = None) -> None:
        self.index = RamVectorIndex() if index is None else index
        self.away = False
        self.delay_s = 0.0
        self.refused: set[int] = set()
        self.hangs: Event | None = None
        self.asked = 0
        self.closed_s = 0.0
        self.told: list[tuple[IndexEntry, ...]] = []

    @property
    def abilities(self) -> IndexAbilities:
        return self.index.abilities

    def _ask(self) -> None:
        self.asked += 1
        sleep(self.delay_s)
        if self.away:
            raise IndexUnavailable("the index of this test is away")

    def prepare(self, identity: EmbeddingIdentity) -> str:
        self._ask()
        return self.index.prepare(identity)

    def apply(self, entries: Sequence[IndexEntry]) -> None:
        self._ask()
        if self.hangs is not None:
            self.hangs.wait()
        if any(entry.number in self.refused for entry in entries):
            raise StoreError("the index of this test refuses a memory")
        self.index.apply(entries)
        self.told.append(tuple(entries))

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
        self._ask()
        return self.index.nearest(
            scope, vector, memory_filter, limit=limit, now_ms=now_ms, as_of_ms=as_of_ms, exact=exact
        )

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
        self._ask()
        return self.index.matching(scope, text, memory_filter, limit=limit, now_ms=now_ms, as_of_ms=as_of_ms)

    def count(self) -> int:
        self._ask()
        return self.index.count()

    def check(self) -> None:
        self._ask()
        self.index.check()

    def drop(self) -> None:
        self._ask()
        self.index.drop()

    def close(self) -> None:
        self.closed_s = monotonic()
        self.index.close()
