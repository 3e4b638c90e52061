"""Tools: what became of their calls, what that teaches, and what to know before the next call.

A workspace has one memory for each tool. Recording calls changes its details only, so no revision is kept of it;
summarising changes its text, and only when the words change, which hold rounded figures.
"""

from collections.abc import Callable, Sequence
from functools import partial
from hashlib import sha256
from random import random
from threading import Lock
from time import sleep

from app.domain.access import Permission, Principal
from app.domain.change import ChangeState
from app.domain.conversation import ToolCall
from app.domain.memory import JsonObject, Memory, MemoryDraft, MemoryKind, MemoryPatch, normalise_text
from app.domain.query import Comparison, Condition, MemoryFilter, SearchMode, SearchQuery
from app.domain.spending import charging
from app.errors import InvalidRequest, NotFound, VersionConflict
from app.service.authorisation import authorise
from app.service.memories import Memories
from app.service.metering import payer_of
from app.service.moderation import Moderation, check_passages, passages_of_values
from app.service.retrieval import Retrieval
from app.service.tool_calls import CALLS, Call, is_valid, merge, read_calls, record
from app.service.tool_guidelines import Guideline, ToolGuide
from app.service.tool_outcomes import ToolRecorded, ToolsRecorded, ToolsSummarised
from app.service.tool_summaries import count

__all__ = ["TOOL_NAME", "ToolRecorded", "Tools", "ToolsRecorded", "ToolsSummarised"]

TOOL_NAME = "tool_name"
"""The key in a tool memory's metadata; it is filtered by."""
STATISTICS = "statistics"
ATTEMPTS = 50
"""How often a change is tried against other processes' changes of the same tool that come first."""
LOCKS = 64
"""Threads of one process that change the same tool wait for each other, instead of trying again and again."""
MOST_CALLS = 1_000
MOST_NAMES = 100
NAMESAKES = 50
"""An imported memory has its tool's name only as `when_to_use`: it is looked for among so many that have its words."""
SLOT_CHARACTERS = 100


