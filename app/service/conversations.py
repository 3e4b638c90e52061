"""Conversations: what was said is kept word for word, and what an extractor makes of it beside it.

Raw turns are committed first, distilled memories second: a distilled memory names the raw ones that it was made of,
and only the store knows which of these were there already. A turn is known again by its words and its place, a
distilled memory by an id that follows from its words and its first source, so a request that broke off in between, or
comes twice, is completed by the next and adds nothing twice. Last, the final turn of a conversation is marked with what
was made of it so far. Marked turns are not distilled again: clients send whole conversations with every new
turn, and a memory that was superseded or deleted since must not come back by that.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import chain

from app.domain.access import Permission, Principal
from app.domain.change import Changed, ChangeState, Receipt
from app.domain.conversation import Extraction, Trajectory
from app.domain.memory import JsonObject, Memory, MemoryDraft, MemoryKind, MemoryPatch, Origin, Scope, content_hash
from app.errors import AlreadyExists, NotFound
from app.ports import Extractor
from app.service.authorisation import authorise
from app.service.limits import BATCH_CHANGES, SOURCES
from app.service.memories import Memories
from app.service.turns import Turn, draft_pieces, is_named, read_turns

MARK = "distilled"
"""The key in a raw memory's details under which its conversation's distillation up to there is noted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Remembered:
    """What a request left behind.

    `memories` are the distilled ones that stand now, made of these turns by this request or an earlier one; `raw_ids`
    are those of all turns. `inserted` counts the distilled memories that are new.
    """

    memories: tuple[Memory, ...]
    raw_ids: tuple[str, ...]
    inserted: int
    superseded_ids: tuple[str, ...]
    extractor: str


@dataclass(kw_only=True, slots=True)
class _Run:
    """A trajectory under way: its kept turns, the raw memories of each, and what was made of them."""

    trajectory: Trajectory
    turns: tuple[Turn, ...]
    raw: list[list[Changed]] = field(default_factory=list)
    extraction: Extraction | None = None
    drafts: list[MemoryDraft] = field(default_factory=list)

    def marks(self) -> Iterator[tuple[int, "_Mark"]]:
        """How many turns each mark covers, and the mark."""
        for count, pieces in enumerate(self.raw, start=1):
            mark = _read_mark(pieces[-1].memory)
            if mark is not None:
                yield count, mark

    def count_known(self) -> int:
        """How many turns from the first were there before, as they stand here.

        Where the path is a hash of all that was said before, one turn that was there vouches for those before it.
        """
        known = [all(piece.state is ChangeState.DUPLICATE for piece in pieces) for pieces in self.raw]
        if is_named(self.trajectory):
            return known.index(False) if False in known else len(known)
        return len(known) - known[::-1].index(True) if True in known else 0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Mark:
    extractor: str
    score: float | None
    memory_ids: tuple[str, ...]


