"""A memory for programs: typed calls, whatever carries them out."""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Literal, Protocol, Self

from app.domain.identifiers import check_idempotency_key, check_memory_id, check_workspace_id
from app.errors import InvalidRequest
from reme_cloud import documents
from reme_cloud.records import (
    Added,
    ImportReport,
    JsonObject,
    MemoryRecord,
    MemoryType,
    Message,
    NewMemory,
    Outcome,
    Remembered,
    SearchMode,
    SearchResult,
    ToolCall,
    ToolCallsRecorded,
    ToolGuideline,
    Usage,
    Workspace,
)

DEFAULT_WORKSPACE = "default"
PAGE = 200
"""Items that a listing fetches at once."""


class Backend(Protocol):
    """Carries calls out. Documents are those of the service's HTTP API, both ways."""

    async def open(self) -> None:
        """Make ready."""

    async def close(self) -> None:
        """Let go."""

    async def call(
        self, name: str, workspace: str, document: Mapping[str, Any], *, key: str | None = None
    ) -> dict[str, Any]:
        """What a call comes to; `key` is the caller's Idempotency-Key. A memory's `id` stands in the document."""

    def export(self, workspace: str) -> AsyncIterator[dict[str, Any]]:
        """The lines of an export."""

    async def import_lines(self, workspace: str, lines: AsyncIterator[str]) -> dict[str, Any]:
        """The report of an import."""


