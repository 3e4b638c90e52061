"""A memory in this process: the services over the store, their work done in threads."""

from collections.abc import AsyncIterator, Callable, Mapping
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import anyio
import anyio.from_thread
import anyio.to_thread
from pydantic import BaseModel, ValidationError

from app.api.compat.bodies import ToolCallBody
from app.api.v1.answers import write_batch, write_memory, write_remembered, write_search
from app.api.v1.conversations import remember
from app.api.v1.filters import read_filter, read_query
from app.api.v1.requests import BatchIn, ConversationIn, FilterIn, MemoryIn, MemoryPatchIn, SearchIn, UseIn
from app.api.v1.resources import write_import, write_usage, write_workspace
from app.assembly import build_services
from app.commands.opening import local_admin, read_settings
from app.domain.change import Receipt
from app.mcp.operations import describe_faults
from app.service.suite import Services
from app.settings import SearchSettings
from reme_cloud.documents import write_json
from reme_cloud.errors import InvalidRequest
from reme_cloud.memory import PAGE

T = TypeVar("T")
Body = TypeVar("Body", bound=BaseModel)
Document = Mapping[str, Any]

THREADS = 8
"""Calls that wait for the store at once, as in a server's process."""


class EmbeddedStore:
    """A `Backend` over the services; its caller is the administrator of a tenant."""

    def __init__(self, working_dir: str | Path | None, *, tenant: str, settings: Mapping[str, object]) -> None:
        self._working_dir = None if working_dir is None else Path(working_dir)
        self._principal = local_admin(tenant)
        self._arguments = [f"{name}={_write_setting(value)}" for name, value in settings.items()]
        self._opened: Services | None = None
        self._search_settings = SearchSettings()
        self._threads: anyio.CapacityLimiter | None = None

    def __repr__(self) -> str:
        return f"{self._working_dir or Path()}"

    async def open(self) -> None:
        """Open the store, or make it. Raises `SettingsError`, or a `StoreError`."""

        def start() -> Services:
            settings = read_settings(self._working_dir, arguments=self._arguments)
            self._search_settings = settings.search
            services = build_services(settings)
            try:
                services.reembedding.check()
            except BaseException:
                services.close()
                raise
            return services

        self._threads = anyio.CapacityLimiter(THREADS)
        self._opened = await self._run(start)

    async def close(self) -> None:
        """Close the store once what is under way is done."""
        opened, self._opened = self._opened, None
        if opened is not None:
            with anyio.CancelScope(shield=True):
                await self._run(opened.close)

    async def call(self, name: str, workspace: str, document: Document, *, key: str | None = None) -> dict[str, Any]:
        """Do a call in a thread. What the service would refuse over HTTP is refused here."""
        work: Callable[..., dict[str, Any]] = getattr(self, f"_{name}")
        if key is None:
            return await self._run(lambda: work(workspace, document))
        receipt = Receipt(key=key, request_sha256=sha256(write_json([name, document]).encode()).hexdigest())
        return await self._run(lambda: work(workspace, document, receipt))

    async def export(self, workspace: str) -> AsyncIterator[dict[str, Any]]:
        """Walk through the store, a page at a time."""
        lines = await self._run(lambda: self._services.transfers.export(self._principal, workspace))
        while portion := await self._run(lambda: [dict(line) for line in islice(lines, PAGE)]):
            for line in portion:
                yield line

    async def import_lines(self, workspace: str, lines: AsyncIterator[str]) -> dict[str, Any]:
        """Read in a thread, which asks for line after line."""

        async def follow() -> str | None:
            return await anext(lines, None)

        def work() -> dict[str, Any]:
            incoming = iter(lambda: anyio.from_thread.run(follow), None)
            return write_import(self._services.transfers.import_lines(self._principal, workspace, incoming))

        return await self._run(work)

    @property
    def _services(self) -> Services:
        if self._opened is None:
            raise InvalidRequest("the store is not open: use it within `async with`")
        return self._opened

    async def _run(self, work: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(work, limiter=self._threads)

    def _add(self, workspace: str, document: Document, receipt: Receipt | None = None) -> dict[str, Any]:
        memories, draft = self._services.memories, _read(MemoryIn, document).draft()
        committed = memories.add(self._principal, workspace, [draft], receipt=receipt)
        outcome = committed.outcomes[0]
        memory = outcome.memory or memories.get(self._principal, workspace, outcome.memory_id)
        return {
            "state": outcome.state.value,
            "memory": write_memory(memory),
            "superseded_ids": outcome.superseded_ids,
            "replayed": committed.replayed,
        }

    def _add_many(self, workspace: str, document: Document, receipt: Receipt | None = None) -> dict[str, Any]:
        drafts = [memory.draft() for memory in _read(BatchIn, document).memories]
        return write_batch(self._services.memories.add(self._principal, workspace, drafts, receipt=receipt))

    def _search(self, workspace: str, document: Document) -> dict[str, Any]:
        query = read_query(_read(SearchIn, document), self._search_settings)
        return write_search(self._services.retrieval.search(self._principal, workspace, query))

    def _get(self, workspace: str, document: Document) -> dict[str, Any]:
        return write_memory(self._services.memories.get(self._principal, workspace, document["id"]))

    def _list(self, workspace: str, document: Document) -> dict[str, Any]:
        rest = dict(document)
        paging = {name: rest.pop(name) for name in ("limit", "cursor", "superseded")}
        page = self._services.memories.scan(self._principal, workspace, read_filter(_read(FilterIn, rest)), **paging)
        return {"items": [write_memory(memory) for memory in page.items], "next_cursor": page.next_cursor}

    def _update(self, workspace: str, document: Document) -> dict[str, Any]:
        rest = dict(document)
        memory_id = rest.pop("id")
        body = _read(MemoryPatchIn, rest)
        return write_memory(
            self._services.memories.update(
                self._principal, workspace, memory_id, body.patch(), expected_version=body.version
            )
        )

    def _delete(self, workspace: str, document: Document) -> dict[str, Any]:
        self._services.memories.delete(
            self._principal, workspace, [document["id"]], expected_version=document["version"]
        )
        return {}

    def _remember(self, workspace: str, document: Document, receipt: Receipt | None = None) -> dict[str, Any]:
        body = _read(ConversationIn, document)
        return write_remembered(remember(self._services.conversations, self._principal, workspace, body, receipt))

    def _record_use(self, workspace: str, document: Document) -> dict[str, Any]:
        body = _read(UseIn, document)
        used = self._services.memories.record_use(self._principal, workspace, body.ids, utility=body.utility)
        return {"memories": [write_memory(memory) for memory in used]}

    def _record_tool_calls(self, workspace: str, document: Document) -> dict[str, Any]:
        calls = [_read(ToolCallBody, call).read() for call in document["tool_call_results"]]
        recorded = self._services.tools.record_calls(self._principal, workspace, calls)
        if not recorded.valid:
            raise InvalidRequest("no call names its tool: give tool_name with each")
        return {
            "metadata": {
                "validation_stats": {"total_input": recorded.total_input, "filtered": recorded.filtered},
                "deduplication_stats": {"deduplicated": recorded.deduplicated, "added": recorded.added},
            }
        }

    def _summarise_tools(self, workspace: str, document: Document) -> dict[str, Any]:
        names = document["tool_names"].split(",")
        return _write_tools(self._services.tools.summarise(self._principal, workspace, names).memories)

    def _read_tools(self, workspace: str, document: Document) -> dict[str, Any]:
        names = document["tool_names"].split(",")
        return _write_tools(self._services.tools.retrieve(self._principal, workspace, names))

    def _usage(self, workspace: str, document: Document) -> dict[str, Any]:  # noqa: ARG002
        report = self._services.usage.report(
            self._principal,
            workspace_id=document["workspace"],
            from_day=document["from"],
            to_day=document["to"],
        )
        return write_usage(report)

    def _workspaces(self, workspace: str, document: Document) -> dict[str, Any]:  # noqa: ARG002
        page = self._services.workspaces.list(self._principal, **document)
        return {"items": [write_workspace(each) for each in page.items], "next_cursor": page.next_cursor}


def _read(body: type[Body], document: Document) -> Body:
    """A document as the HTTP API would take it, or `InvalidRequest`."""
    try:
        # By way of JSON, since that is what the bodies are read from over HTTP: a number is no text there.
        return body.model_validate_json(write_json(document))
    except ValidationError as error:
        raise InvalidRequest(describe_faults(error.errors(include_url=False, include_input=False))) from None


def _write_tools(memories: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "memory_list": [{"when_to_use": memory.when_to_use, "content": memory.content} for memory in memories]
        }
    }


def _write_setting(value: object) -> str:
    """A setting as an argument of `reme`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
