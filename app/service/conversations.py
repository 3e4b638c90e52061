"""Conversations: what was said is kept word for word, and what an extractor makes of it beside it.

Raw turns are committed first, distilled memories second: a distilled memory names the raw ones that it was made of,
and only the store knows which of these were there already. A turn is known again by its words and its place, a
distilled memory by an id that follows from its words and its first source, so a request that broke off in between, or
comes twice, is completed by the next and adds nothing twice. Last, the final turn of a conversation is marked with what
was made of it so far. Marked turns are not distilled again: clients send whole conversations with every new
turn, and a memory that was superseded or deleted since must not come back by that. A turn that was deleted is not kept
again either, nor shown to the extractor, until its tombstone is purged.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import chain

from app.domain.access import Permission, Principal
from app.domain.change import Changed, ChangeState, Receipt
from app.domain.conversation import Extraction, Trajectory, trust_of
from app.domain.memory import Memory, MemoryDraft, MemoryKind, Scope
from app.ports import Extractor
from app.service.authorisation import authorise
from app.service.deferral import Deferral
from app.service.distillation import Distiller
from app.service.limits import BATCH_CHANGES
from app.service.marks import MARK, Mark, find_standing, put_mark
from app.service.memories import Memories
from app.service.merging import Merger, end_replaced
from app.service.moderation import Moderation, check_passages, passages_of_turns
from app.service.quarantine import find_reason, is_hidden, isolate
from app.service.runs import Run, name_task
from app.service.turns import Turn, draft_pieces, read_turns

__all__ = ["MARK", "Conversations", "Remembered"]

TOGETHER = 4
"""Runs of one task that are compared with each other; more would leave a model little of each."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Remembered:
    """What a request left behind.

    `memories` are the distilled ones that stand now, made of these turns by this request or an earlier one; `raw_ids`
    are those of all turns but the deleted ones. `inserted` counts the distilled memories that are new. `skipped` says
    why a model did not do it all ("no model", "spend cap", "unavailable" ...), empty where it did or rules were meant.
    """

    memories: tuple[Memory, ...]
    raw_ids: tuple[str, ...]
    inserted: int
    superseded_ids: tuple[str, ...]
    extractor: str
    skipped: str = ""


