"""Distillation: what an extractor makes of turns, merged with what is known; now, or later of the stored turns."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from app.domain.access import Permission, Principal
from app.domain.change import Changed, Receipt
from app.domain.conversation import NO_MODEL, WITHHELD, Message, Trajectory, trust_of, why_skipped
from app.domain.memory import Memory, MemoryDraft, MemoryKind, Scope
from app.domain.spending import charging
from app.errors import ModelError, NotFound
from app.ports import Extractor
from app.service.authorisation import authorise
from app.service.deferral import Deferral, DistilRequest, StoredRun, fingerprint
from app.service.marks import Mark, find_standing, put_mark, read_mark
from app.service.memories import Memories
from app.service.merging import Merger, end_replaced
from app.service.metering import payer_of
from app.service.quarantine import is_hidden
from app.service.sources import Attached, Passage, Source, attach, join_sources

OPERATION = "extract"
"""What calls of models are charged as."""
MODEL = "model:"
"""The names of extractors that ask a model begin so."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Distilled:
    """What is to be added for each passage, and who made it.

    `skipped` says why a model did not do it all, and `later` what is left to it; None where nothing is.
    """

    drafts: tuple[tuple[MemoryDraft, ...], ...]
    extractor: str
    skipped: str = ""
    later: DistilRequest | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Resumed:
    """What became of a deferred distillation: `skipped` says why nothing was done yet."""

    skipped: str = ""
    memory_ids: tuple[str, ...] = ()


class Distiller:
    """Distils passages of conversations. May be used from any thread.

    Without a `merger` the store's rules merge; without a `deferral` what a model could not do stays undone.
    """

    def __init__(
        self,
        *,
        memories: Memories,
        extractor: Extractor,
        merger: Merger | None = None,
        deferral: Deferral | None = None,
    ) -> None:
        self._memories = memories
        self._extractor = extractor
        self._merger = merger
        self._deferral = deferral

    def distil(
        self,
        principal: Principal,
        scope: Scope,
        passages: Sequence[Passage],
        *,
        kind: MemoryKind,
        user_id: str = "",
        earlier: Iterable[Memory] = (),
    ) -> Distilled:
        """What passages that belong together tell; models are charged to the principal's workspace.

        `earlier` are memories that were made of the same turns before. Nothing is written.
        """
        trajectories = [passage.trajectory for passage in passages]
        sources = join_sources(passages)
        with charging(payer_of(scope, OPERATION, key_id=principal.key_id)):
            if kind is MemoryKind.PERSONAL:
                extraction = self._extractor.extract_personal(trajectories, user_id=user_id)
            else:
                extraction = self._extractor.extract_tasks(trajectories)
            attached = [attach(draft, scope, sources) for draft in extraction.drafts] if sources else []
            drafts, failed = self._merge(scope, attached, earlier)
        skipped = extraction.skipped or failed
        begun = 1 if failed else extraction.skipped_from
        of_source = {
            memory_id: place
            for place, passage in enumerate(passages)
            for source in passage.sources
            for memory_id in source.memory_ids
        }
        return Distilled(
            drafts=tuple(
                tuple(draft for draft in drafts if of_source[draft.source_ids[0]] == place)
                for place in range(len(passages))
            ),
            extractor=extraction.extractor,
            skipped=skipped,
            later=_request(passages, sources, begun, kind=kind, user_id=user_id) if skipped else None,
        )

    def defer(self, principal: Principal, scope: Scope, distilled: Distilled) -> None:
        """Let what a model could not do be done later.

        Where there is no model, or its answer may not be kept, there is nothing to wait for.
        """
        waits = distilled.skipped not in (NO_MODEL, WITHHELD)
        if self._deferral is not None and distilled.later is not None and waits:
            self._deferral.defer(principal, scope, distilled.later, distilled.skipped)

    def resume(self, principal: Principal, workspace_id: str, request: DistilRequest) -> Resumed:
        """Distil turns that are stored and that no model has seen; of those it has seen nothing is made again.

        What a model answers for is written under a receipt of its turns, so that it is written once; where it does
        not answer, nothing is. Needs memory:write. Raises a `StoreError`, or as `Memories.add`.
        """
        scope = authorise(principal, Permission.MEMORY_WRITE, workspace_id)
        waiting = [stored for run in request.runs if (stored := self._read(principal, workspace_id, run)) is not None]
        if not waiting:
            return Resumed()
        earlier = find_standing(
            self._memories,
            principal,
            workspace_id,
            [memory_id for stored in waiting if stored.mark is not None for memory_id in stored.mark.memory_ids],
        )
        distilled = self.distil(
            principal,
            scope,
            [stored.passage for stored in waiting],
            kind=request.kind,
            user_id=request.user_id,
            earlier=earlier.values(),
        )
        # The rules have looked at these turns before.
        made = [[draft for draft in drafts if not draft.metadata or _is_models(draft)] for drafts in distilled.drafts]
        if distilled.skipped and (distilled.later is None or distilled.later.runs == _runs(waiting)):
            return Resumed(skipped=distilled.skipped)
        outcomes: list[Changed] = []
        if any(made):
            written = fingerprint(request)
            receipt = Receipt(key=f"distilled {written}", request_sha256=written)
            flat = [draft for drafts in made for draft in drafts]
            committed = self._memories.add(
                principal, workspace_id, flat, receipt=receipt, skip_deleted=True, judged=True
            )
            outcomes += committed.outcomes
            # What a receipt answers for was made of another answer of the model, which no draft here tells.
            drafts = [None] * len(outcomes) if committed.replayed else flat
            end_replaced(self._memories, principal, workspace_id, zip(drafts, outcomes, strict=True))
        self.defer(principal, scope, distilled)
        for number, stored in enumerate(waiting):
            old = stored.mark.memory_ids if stored.mark is not None else ()
            new = [outcome.memory_id for outcome in outcomes] if number == 0 else []
            mark = Mark(
                extractor=distilled.extractor,
                score=stored.run.score,
                memory_ids=tuple(dict.fromkeys((*old, *new))),
                skipped=distilled.skipped,
            )
            put_mark(self._memories, principal, workspace_id, stored.last_id, mark)
        return Resumed(memory_ids=tuple(dict.fromkeys(outcome.memory_id for outcome in outcomes)))

    def _merge(
        self, scope: Scope, attached: Sequence[Attached], earlier: Iterable[Memory]
    ) -> tuple[list[MemoryDraft], str]:
        """The drafts with a model's ones merged, and why they were not, if so."""
        asked = [each for each in attached if _is_models(each.draft) and not each.hidden]
        if self._merger is None or not asked:
            return [each.draft for each in attached], ""
        try:
            merged = self._merger.merge(scope, asked, earlier)
        except ModelError as failure:
            return [each.draft for each in attached], why_skipped(failure)
        rest = [each.draft for each in attached if each not in asked]
        return [*merged, *rest], ""

    def _read(self, principal: Principal, workspace_id: str, run: StoredRun) -> "_Stored | None":
        """A run's turns as they are stored now; None where nothing is left of them, or a model has seen them."""
        raw: list[Memory] = []
        for memory_id in run.raw_ids:
            try:
                raw.append(self._memories.get(principal, workspace_id, memory_id))
            except NotFound:
                continue  # deleted since
        if not raw:
            return None
        mark = read_mark(raw[-1])
        if mark is not None and (not mark.skipped or mark.score != run.score):
            return None
        return _Stored(run=run, passage=_restore(raw, run), mark=mark, last_id=raw[-1].id)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Stored:
    run: StoredRun
    passage: Passage
    mark: Mark | None
    last_id: str


