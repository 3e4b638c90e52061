"""What the stand-ins for a Qdrant server share: whom they ask, what they were asked, and how they fail when told to.

They are no Qdrant: they speak its wire format for the calls that the index makes, and hand those to the engine or to
the client's local mode. What is proved with them is what goes over the wire, and what the index does when it fails.
"""

from collections import deque
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Any, Protocol

from qdrant_client import models

PATIENCE_S = 600.0
"""How long a stand-in that hangs waits to be let go, which is longer than any limit that a test sets."""


class Engine(Protocol):
    """Who answers: an `EngineClient`, or a `QdrantClient` in local mode."""

    def close(self) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request that came: what it asks for, of which collection, its headers (names in small letters), and the rest."""

    name: str
    collection: str = ""
    headers: dict[str, str]
    asked: dict[str, Any] = field(default_factory=dict)


@dataclass(kw_only=True)
class Fault:
    """A refusal with a status of HTTP, or none: then the call hangs until it is let go, or is cut off.

    Or a write is acknowledged that is not applied yet.
    """

    on: str = ""
    status: int = 0
    reason: str = ""
    retry_after: str = ""
    hangs: bool = False
    drops: bool = False
    acknowledges: bool = False
    times: int | None = 1


@dataclass(kw_only=True)
class Standin:
    """Answers for a server of a version that wants a key; `calls` is what came, in order."""

    engine: Any
    version: str = "1.20.0"
    api_key: str = ""
    calls: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = Lock()
        self._faults: deque[Fault] = deque()
        self.closing = Event()

    def fail(self, **fields: Any) -> None:
        """Meet the next calls with a `Fault` of these fields, after those told before."""
        self._faults.append(Fault(**fields))

    def recover(self) -> None:
        """Forget all faults that are still to come."""
        self._faults.clear()

    def named(self, name: str) -> list[Call]:
        """The calls of a name."""
        return [call for call in self.calls if call.name == name]

    def note(self, call: Call) -> Fault | None:
        """Note a call; the fault that it is to meet."""
        with self._lock:
            self.calls.append(call)
            if self.api_key and call.headers.get("api-key") != self.api_key:
                return Fault(status=401, reason="Must provide an API key or an Authorization bearer token")
            for fault in self._faults:
                if fault.on in ("", call.name):
                    if fault.times is not None:
                        fault.times -= 1
                        if not fault.times:
                            self._faults.remove(fault)
                    return fault
        return None

    def info(self) -> models.VersionInfo:
        """Who answers, in the version that was told."""
        return models.VersionInfo(title="qdrant - vector search engine", version=self.version)

    def wait(self) -> None:
        """Hang until the stand-in is closed, or the patience ends."""
        self.closing.wait(PATIENCE_S)


def status_of(failure: ValueError) -> int:
    """The status with which Qdrant answers what the engine's client and local mode raise."""
    if "not found" in str(failure):
        return 404
    return 409 if "already exists" in str(failure) else 400