class Conversations:
    """Remembers conversations and agents' runs. May be used from any thread.

    A `merger` holds what a model extracts against what is known; a `deferral` has done later what a model could not do.
    `moderation` judges turns before any is kept; those that were `judged` before it does not see again. What models
    answer is judged where they are asked.
    """

    def __init__(
        self,
        *,
        memories: Memories,
        extractor: Extractor,
        merger: Merger | None = None,
        deferral: Deferral | None = None,
        moderation: Moderation | None = None,
    ) -> None:
        self._moderation = moderation
        self._memories = memories
        self._extractor = extractor
        self.distiller = Distiller(memories=memories, extractor=extractor, merger=merger, deferral=deferral)
        """Also for what was deferred."""

    def remember_personal(
        self,
        principal: Principal,
        workspace_id: str,
        trajectories: Sequence[Trajectory],
        *,
        user_id: str = "",
        receipt: Receipt | None = None,
        judged: bool = False,
    ) -> Remembered:
        """Keep what was said, without tools' outputs, and what it tells about the person who speaks.

        The extractor is given the turns that no mark covers. Needs memory:write. Raises `InvalidRequest` for a text
        that cannot be kept, `ContentRefused`, `ModerationUnavailable`, `IdempotencyConflict`, or a `StoreError`.
        """
        scope = authorise(principal, Permission.MEMORY_WRITE, workspace_id)
        runs = [
            Run(trajectory=trajectory, turns=read_turns(trajectory, with_tools=False)) for trajectory in trajectories
        ]
        if not judged:
            check_passages(self._moderation, principal, scope, passages_of_turns([run.turns for run in runs]))
        self._keep(principal, scope, runs, receipt, kind=MemoryKind.PERSONAL, user_id=user_id)
        for run in runs:
            known = run.count_known()
            run.done = max((count for count, _ in run.marks() if count <= known), default=0)
            if run.done < len(run.turns):
                self._distil(principal, scope, [run], kind=MemoryKind.PERSONAL, user_id=user_id)
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
        judged: bool = False,
    ) -> Remembered:
        """Keep agents' runs, with tools' outputs, and what helps when such a task comes again.

        A run is distilled as a whole: again only when it comes with more turns, or with another score. Needs
        memory:write. Raises as `remember_personal`.
        """
        scope = authorise(principal, Permission.MEMORY_WRITE, workspace_id)
        runs = [
            Run(trajectory=trajectory, turns=read_turns(trajectory, with_tools=True)) for trajectory in trajectories
        ]
        if not judged:
            check_passages(self._moderation, principal, scope, passages_of_turns([run.turns for run in runs]))
        self._keep(principal, scope, runs, receipt, kind=MemoryKind.TASK, user_id="")
        new: dict[str, list[Run]] = {}
        for run in runs:
            known = run.count_known() == len(run.turns)
            scores = [mark.score for count, mark in run.marks() if count == len(run.turns)]
            if run.turns and not (known and run.trajectory.score in scores):
                new.setdefault(name_task(run), []).append(run)
        for group in new.values():
            for start in range(0, len(group), TOGETHER):
                self._distil(principal, scope, group[start : start + TOGETHER], kind=MemoryKind.TASK)
        return self._settle(principal, scope, runs, receipt, extract=lambda: self._extractor.extract_tasks(()))

    def _distil(
        self, principal: Principal, scope: Scope, runs: Sequence[Run], *, kind: MemoryKind, user_id: str = ""
    ) -> None:
        """Have runs that belong together distilled, and note on each what is to be added."""
        made = self.distiller.distil(principal, scope, [run.passage for run in runs], kind=kind, user_id=user_id)
        for run, drafts in zip(runs, made.drafts, strict=True):
            run.made, run.drafts = made, drafts

    def _keep(
        self,
        principal: Principal,
        scope: Scope,
        runs: Sequence[Run],
        receipt: Receipt | None,
        *,
        kind: MemoryKind,
        user_id: str,
    ) -> None:
        """Commit the raw turns and note on each run what became of them."""
        pieces = [[_draft(turn, kind, user_id) for turn in run.turns] for run in runs]
        drafts = list(chain.from_iterable(chain.from_iterable(pieces)))
        changed = iter(self._add(principal, scope, drafts, receipt, "raw"))
        for run, turns in zip(runs, pieces, strict=True):
            run.raw = [[next(changed) for _ in turn] for turn in turns]

    def _settle(
        self,
        principal: Principal,
        scope: Scope,
        runs: Sequence[Run],
        receipt: Receipt | None,
        *,
        extract: Callable[[], Extraction],
    ) -> Remembered:
        """Commit what was distilled, mark the turns that it covers, and gather what stands now."""
        drafts = [draft for run in runs for draft in run.drafts]
        changed = self._add(principal, scope, drafts, receipt, "distilled")
        workspace_id = scope.workspace_id
        ended_ids = end_replaced(self._memories, principal, workspace_id, zip(drafts, changed, strict=True))
        of_draft = {draft.id: outcome for draft, outcome in zip(drafts, changed, strict=True)}
        superseded_ids = tuple(dict.fromkeys([*chain(*(outcome.superseded_ids for outcome in changed)), *ended_ids]))
        deferred = {id(run.made): run.made for run in runs if run.made is not None and run.made.skipped}
        for made in deferred.values():
            self.distiller.defer(principal, scope, made)
        found: dict[str, Memory] = {}
        extractor = ""
        for run in runs:
            for _, mark in run.marks():
                extractor = mark.extractor
                unread = [memory_id for memory_id in mark.memory_ids if memory_id not in found]
                found |= find_standing(self._memories, principal, workspace_id, unread)
            if run.made is not None:
                extractor = run.made.extractor
                outcomes = [of_draft[draft.id] for draft in run.drafts]
                found |= {outcome.memory_id: outcome.memory for outcome in outcomes if outcome.memory is not None}
                mark = Mark(
                    extractor=extractor,
                    score=run.trajectory.score,
                    memory_ids=tuple(dict.fromkeys(outcome.memory_id for outcome in outcomes)),
                    skipped=run.made.skipped,
                )
                put_mark(self._memories, principal, workspace_id, run.raw[-1][-1].memory_id, mark)
        standing = (
            memory
            for memory in found.values()
            if not memory.superseded and memory.id not in superseded_ids and not is_hidden(memory)
        )
        return Remembered(
            memories=tuple(standing),
            raw_ids=tuple(
                dict.fromkeys(
                    piece.memory_id
                    for run in runs
                    for piece in chain.from_iterable(run.raw)
                    if piece.state is not ChangeState.MISSING
                )
            ),
            inserted=sum(outcome.state is ChangeState.CREATED for outcome in changed),
            superseded_ids=superseded_ids,
            extractor=extractor or extract().extractor,
            skipped=next((made.skipped for made in deferred.values()), ""),
        )

    def _add(
        self, principal: Principal, scope: Scope, drafts: Sequence[MemoryDraft], receipt: Receipt | None, part: str
    ) -> list[Changed]:
        """Commit drafts in batches and return what became of each; what was deleted stays deleted.

        The first raw batch has the caller's own key. What is distilled depends on what was deleted since, so that the
        keys of its batches name their drafts: a receipt never answers for others.
        """
        outcomes: list[Changed] = []
        for start in range(0, len(drafts), BATCH_CHANGES):
            batch = drafts[start : start + BATCH_CHANGES]
            own = receipt
            if receipt is not None and (part, start) != ("raw", 0):
                named = sha256("".join(draft.id for draft in batch).encode()).hexdigest()[:16]
                own = replace(receipt, key=f"{receipt.key}#{part}-{start}-{named}")
            committed = self._memories.add(
                principal, scope.workspace_id, batch, receipt=own, skip_deleted=True, judged=True
            )
            outcomes += committed.outcomes
        return outcomes


def _draft(turn: Turn, kind: MemoryKind, user_id: str) -> tuple[MemoryDraft, ...]:
    """The raw memories of a turn, quarantined where it reads like an order to the agent."""
    pieces = draft_pieces(turn, kind=kind, user_id=user_id)
    trust = trust_of(turn.message.role)
    reason = find_reason(turn.message.content, trust)
    return tuple(isolate(piece, trust, reason) for piece in pieces) if reason else pieces