class AsyncMemory:
    """Memories of workspaces. A context manager: it is usable within `async with`, from one event loop.

    `workspace` of a call wins over that of the client; another's workspace is `NotFound`, whether it exists or not.
    Every call may raise `InvalidRequest` for what contradicts a rule, `Unauthenticated`, `Forbidden`, `NotFound`,
    `RateLimited`, a `StoreError`, or `Unreachable`.
    """

    def __init__(self, backend: Backend, *, workspace: str) -> None:
        self._backend = backend
        self._workspace = workspace
        self._is_open = False

    def __repr__(self) -> str:
        return f"<AsyncMemory at {self._backend!r}>"

    async def __aenter__(self) -> Self:
        """Open what the memory is kept in, or make ready to ask a server; nothing is asked yet.

        Raises `InvalidRequest` where it is open: the inner block would close it for the outer one.
        """
        if self._is_open:
            raise InvalidRequest("the memory is open already: use the one that is, or close it first")
        self._is_open = True
        try:
            await self._backend.open()
        except BaseException:
            self._is_open = False
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Let go of it, once what is under way is done."""
        self._is_open = False
        await self._backend.close()

    async def add(
        self,
        memory: str | NewMemory,
        *,
        type: MemoryType = "personal",
        when_to_use: str = "",
        user_id: str = "",
        tags: Sequence[str] = (),
        metadata: JsonObject | None = None,
        slot: str = "",
        idempotency_key: str | None = None,
        workspace: str | None = None,
    ) -> Added:
        """Keep one memory, durably: a text with these fields, or a `NewMemory`, which brings its own.

        What is there already, word for word, is a duplicate and no error. A repetition with the same
        `idempotency_key` returns the first outcome for 24 hours.
        """
        new = documents.make_new(
            memory, type=type, when_to_use=when_to_use, user_id=user_id, tags=tags, metadata=metadata, slot=slot
        )
        document = documents.write_new(new)
        return documents.read_added(await self._call("add", workspace, document, key=idempotency_key))

    async def add_many(
        self, memories: Sequence[NewMemory], *, idempotency_key: str | None = None, workspace: str | None = None
    ) -> tuple[Outcome, ...]:
        """Keep up to 1,000 memories, all or none."""
        document = {"memories": [documents.write_new(memory) for memory in memories]}
        return documents.read_outcomes(await self._call("add_many", workspace, document, key=idempotency_key))

    async def search(
        self,
        query: str,
        *,
        top_k: int = 10,
        types: Sequence[MemoryType] = (),
        users: Sequence[str] = (),
        tags: Sequence[str] = (),
        since: datetime | None = None,
        until: datetime | None = None,
        metadata: JsonObject | None = None,
        min_score: float = 0.0,
        mode: SearchMode = "hybrid",
        as_of: datetime | None = None,
        half_life_days: float | None = None,
        mmr_lambda: float | None = None,
        workspace: str | None = None,
    ) -> SearchResult:
        """The memories that answer a query, best first.

        Any of `types` and `users` will do, all `tags` must be there. `metadata` compares values, or with
        `{"priority": {"gte": 3}}`. `as_of` answers with what held then. `half_life_days` halves the score of a memory
        of that age, `mmr_lambda` trades relevance (1) for variety (0).
        """
        document = {
            "query": query,
            "top_k": top_k,
            "filter": {
                **documents.write_filter(types=types, users=users, tags=tags, since=since, until=until),
                "metadata": dict(metadata or {}),
            },
            "min_score": min_score,
            "mode": mode,
            "as_of": documents.write_moment(as_of),
            "mmr_lambda": mmr_lambda,
            # Only what is given here wins over the setting.
            **({} if half_life_days is None else {"half_life_days": half_life_days}),
        }
        return documents.read_search(await self._call("search", workspace, document))

    async def get(self, memory_id: str, *, workspace: str | None = None) -> MemoryRecord:
        """One memory with all that is known of it, or `NotFound`."""
        return documents.read_memory(await self._call("get", workspace, {"id": memory_id}))

    async def list(
        self,
        *,
        types: Sequence[MemoryType] = (),
        users: Sequence[str] = (),
        tags: Sequence[str] = (),
        since: datetime | None = None,
        until: datetime | None = None,
        superseded: bool = False,
        workspace: str | None = None,
    ) -> AsyncGenerator[MemoryRecord]:
        """All memories that match, oldest first, fetched in pages; with `superseded` what was replaced too."""
        wanted = documents.write_filter(types=types, users=users, tags=tags, since=since, until=until)
        async for item in self._pages("list", workspace, {**wanted, "superseded": superseded}):
            yield documents.read_memory(item)

    async def update(
        self,
        memory_id: str,
        *,
        content: str | None = None,
        when_to_use: str | None = None,
        author: str | None = None,
        tags: Sequence[str] | None = None,
        metadata: JsonObject | None = None,
        score: float | None = None,
        version: int | None = None,
        workspace: str | None = None,
    ) -> MemoryRecord:
        """Change the fields that are given. With `version` a change that came in between is a `VersionConflict`."""
        fields = {
            "content": content,
            "when_to_use": when_to_use,
            "author": author,
            "tags": None if tags is None else [*tags],
            "metadata": None if metadata is None else dict(metadata),
            "score": score,
            "version": version,
        }
        document = {name: value for name, value in fields.items() if value is not None}
        return documents.read_memory(await self._call("update", workspace, {**document, "id": memory_id}))

    async def delete(self, memory_id: str, *, version: int | None = None, workspace: str | None = None) -> None:
        """Keep a conversation word for word, and what it tells about the person or the task.

        Messages are `Message`, or mappings with `role` and `content` as chat APIs have them. Turns that came before
        add nothing. `score` (0 to 1) says how well a task went.
        """
        await self._call("delete", workspace, {"id": memory_id, "version": version})

    async def remember(
        self,
        messages: Sequence[Message | Mapping[str, Any]],
        *,
        kind: Literal["personal", "task"] = "personal",
        user_id: str = "",
        score: float | None = None,
        task_id: str = "",
        metadata: JsonObject | None = None,
        idempotency_key: str | None = None,
        workspace: str | None = None,
    ) -> Remembered:
        """Keep a conversation word for word, and what it tells about the person or the task.

        Messages are `Message`, or mappings with `role` and `content` as chat APIs have them. Turns that came before
        add nothing. `score` (0 to 1) says how well a task went.
        """
        document = documents.write_conversation(
            messages, kind=kind, user_id=user_id, score=score, task_id=task_id, metadata=metadata
        )
        return documents.read_remembered(await self._call("remember", workspace, document, key=idempotency_key))

    async def record_use(
        self, memory_ids: Sequence[str], *, utility: float = 0.0, workspace: str | None = None
    ) -> tuple[MemoryRecord, ...]:
        """Count one use of each memory, worth `utility`, and return those that are there."""
        document = {"ids": [*memory_ids], "utility": utility}
        return documents.read_memories((await self._call("record_use", workspace, document))["memories"])

    async def record_tool_calls(self, calls: Sequence[ToolCall], *, workspace: str | None = None) -> ToolCallsRecorded:
        """Keep what became of calls of tools; the same call is kept once."""
        document = {"tool_call_results": [documents.write_call(call) for call in calls]}
        return documents.read_calls(await self._call("record_tool_calls", workspace, document))

    async def tool_guidelines(
        self, tool_names: Sequence[str], *, summarise: bool = False, workspace: str | None = None
    ) -> tuple[ToolGuideline, ...]:
        """What is known of tools; with `summarise` the calls recorded since the last time are summed up first."""
        document = {"tool_names": ",".join(documents.check_tool_names(tool_names))}
        envelope = await self._call("summarise_tools" if summarise else "read_tools", workspace, document)
        return documents.read_guidelines(envelope["metadata"]["memory_list"])

    async def export(self, *, workspace: str | None = None) -> AsyncGenerator[dict[str, Any]]:
        """All memories of a workspace as JSON objects, with their ids, times and counters, for `import_lines`."""
        async for line in self._backend.export(self._choose(workspace)):
            yield line

    async def import_lines(
        self,
        lines: Iterable[str | Mapping[str, Any]] | AsyncIterable[str | Mapping[str, Any]],
        *,
        workspace: str | None = None,
    ) -> ImportReport:
        """Add memories of an export, or of a dump of ReMe 0.2, with their ids, times and counters."""
        report = await self._backend.import_lines(self._choose(workspace), documents.write_lines(lines))
        return documents.read_import(report)

    async def usage(self, *, from_day: str = "", to_day: str = "", workspace: str | None = None) -> Usage:
        """What was used in one workspace, or in all; days are "2026-11-22" in UTC, both included."""
        document = {"from": from_day, "to": to_day, "workspace": workspace}
        return documents.read_usage(await self._call("usage", workspace, document))

    async def workspaces(self) -> AsyncGenerator[Workspace]:
        """The workspaces that may be used, in the order of their ids."""
        async for item in self._pages("workspaces", None, {}):
            yield documents.read_workspace(item)

    async def _call(
        self, name: str, workspace: str | None, document: Mapping[str, Any], *, key: str | None = None
    ) -> dict[str, Any]:
        if "id" in document:
            check_memory_id(document["id"])
        if key is not None:
            check_idempotency_key(key)
        return await self._backend.call(name, self._choose(workspace), document, key=key)

    def _choose(self, workspace: str | None) -> str:
        """The workspace that a call means, or `InvalidRequest` for an id that none can have."""
        return check_workspace_id(self._workspace if workspace is None else workspace)

    async def _pages(
        self, name: str, workspace: str | None, document: Mapping[str, Any]
    ) -> AsyncIterator[dict[str, Any]]:
        cursor = ""
        while True:
            page = await self._call(name, workspace, {**document, "limit": PAGE, "cursor": cursor})
            for item in page["items"]:
                yield item
            cursor = page["next_cursor"]
            if not cursor:
                return
