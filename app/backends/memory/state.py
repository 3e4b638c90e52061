"""What the in-RAM backend holds: the rows of each workspace, and everything else, under one lock."""

import json
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from threading import RLock
from uuid import uuid4

from app.domain.access import ApiKey
from app.domain.change import Changed
from app.domain.embedding import EmbeddingIdentity, Vector
from app.domain.identifiers import make_uuid7, tick_hlc
from app.domain.job import Job
from app.domain.memory import JsonObject, Memory, Scope
from app.domain.usage import UsageRecord
from app.domain.workspace import User, Workspace
from app.errors import InvalidRequest
from app.ports import Clock


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Row:
    """A memory with what is derived from its text.

    `number` belongs to the text: when the text changes, the earlier text keeps it. `moved` is the vector of the
    embedding that the store is being moved to.
    """

    number: int
    memory: Memory
    text_hash: str
    words: Counter[str]
    vector: Vector | None = None
    moved: Vector | None = None
    purged: bool = False

    @property
    def live(self) -> bool:
        """Whether it was not deleted."""
        return self.memory.deleted_ms is None

    @property
    def current(self) -> bool:
        """Whether it was neither deleted nor superseded."""
        return self.live and not self.memory.superseded


@dataclass(kw_only=True, slots=True)
class Shelf:
    """The rows of one workspace by id, and the ids by number and by the hash of the text."""

    rows: dict[str, Row] = field(default_factory=dict)
    ids: dict[int, str] = field(default_factory=dict)
    hashes: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def copy(self) -> "Shelf":
        """A shelf that can be changed, and dropped if something fails, without this one noticing."""
        return Shelf(rows=dict(self.rows), ids=dict(self.ids), hashes=dict(self.hashes))

    def put(self, row: Row) -> None:
        """Keep a row in place of the one of the same id."""
        memory_id = row.memory.id
        earlier = self.rows.get(memory_id)
        if earlier is not None and earlier.text_hash != row.text_hash:
            self.hashes[earlier.text_hash] = tuple(i for i in self.hashes[earlier.text_hash] if i != memory_id)
        if earlier is None or earlier.text_hash != row.text_hash:
            self.hashes[row.text_hash] = (*self.hashes.get(row.text_hash, ()), memory_id)
        self.rows[memory_id] = row
        self.ids[row.number] = memory_id

    def row_of(self, number: int) -> Row | None:
        """The live row of a number."""
        row = self.rows.get(self.ids.get(number, ""))
        return row if row is not None and row.live else None


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptReceipt:
    """What a batch with an idempotency key ended in, without the memories, and when."""

    request_sha256: str
    outcomes: tuple[Changed, ...]
    committed_ms: int


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptJob:
    """A job, its place in the queue, and until when its worker may take."""

    job: Job
    place: int
    lease_until_ms: int = 0


class State:
    """All that one store holds. Whoever reads or writes it holds `lock`."""

    def __init__(self, *, identity: EmbeddingIdentity, clock: Clock) -> None:
        self.lock = RLock()
        self.clock = clock
        self.configured = identity
        self.stamped: EmbeddingIdentity | None = None
        self.target: EmbeddingIdentity | None = None
        self.node_id = uuid4().hex
        self.shelves: dict[Scope, Shelf] = {}
        self.workspaces: dict[Scope, Workspace] = {}
        self.users: dict[Scope, dict[str, User]] = {}
        self.receipts: dict[tuple[Scope, str], KeptReceipt] = {}
        self.keys: dict[str, ApiKey] = {}
        self.jobs: dict[str, KeptJob] = {}
        self.usage: dict[tuple[str, ...], UsageRecord] = {}
        self._seq = 0
        self._number = 0
        self._hlc = 0

    def shelf(self, scope: Scope) -> Shelf:
        """The rows of a workspace; an empty shelf, which is not kept, for one that is missing."""
        return self.shelves.get(scope) or Shelf()

    def rows(self) -> Iterator[tuple[Shelf, Row]]:
        """Every row of every workspace with the shelf that it is on."""
        for shelf in self.shelves.values():
            for row in tuple(shelf.rows.values()):
                yield shelf, row

    def next_number(self) -> int:
        """A number that no text of this store has had."""
        self._number += 1
        return self._number

    def written(self, memory: Memory) -> Memory:
        """The memory with the sequence number and the logical time of a new write."""
        self._seq += 1
        self._hlc = tick_hlc(self._hlc, self.clock.now_ms())
        return replace(memory, seq=self._seq, hlc=self._hlc, node_id=self.node_id)

    def ensure_workspace(self, scope: Scope, *, name: str = "", metadata: JsonObject | None = None) -> Workspace:
        """The workspace, made now if it is missing."""
        if scope not in self.workspaces:
            now_ms = self.clock.now_ms()
            self.workspaces[scope] = Workspace(
                scope=scope,
                name=name,
                data_key_id=make_uuid7(now_ms),
                created_ms=now_ms,
                updated_ms=now_ms,
                version=1,
                metadata=metadata or {},
            )
        return self.workspaces[scope]


def keep_json(value: JsonObject) -> JsonObject:
    """A copy of a JSON object as it comes back from being written, so that no caller can change what is kept.

    Raises `InvalidRequest` for what JSON cannot say.
    """
    if not value:
        return {}
    try:
        kept: JsonObject = json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise InvalidRequest(f"metadata and details must be JSON, without NaN or infinity: {error}") from error
    return kept


def show(memory: Memory) -> Memory:
    """A memory that the caller may keep: changing its metadata changes nothing in the store."""
    if not memory.metadata and not memory.details:
        return memory
    return replace(memory, metadata=deepcopy(memory.metadata), details=deepcopy(memory.details))
