"""Moves live workspaces, or a whole deployment, from one store to another."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

from app.domain.copying import MoveMark
from app.domain.embedding import EmbeddingIdentity
from app.domain.memory import Scope
from app.errors import InvalidRequest, NotFound, StoreBusy
from app.service.migration.copier import Copier, Show, ignore
from app.service.migration.freeze import Freeze
from app.service.migration.places import Place
from app.service.migration.verification import Comparison

LEASE_MS = 20_000
"""How long the source stays closed after the mover died."""
MOST_ROUNDS = 10
FEW_ROWS = 200
"""What is left when the source is closed takes well under a second."""
SEARCHED = 50
"""Workspaces in which searches are compared, the first ones; of all of them the rows are."""
_ATTEMPTS = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """One workspace to be moved, and why it cannot be; empty where it can."""

    scope: Scope
    memories: int
    tombstones: int
    text_bytes: int
    users: int
    is_there: bool
    refused: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What would be moved. `refused` says why nothing can be; empty where it can."""

    workspaces: tuple[Planned, ...]
    embedding: EmbeddingIdentity | None
    is_moved: bool
    refused: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Moved:
    """What a move came to: rows and objects that were written, rounds before the source was closed, and for how long.

    `findings` say what differs; then the source is open as before. `was_moved` says that there was nothing to do.
    """

    workspaces: int
    rows: int = 0
    objects: int = 0
    rounds: int = 0
    closed_s: float = 0.0
    findings: tuple[str, ...] = ()
    was_moved: bool = False