class Tools:
    """The tools of workspaces. May be used from any thread, and by several processes at once.

    The `guide` writes what calls show. It is asked while nothing is held: calls that come meanwhile are kept, and
    count as not summarised.
    """

    def __init__(
        self,
        *,
        memories: Memories,
        retrieval: Retrieval,
        guide: ToolGuide | None = None,
        moderation: Moderation | None = None,
    ) -> None:
        self._moderation = moderation
        self._guide = guide or ToolGuide()
        self._memories = memories
        self._retrieval = retrieval
        self._locks = tuple(Lock() for _ in range(LOCKS))

    def record_calls(self, principal: Principal, workspace_id: str, calls: Sequence[ToolCall]) -> ToolsRecorded:
        """Keep up to 1,000 calls, the newest 100 of each tool; each tool's are durable together.

        Calls without a tool's name are counted and left out. Needs memory:write. Raises `InvalidRequest` for too many
        calls, `ContentRefused`, `ModerationUnavailable`, `VersionConflict` where others change a tool all the time, or
        a `StoreError`.
        """
        scope = authorise(principal, Permission.MEMORY_WRITE, workspace_id)
        if len(calls) > MOST_CALLS:
            raise InvalidRequest(f"{len(calls):,} calls are too many: give at most {MOST_CALLS:,} at a time")
        by_tool: dict[str, list[Call]] = {}
        for call in filter(is_valid, calls):
            by_tool.setdefault(call.tool_name.strip(), []).append(record(call))
        tools: list[ToolRecorded] = []
        recorded = [call for new in by_tool.values() for call in new]
        check_passages(self._moderation, principal, scope, passages_of_values("call", recorded))
        for name, new in by_tool.items():
            with self._lock(workspace_id, name):
                tools.append(self._record(principal, workspace_id, name, new))
        return ToolsRecorded(
            tools=tuple(tools), total_input=len(calls), filtered=len(calls) - sum(len(new) for new in by_tool.values())
        )

    def summarise(self, principal: Principal, workspace_id: str, tool_names: Sequence[str]) -> ToolsSummarised:
        """Say in each tool's memory what its calls show, unless there are no new ones since the last time.

        Where a model fails, rules say it, and the next request asks the model again. Needs memory:write. Raises
        `InvalidRequest` for more than 100 names, or as `record_calls`.
        """
        scope = authorise(principal, Permission.MEMORY_WRITE, workspace_id)
        memories: list[Memory] = []
        summarised: list[str] = []
        skipped: list[str] = []
        missing: list[str] = []
        unanswered: list[str] = []
        for name in _check_names(tool_names):
            memory, changed = self._find(principal, workspace_id, name), False
            if memory is not None and not _is_summarised(memory):
                with charging(payer_of(scope, "extract", key_id=principal.key_id)):
                    guideline = self._guide.write(memory.when_to_use, read_calls(memory.details))
                unanswered += [guideline.skipped] if guideline.skipped else []
                with self._lock(workspace_id, name):
                    memory, changed = self._change(
                        principal, workspace_id, name, partial(_summarise, guideline=guideline)
                    )
            if memory is None:
                missing.append(name)
            else:
                memories.append(memory)
                (summarised if changed else skipped).append(name)
        return ToolsSummarised(
            memories=tuple(memories),
            summarised=tuple(summarised),
            skipped=tuple(skipped),
            missing=tuple(missing),
            model_skipped=next(iter(unanswered), ""),
        )

    def retrieve(self, principal: Principal, workspace_id: str, tool_names: Sequence[str]) -> tuple[Memory, ...]:
        """The memories of the tools of exactly these names, in their order, once each; unknown ones are left out.

        Needs memory:read. Raises `InvalidRequest` for more than 100 names.
        """
        authorise(principal, Permission.MEMORY_READ, workspace_id)
        found = (self._find(principal, workspace_id, name) for name in _check_names(tool_names))
        return tuple(memory for memory in found if memory is not None)

    def _lock(self, workspace_id: str, name: str) -> Lock:
        return self._locks[hash((workspace_id, name)) % LOCKS]

    def _record(self, principal: Principal, workspace_id: str, name: str, new: Sequence[Call]) -> ToolRecorded:
        """Add calls to a tool's memory, or make it; of two that make it at once one adds to the other's."""
        added = 0

        def add(memory: Memory) -> MemoryPatch | None:
            nonlocal added
            kept, added = merge(read_calls(memory.details), new)
            return _patch_calls(memory, name, kept, added) if added else None

        for _ in range(ATTEMPTS):
            memory, _ = self._change(principal, workspace_id, name, add)
            if memory is not None:
                return _tell(name, memory, len(new), added, created=False)
            kept, added = merge((), new)
            outcome = self._memories.add(principal, workspace_id, [_draft(name, kept, added)], judged=True).outcomes[0]
            if outcome.state is ChangeState.CREATED and outcome.memory is not None:
                memory = self._take_over(principal, workspace_id, name, outcome.memory, outcome.superseded_ids)
                return _tell(name, memory, len(new), added, created=not outcome.superseded_ids)
        raise VersionConflict(f"the memory of tool {name!r} is made and removed all the time: repeat the request")

    def _take_over(
        self, principal: Principal, workspace_id: str, name: str, memory: Memory, earlier_ids: Sequence[str]
    ) -> Memory:
        """Join the calls of memories of the same tool that came in between and were superseded by this one."""
        for earlier_id in earlier_ids:
            try:
                earlier = read_calls(self._memories.get(principal, workspace_id, earlier_id).details)
            except NotFound:
                continue

            def join(current: Memory, earlier: Sequence[Call] = earlier) -> MemoryPatch | None:
                kept, joined = merge(earlier, read_calls(current.details))
                return _patch_calls(current, name, kept, len(earlier)) if joined or earlier else None

            changed, _ = self._change(principal, workspace_id, name, join)
            memory = changed or memory
        return memory

    def _change(
        self,
        principal: Principal,
        workspace_id: str,
        name: str,
        make_patch: Callable[[Memory], MemoryPatch | None],
    ) -> tuple[Memory | None, bool]:
        """Change a tool's memory by a patch made of what it is, again if another change came first.

        Returns the memory, None where the tool is not known, and whether it was changed.
        """
        for attempt in range(1, ATTEMPTS + 1):
            memory = self._find(principal, workspace_id, name)
            patch = None if memory is None else make_patch(memory)
            if memory is None or patch is None:
                return memory, False
            try:
                changed = self._memories.update(
                    principal, workspace_id, memory.id, patch, expected_version=memory.version, judged=True
                )
            except VersionConflict:
                if attempt == ATTEMPTS:
                    raise
                sleep(random() * min(attempt, 10) / 1000)  # noqa: S311 - so that rivals do not meet again
            except NotFound:
                continue  # deleted in this moment: it is made anew
            else:
                return changed, True
        return None, False

    def _find(self, principal: Principal, workspace_id: str, name: str) -> Memory | None:
        """The memory of a tool: by its metadata, or where an import brought none, by what it is used for."""
        named = Condition(key=TOOL_NAME, comparison=Comparison.EQ, values=(name,))
        wanted = MemoryFilter(kinds=(MemoryKind.TOOL,), conditions=(named,))
        page = self._memories.scan(principal, workspace_id, wanted, limit=1)
        if page.items:
            return page.items[0]
        query = SearchQuery(
            text=name, top_k=NAMESAKES, mode=SearchMode.KEYWORD, filter=MemoryFilter(kinds=(MemoryKind.TOOL,))
        )
        hits = self._retrieval.search(principal, workspace_id, query).hits
        return next((hit.memory for hit in hits if hit.memory.when_to_use == name), None)