def _restore(raw: Sequence[Memory], run: StoredRun) -> Passage:
    """The passage of raw memories: pieces of a turn joined, and what is quarantined left out."""
    turns: dict[tuple[str, int], list[Memory]] = {}
    for memory in raw:
        turns.setdefault((memory.origin.path, memory.origin.start_line), []).append(memory)
    messages, sources = [], []
    for line, ((path, number), pieces) in enumerate(turns.items(), start=1):
        first = pieces[0]
        role = str(first.metadata.get("role", first.author))
        asked = not any(is_hidden(piece) for piece in pieces)
        text = "\n".join(piece.content for piece in pieces) if asked else ""
        messages.append(Message(role=role, content=text, name=first.author, created_ms=first.valid_from_ms))
        sources.append(
            Source(
                line=line,
                number=number,
                path=path,
                memory_ids=tuple(piece.id for piece in pieces),
                created_ms=first.valid_from_ms,
                said_ms=first.valid_from_ms,
                trust=trust_of(role),
                asked=asked,
            )
        )
    trajectory = Trajectory(messages=tuple(messages), score=run.score, task_id=run.task_id)
    return Passage(trajectory=trajectory, sources=tuple(sources))


def _request(
    passages: Sequence[Passage], sources: Sequence[Source], begun: int, *, kind: MemoryKind, user_id: str
) -> DistilRequest:
    """What is left to distil: the turns from a line on."""
    left = {memory_id for source in sources if source.line >= begun for memory_id in source.memory_ids}
    runs = tuple(
        StoredRun(
            raw_ids=tuple(each for source in passage.sources for each in source.memory_ids if each in left),
            score=passage.trajectory.score,
            task_id=passage.trajectory.task_id,
        )
        for passage in passages
    )
    return DistilRequest(kind=kind, user_id=user_id, runs=tuple(run for run in runs if run.raw_ids))


def _runs(waiting: Iterable[_Stored]) -> tuple[StoredRun, ...]:
    """The runs with the turns that are there still."""
    return tuple(
        replace(stored.run, raw_ids=tuple(each for source in stored.passage.sources for each in source.memory_ids))
        for stored in waiting
    )


def _is_models(draft: MemoryDraft) -> bool:
    return str(draft.metadata.get("extractor", "")).startswith(MODEL)