class Conversations:
    """Remembers conversations and agents' runs. May be used from any thread."""

    def __init__(self, *, memories: Memories, extractor: Extractor) -> None:
        self._memories = memories
        self._extractor = extractor

    def remember_personal(
        self,
        principal: Principal,
        workspace_id: str,
        trajectories: Sequence[Trajectory],
        *,
        user_id: str = "",
        receipt: Receipt | None = None,
    ) -> Remembered:
        """Keep what was said, without tools' outputs, and what it tells about the person who speaks.

        The extractor is given the turns that no mark covers. Needs memory:write. Raises `InvalidRequest` for a text
        that cannot be kept, `IdempotencyConflict`, or a `StoreError`.
        """
        scope = authorise(principal, Permission.MEMORY_WRITE, workspace_id)
        runs = [
            _Run(trajectory=trajectory, turns=read_turns(trajectory, with_tools=False)) for trajectory in trajectories
        ]
        self._keep(principal, scope, runs, receipt, kind=MemoryKind.PERSONAL, user_id=user_id)
        for run in runs:
            known = run.count_known()
            done = max((count for count, _ in run.marks() if count <= known), default=0)
            if done < len(run.turns):
                begun = run.turns[done - 1].number if done else 0
                rest = replace(run.trajectory, messages=run.trajectory.messages[begun:])
                run.extraction = self._extractor.extract_personal([rest], user_id=user_id)
                run.drafts = [_attach(draft, scope, run, done) for draft in run.extraction.drafts]
        return self._settle(
            principal, scope, runs, receipt, extract=lambda: self._extractor.extract_personal((), user_id=user_id)
        )

    def remember_tasks(
        self,
        principal: Principal,
        workspace_id: str,
        trajectories: Sequence[Trajectory],
        *,
        receipt: Receipt | None = None,
    ) -> Remembered:
        """Keep agents' runs, with tools' outputs, and what helps when such a task comes again.

        A run is distilled as a whole: again only when it comes with more turns, or with another score. Needs
        memory:write. Raises as `remember_personal`.
        """
        scope = authorise(principal, Permission.MEMORY_WRITE, workspace_id)
        runs = [
            _Run(trajectory=trajectory, turns=read_turns(trajectory, with_tools=True)) for trajectory in trajectories
        ]
        self._keep(principal, scope, runs, receipt, kind=MemoryKind.TASK, user_id="")
        for run in runs:
            known = run.count_known() == len(run.turns)
            judged = [mark.score for count, mark in run.marks() if count == len(run.turns)]
            if run.turns and not (known and run.trajectory.score in judged):
                run.extraction = self._extractor.extract_tasks([run.trajectory])
                run.drafts = [_attach(draft, scope, run, 0) for draft in run.extraction.drafts]
        return self._settle(principal, scope, runs, receipt, extract=lambda: self._extractor.extract_tasks(()))

    def _keep(
        self,
        principal: Principal,
        scope: Scope,
        runs: Sequence[_Run],
        receipt: Receipt | None,
        *,
        kind: MemoryKind,
        user_id: str,
    ) -> None:
        """Commit the raw turns and note on each run what became of them."""
        pieces = [[draft_pieces(turn, kind=kind, user_id=user_id) for turn in run.turns] for run in runs]
        drafts = list(chain.from_iterable(chain.from_iterable(pieces)))
        changed = iter(self._add(principal, scope, drafts, receipt, "raw"))
        for run, turns in zip(runs, pieces, strict=True):
            run.raw = [[next(changed) for _ in turn] for turn in turns]

    def _settle(
        self,
        principal: Principal,
        scope: Scope,
        runs: Sequence[_Run],
        receipt: Receipt | None,
        *,
        extract: Callable[[], Extraction],
    ) -> Remembered:
        """Commit what was distilled, mark the turns that it covers, and gather what stands now."""
        drafts = [draft for run in runs for draft in run.drafts]
        changed = self._add(principal, scope, drafts, receipt, "distilled")
        of_draft = {draft.id: outcome for draft, outcome in zip(drafts, changed, strict=True)}
        superseded_ids = tuple(dict.fromkeys(chain.from_iterable(outcome.superseded_ids for outcome in changed)))
        found: dict[str, Memory] = {}
        extractor = ""
        for run in runs:
            for _, mark in run.marks():
                extractor = mark.extractor
                for memory_id in mark.memory_ids:
                    self._find(principal, scope, memory_id, found)
            if run.extraction is not None:
                extractor = run.extraction.extractor
                outcomes = [of_draft[draft.id] for draft in run.drafts]
                found |= {outcome.memory_id: outcome.memory for outcome in outcomes if outcome.memory is not None}
                memory_ids = dict.fromkeys(outcome.memory_id for outcome in outcomes)
                self._mark(principal, scope, run, run.extraction.extractor, list(memory_ids))
        standing = (memory for memory in found.values() if not memory.superseded and memory.id not in superseded_ids)
        return Remembered(
            memories=tuple(standing),
            raw_ids=tuple(dict.fromkeys(piece.memory_id for run in runs for turn in run.raw for piece in turn)),
            inserted=sum(outcome.state is ChangeState.CREATED for outcome in changed),
            superseded_ids=superseded_ids,
            extractor=extractor or extract().extractor,
        )

    def _add(
        self, principal: Principal, scope: Scope, drafts: Sequence[MemoryDraft], receipt: Receipt | None, part: str
    ) -> list[Changed]:
        """Commit drafts in batches and return what became of each. The first raw batch has the caller's own key."""
        outcomes: list[Changed] = []
        for start in range(0, len(drafts), BATCH_CHANGES):
            own = receipt
            if receipt is not None and (part, start) != ("raw", 0):
                own = replace(receipt, key=f"{receipt.key}#{part}-{start}")
            outcomes += self._add_batch(principal, scope, drafts[start : start + BATCH_CHANGES], own)
        return outcomes

    def _add_batch(
        self, principal: Principal, scope: Scope, drafts: Sequence[MemoryDraft], receipt: Receipt | None
    ) -> list[Changed]:
        """Commit a batch; what was deleted since it was distilled stays deleted, and the rest is added without it."""
        try:
            return list(self._memories.add(principal, scope.workspace_id, drafts, receipt=receipt).outcomes)
        except AlreadyExists:
            if len(drafts) == 1:
                return [Changed(state=ChangeState.MISSING, memory_id=drafts[0].id)]
            half = len(drafts) // 2
            parts = (drafts[:half], drafts[half:])
            return list(chain.from_iterable(self._add_batch(principal, scope, part, None) for part in parts))

    def _find(self, principal: Principal, scope: Scope, memory_id: str, found: dict[str, Memory]) -> None:
        if memory_id not in found:
            try:
                found[memory_id] = self._memories.get(principal, scope.workspace_id, memory_id)
            except NotFound:
                return  # deleted since

    def _mark(self, principal: Principal, scope: Scope, run: _Run, extractor: str, memory_ids: Sequence[str]) -> None:
        """Note on the last turn what was made of the turns that no earlier mark covers."""
        made: JsonObject = {"extractor": extractor, "score": run.trajectory.score, "memory_ids": memory_ids}
        last_id = run.raw[-1][-1].memory_id
        try:
            last = self._memories.get(principal, scope.workspace_id, last_id)
            if _read_mark(last) != _read_mark(replace(last, details={MARK: made})):
                patch = MemoryPatch(details={**last.details, MARK: made})
                self._memories.update(principal, scope.workspace_id, last_id, patch)
        except NotFound:
            return  # deleted in this moment