class Movement:
    """A move of `scopes`, or with None of everything; killed at any moment, it goes on when it is run again."""

    def __init__(
        self,
        source: Place,
        target: Place,
        *,
        scopes: Sequence[Scope] | None,
        keeps_source_open: bool = False,
        lease_ms: int = LEASE_MS,
        show: Show = ignore,
    ) -> None:
        self._source, self._target = source, target
        self._scopes = None if scopes is None else tuple(dict.fromkeys(scopes))
        self._keeps_source_open, self._lease_ms, self._show = keeps_source_open, lease_ms, show
        self._copier = Copier(source, target, show=show)

    # -- before

    def plan(self) -> Plan:
        """What would be moved; nothing is written."""
        return Plan(
            workspaces=tuple(self._plan_one(scope) for scope in self._list_scopes()),
            embedding=self._source.storage.spaces.identity(),
            is_moved=self._is_settled(),
            refused=self._refuse(),
        )

    def _plan_one(self, scope: Scope) -> Planned:
        contents = self._source.storage.memories.contents(scope)
        return Planned(
            scope=scope,
            memories=contents.memories,
            tombstones=contents.tombstones,
            text_bytes=contents.text_bytes,
            users=contents.users,
            is_there=self._target.find_workspace(scope) is not None,
            refused=self._copier.refuse(scope),
        )

    def _list_scopes(self) -> list[Scope]:
        """What is to be moved now; of everything also what was copied before, and is not there any more."""
        if self._scopes is not None:
            return list(self._scopes)
        return list(dict.fromkeys((*self._source.storage.copying.list_scopes(), *self._copier.list_stands())))

    def _refuse(self) -> str:
        """Why nothing can be moved; empty where it can."""
        if self._source.node_id == self._target.node_id:
            return f"{self._source.name} and {self._target.name} are the same store: name two"
        here, there = (place.storage.spaces.identity() for place in (self._source, self._target))
        if here is not None and there is not None and here != there:
            return (
                f"{self._target.name} was built with {there}, {self._source.name} with {here}: move into an empty "
                "store, or give one of them the other's embedding with `reme reembed`"
            )
        for mark in self._source.storage.copying.list_marks():
            if mark.until_ms is None and mark.target_id != self._target.node_id and self._concerns(mark):
                return f"{self._source.name}: {mark.message}"
        for mark in self._target.storage.copying.list_marks():
            if not self._concerns(mark):
                continue
            if mark.target_id != self._source.node_id:
                return f"{self._target.name}: {mark.message}"
            if mark.scope is None and self._scopes is not None:
                return (
                    f"all of {self._target.name} was moved to {self._source.name}: move all of it back, or take the "
                    "mark away with `reme migrate --back` first"
                )
        return ""

    def _check(self) -> None:
        for scope in self._scopes or ():
            if self._source.find_workspace(scope) is None and scope not in self._copier.list_stands():
                raise NotFound(f"{self._source.name} has no workspace {scope.workspace_id} of tenant {scope.tenant_id}")
        reason = self._refuse()
        if reason:
            raise InvalidRequest(reason)
        refused = [reason for scope in self._list_scopes() if (reason := self._copier.refuse(scope))]
        if refused:
            raise InvalidRequest(refused[0])

    def _concerns(self, mark: MoveMark) -> bool:
        return mark.scope is None or self._scopes is None or mark.scope in self._scopes

    def _is_settled(self) -> bool:
        """Whether the source says that all of this was moved to the target."""
        marks = self._source.storage.copying.list_marks()
        settled = {mark.scope for mark in marks if mark.until_ms is None and mark.target_id == self._target.node_id}
        return None in settled or (self._scopes is not None and set(self._scopes) <= settled)

    # -- the move

    def run(self) -> Moved:
        """Copy, catch up, close the source for a moment, catch up to the end, compare, and leave the source closed.

        Raises `NotFound` or `InvalidRequest` for what cannot be moved, `StoreBusy` where another
        mover is at it, or a `StoreError`; whatever was copied stays, and the move goes on when it is run again.
        """
        self._check()
        with self._target.storage.copying.passing():
            if self._is_settled():
                return self._end_move()
            rounds = self._catch_up()
            comparisons = {scope: self._prepare(scope) for scope in self._list_scopes()}
            for _ in range(_ATTEMPTS):
                outcome = self._close(rounds, comparisons)
                if outcome is not None:
                    return outcome
        raise StoreBusy(
            f"{self._source.name} was not closed for as long as the end of the move takes: repeat the move while less "
            "is written, or while this machine has less to do"
        )

    def _end_move(self) -> Moved:
        """Hand over what waits after a move that was interrupted behind its last comparison."""
        stands = self._copier.list_stands()
        left = [scope for scope in self._list_scopes() if scope in stands and not stands[scope].is_done]
        self._hand_over(left)
        return Moved(workspaces=len(left), was_moved=not left)

    def _catch_up(self) -> int:
        """Copy until few rows change meanwhile; returns how many rounds it took."""
        for done in range(1, MOST_ROUNDS + 1):
            if self._copy_all() <= FEW_ROWS:
                return done
        return MOST_ROUNDS

    def _copy_all(self) -> int:
        changed = sum(self._copier.copy(scope) for scope in self._list_scopes())
        if self._scopes is None:
            self._copier.copy_keys()
        return changed

    def _prepare(self, scope: Scope) -> Comparison:
        comparison = Comparison(self._source, self._target, scope)
        comparison.prepare()
        return comparison

    def _close(self, rounds: int, comparisons: dict[Scope, Comparison]) -> Moved | None:
        """The end of the move; None where writers came in between."""
        began = monotonic()
        with Freeze(self._source.storage.copying, self._make_marks(), lease_ms=self._lease_ms) as freeze:
            self._copy_all()
            scopes = self._list_scopes()
            findings = []
            for done, scope in enumerate(scopes):
                self._show("comparing", done, len(scopes))
                comparison = comparisons.get(scope) or self._prepare(scope)
                findings += comparison.finish(searches=done < SEARCHED)
            if not freeze.holds():
                return None
            if not findings and not self._keeps_source_open and not freeze.settle():
                return None
            moved = Moved(
                workspaces=len(scopes),
                rows=self._copier.rows,
                objects=self._copier.objects,
                rounds=rounds,
                closed_s=round(monotonic() - began, 3),
                findings=tuple(findings),
            )
        if not findings:
            self._hand_over(scopes)
        return moved

    def _make_marks(self) -> list[MoveMark]:
        named: Sequence[Scope | None] = (None,) if self._scopes is None else self._scopes
        return [MoveMark(scope=scope, target=self._target.name, target_id=self._target.node_id) for scope in named]

    def _hand_over(self, scopes: Sequence[Scope]) -> None:
        for scope in scopes:
            self._copier.hand_over(scope)
        for mark in self._target.storage.copying.list_marks():  # what was moved back is open again
            if mark.target_id == self._source.node_id and self._concerns(mark):
                self._target.storage.copying.reopen(mark.scope)


def move_back(source: Place, scopes: Sequence[Scope] | None) -> tuple[MoveMark, ...]:
    """Take the marks of moves away, so that the source is written to again; returns those that there were.

    What was written to the target meanwhile stays there: a move from there brings it.
    """
    copying = source.storage.copying
    settled = [mark for mark in copying.list_marks() if mark.until_ms is None]
    if scopes and any(mark.scope is None for mark in settled):
        raise InvalidRequest(f"all of {source.name} was moved: take the mark away without naming workspaces")
    wanted = [mark for mark in settled if not scopes or mark.scope in scopes]
    return tuple(mark for mark in wanted if copying.reopen(mark.scope))
