"""The mark on a conversation's last turn: what was made of the turns up to there, so that it is not made again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.domain.access import Principal
from app.domain.memory import JsonObject, Memory, MemoryPatch
from app.errors import NotFound
from app.service.memories import Memories

MARK = "distilled"
"""The key in a raw memory's details under which its conversation's distillation up to there is noted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """What was made of the turns that no earlier mark covers; `skipped` says why a model has not seen them yet."""

    extractor: str
    score: float | None
    memory_ids: tuple[str, ...]
    skipped: str = ""

    def write(self) -> JsonObject:
        """The mark as it stands in details."""
        made: JsonObject = {"extractor": self.extractor, "score": self.score, "memory_ids": list(self.memory_ids)}
        return {**made, "skipped": self.skipped} if self.skipped else made


def read_mark(memory: Memory | None) -> Mark | None:
    """The mark on a raw memory, if it has one."""
    made = memory.details.get(MARK) if memory is not None else None
    skipped = made.get("skipped") if isinstance(made, Mapping) else None
    match made:
        case {"extractor": str(extractor), "score": score, "memory_ids": list() | tuple() as memory_ids}:
            return Mark(
                extractor=extractor,
                score=float(score) if isinstance(score, int | float) else None,
                memory_ids=tuple(str(each) for each in memory_ids),
                skipped=skipped if isinstance(skipped, str) else "",
            )
    return None


def find_standing(
    memories: Memories, principal: Principal, workspace_id: str, memory_ids: Sequence[str]
) -> dict[str, Memory]:
    """The memories of these ids that are still there and stand, by their ids."""
    found = {}
    for memory_id in dict.fromkeys(memory_ids):
        try:
            memory = memories.get(principal, workspace_id, memory_id)
        except NotFound:
            continue  # deleted since
        if not memory.superseded:
            found[memory_id] = memory
    return found


def put_mark(memories: Memories, principal: Principal, workspace_id: str, last_id: str, mark: Mark) -> None:
    """Note on a raw memory what was made of the turns up to it, unless it says so already or was deleted."""
    try:
        last = memories.get(principal, workspace_id, last_id)
        if read_mark(last) != mark:
            patch = MemoryPatch(details={**last.details, MARK: mark.write()})
            memories.update(principal, workspace_id, last_id, patch, judged=True)
    except NotFound:
        return  # deleted in this moment