def _attach(draft: MemoryDraft, scope: Scope, run: _Run, done: int) -> MemoryDraft:
    """A draft with its sources, its place and its id; one that names no turn is of all turns that it was made of."""
    begun = run.turns[done - 1].number if done else 0
    first, last = begun + (draft.origin.start_line or 1), begun + draft.origin.end_line
    if not draft.origin.start_line:
        last = run.turns[-1].number
    sources = [
        (turn, piece.memory_id)
        for turn, pieces in zip(run.turns, run.raw, strict=True)
        if first <= turn.number <= last
        for piece in pieces
    ] or [(run.turns[-1], run.raw[-1][-1].memory_id)]
    turn = sources[0][0]
    attached = replace(
        draft,
        origin=Origin(path=turn.path, source="conversation", start_line=first, end_line=last),
        source_ids=tuple(memory_id for _, memory_id in sources)[:SOURCES],
        valid_from_ms=turn.message.created_ms if draft.valid_from_ms is None else draft.valid_from_ms,
    )
    return replace(attached, id=_identify(attached, scope))


def _identify(draft: MemoryDraft, scope: Scope) -> str:
    """The id of a distilled memory: a UUID of version 7 with its first source's time, and a hash for chance."""
    source = draft.source_ids[0]
    parts = (scope.tenant_id, scope.workspace_id, source, draft.slot, content_hash(draft))
    digest = sha256("\x1f".join(parts).encode()).hexdigest()
    return f"{source[:12]}7{digest[:3]}{8 + int(digest[3], 16) % 4:x}{digest[4:19]}"


def _read_mark(memory: Memory | None) -> _Mark | None:
    made = memory.details.get(MARK) if memory is not None else None
    match made:
        case {"extractor": str(extractor), "score": score, "memory_ids": list() | tuple() as memory_ids}:
            judged = float(score) if isinstance(score, int | float) else None
            return _Mark(extractor=extractor, score=judged, memory_ids=tuple(str(each) for each in memory_ids))
    return None
