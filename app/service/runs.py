"""A conversation under way: its kept turns, what the store knows of them, and what is made of them."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from app.domain.change import Changed, ChangeState
from app.domain.conversation import Trajectory, trust_of
from app.domain.memory import MemoryDraft
from app.service.distillation import Distilled
from app.service.marks import Mark, read_mark
from app.service.quarantine import is_hidden
from app.service.sources import Passage, Source
from app.service.turns import Turn, is_named

_KNOWN = frozenset({ChangeState.DUPLICATE, ChangeState.MISSING})


@dataclass(kw_only=True, slots=True)
class Run:
    """A trajectory under way: its kept turns, the raw memories of each, and what was made of them.

    `done` turns from the first are covered by earlier marks.
    """

    trajectory: Trajectory
    turns: tuple[Turn, ...]
    raw: list[list[Changed]] = field(default_factory=list)
    done: int = 0
    made: Distilled | None = None
    drafts: tuple[MemoryDraft, ...] = ()

    def marks(self) -> Iterator[tuple[int, Mark]]:
        """How many turns each mark covers, and the mark."""
        for count, pieces in enumerate(self.raw, start=1):
            mark = read_mark(pieces[-1].memory)
            if mark is not None:
                yield count, mark

    @property
    def passage(self) -> Passage:
        """What the extractor is shown of the turns that no mark covers.

        Turns that were deleted or are quarantined say nothing, and the others keep their numbers.
        """
        begun = self.turns[self.done - 1].number if self.done else 0
        sources: dict[int, Source] = {}
        for turn, pieces in zip(self.turns[self.done :], self.raw[self.done :], strict=True):
            kept = next((piece.memory for piece in pieces if piece.memory is not None), None)
            created_ms = turn.message.created_ms
            said_ms = created_ms or 0 if kept is None else kept.valid_from_ms
            sources[turn.number] = Source(
                line=turn.number - begun,
                number=turn.number,
                path=turn.path,
                memory_ids=tuple(piece.memory_id for piece in pieces),
                created_ms=created_ms,
                said_ms=said_ms,
                trust=trust_of(turn.message.role),
                asked=not any(is_silent(piece) for piece in pieces),
            )
        messages = []
        for number, message in enumerate(self.trajectory.messages[begun:], start=begun + 1):
            source = sources.get(number)
            if source is not None:
                text = message.content if source.asked else ""
                messages.append(replace(message, content=text, created_ms=source.said_ms))
            else:
                messages.append(message)
        return Passage(trajectory=replace(self.trajectory, messages=tuple(messages)), sources=tuple(sources.values()))

    def count_known(self) -> int:
        """How many turns from the first were there before, as they stand here; deleted ones were.

        Where the path is a hash of all that was said before, one turn that was there vouches for those before it.
        """
        known = [all(piece.state in _KNOWN for piece in pieces) for pieces in self.raw]
        if is_named(self.trajectory):
            return known.index(False) if False in known else len(known)
        return len(known) - known[::-1].index(True) if True in known else 0


def is_silent(piece: Changed) -> bool:
    """Whether a raw memory is not shown to an extractor: it was deleted, or is quarantined."""
    return piece.state is ChangeState.MISSING or (piece.memory is not None and is_hidden(piece.memory))


def name_task(run: Run) -> str:
    """What runs of the same task have in common: its id, else what the agent was asked first."""
    asked = next((turn.message.content for turn in run.turns if turn.message.role == "user"), "")
    return f"id {run.trajectory.task_id}" if run.trajectory.task_id else f"asked {asked}"