def _draft(name: str, calls: Sequence[Call], added: int) -> MemoryDraft:
    """A new tool's memory. Its words follow from the name, so that two that are made at once are one.

    Names that differ in case only are two tools, but one text to the store: a part of a hash tells them apart.
    """
    mark = "" if name == normalise_text(name) else f" ({sha256(name.encode()).hexdigest()[:8]})"
    return MemoryDraft(
        kind=MemoryKind.TOOL,
        content=f"{name}: calls are recorded and not summarised yet{mark}.",
        when_to_use=name,
        author="rule",
        tags=("tool",),
        metadata={TOOL_NAME: name, "extractor": "rule"},
        details={CALLS: calls, STATISTICS: count(calls, total=added)},
        score=_rate(calls),
        slot=f"tool:{name if len(name) <= SLOT_CHARACTERS else sha256(name.encode()).hexdigest()}",
    )


def _patch_calls(memory: Memory, name: str, calls: Sequence[Call], added: int) -> MemoryPatch:
    statistics = count(calls, total=_total(memory) + added)
    return MemoryPatch(
        metadata={**memory.metadata, TOOL_NAME: name},
        details={**memory.details, CALLS: calls, STATISTICS: statistics},
        score=_rate(calls),
    )


def _is_summarised(memory: Memory) -> bool:
    return all(call.get("is_summarized") for call in read_calls(memory.details))


def _summarise(memory: Memory, guideline: Guideline) -> MemoryPatch | None:
    """The patch that puts a guideline in place; None where every call was summarised meanwhile."""
    if _is_summarised(memory):
        return None
    calls = read_calls(memory.details)
    done: list[JsonObject] = [
        {**call, "is_summarized": bool(call.get("is_summarized")) or str(call.get("call_hash")) in guideline.covered}
        for call in calls
    ]
    return MemoryPatch(
        content=guideline.text if guideline.text != memory.content else None,
        metadata={**memory.metadata, "extractor": guideline.extractor},
        details={**memory.details, CALLS: done, STATISTICS: count(calls, total=_total(memory))},
        score=_rate(calls),
    )


def _total(memory: Memory) -> int:
    statistics = memory.details.get(STATISTICS)
    match statistics:
        case {"total_calls": int(total)}:
            return total
    return len(read_calls(memory.details))


def _rate(calls: Sequence[Call]) -> float:
    return sum(bool(call.get("success")) for call in calls) / len(calls) if calls else 0.0


def _tell(name: str, memory: Memory, received: int, added: int, *, created: bool) -> ToolRecorded:
    return ToolRecorded(
        tool_name=name, memory=memory, received=received, deduplicated=received - added, added=added, created=created
    )


def _check_names(tool_names: Sequence[str]) -> list[str]:
    names = list(dict.fromkeys(name.strip() for name in tool_names if name.strip()))
    if len(names) > MOST_NAMES:
        raise InvalidRequest(f"{len(names)} tools are too many: name at most {MOST_NAMES} at a time")
    return names
