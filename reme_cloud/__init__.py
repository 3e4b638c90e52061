"""The memory service as a Python import: embedded in a program, or as a client of a server.

    async with reme_cloud.connect("http://127.0.0.1:8002", api_key=key) as memory:
        await memory.add("Ada prefers coffee without sugar", user_id="ada")
        found = await memory.search("what does Ada drink?")

`connect` asks a server, `embedded` works on a store in this process; both are an `AsyncMemory`. `Memory` makes either
usable without `await`, in a notebook too.
"""

from collections.abc import Mapping
from pathlib import Path

from reme_cloud.blocking import Memory
from reme_cloud.errors import (
    AlreadyExists,
    Forbidden,
    IdempotencyConflict,
    InvalidRequest,
    MemoryServiceError,
    ModelError,
    NotFound,
    PayloadTooLarge,
    RateLimited,
    SettingsError,
    StoreBusy,
    StoreError,
    StoreFull,
    Unauthenticated,
    Unreachable,
    VersionConflict,
)
from reme_cloud.memory import DEFAULT_WORKSPACE, AsyncMemory
from reme_cloud.records import (
    Added,
    Hit,
    ImportReport,
    MemoryRecord,
    MemoryType,
    Message,
    NewMemory,
    Origin,
    Outcome,
    Remembered,
    SearchMode,
    SearchResult,
    ToolCall,
    ToolCallsRecorded,
    ToolGuideline,
    Usage,
    UsageLine,
    Workspace,
)

__all__ = [
    "Added",
    "AlreadyExists",
    "AsyncMemory",
    "Forbidden",
    "Hit",
    "IdempotencyConflict",
    "ImportReport",
    "InvalidRequest",
    "Memory",
    "MemoryRecord",
    "MemoryServiceError",
    "MemoryType",
    "Message",
    "ModelError",
    "NewMemory",
    "NotFound",
    "Origin",
    "Outcome",
    "PayloadTooLarge",
    "RateLimited",
    "Remembered",
    "SearchMode",
    "SearchResult",
    "SettingsError",
    "StoreBusy",
    "StoreError",
    "StoreFull",
    "ToolCall",
    "ToolCallsRecorded",
    "ToolGuideline",
    "Unauthenticated",
    "Unreachable",
    "Usage",
    "UsageLine",
    "VersionConflict",
    "Workspace",
    "connect",
    "embedded",
]


def connect(
    url: str,
    *,
    api_key: str | None = None,
    workspace: str = DEFAULT_WORKSPACE,
    timeout_s: float = 120.0,
    attempts: int = 4,
) -> AsyncMemory:
    """A client of a server, to be entered with `async with`; nothing is asked before.

    `workspace` is the one that calls work in which name none. `timeout_s` bounds one request, `attempts` how often one
    is tried that may be repeated: after 429 and 503 as long as the server says, or where it is not reached.
    """
    # Imported here so that importing this package is quick.
    from reme_cloud.remote import Server  # noqa: PLC0415

    return AsyncMemory(Server(url, api_key=api_key, timeout_s=timeout_s, attempts=attempts), workspace=workspace)


def embedded(
    working_dir: str | Path | None = None,
    *,
    workspace: str = DEFAULT_WORKSPACE,
    tenant: str = "default",
    settings: Mapping[str, object] | None = None,
) -> AsyncMemory:
    """A store in this process, to be entered with `async with`, which opens or makes it.

    The store is `.reme/memory.db` in `working_dir`, by default REME_WORKING_DIR or the current folder; a server may use
    it at the same time. Whoever opens it is its administrator. `settings` are those of `reme config` by their dotted
    names, such as `{"embedding.backend": "hashing"}`; they win over the environment. Work that is due later is done by
    a server on the same store.
    """
    # Imported here since it loads the service.
    from reme_cloud.in_process import EmbeddedStore  # noqa: PLC0415

    return AsyncMemory(EmbeddedStore(working_dir, tenant=tenant, settings=settings or {}), workspace=workspace)
