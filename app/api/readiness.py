"""Whether the service can do its work now: the store is read and a text is embedded."""

from collections.abc import Callable, Mapping
from threading import Lock
from time import monotonic

from app.errors import MemoryServiceError

REMEMBER_S = 1.0
"""How long an answer is kept: probes need no key, so they must cost nothing."""


class Readiness:
    """Runs checks by name; a check raises when something is wrong. May be called from any thread.

    Without what `spare` checks the service works on, if slower: it is told, and the service is ready all the same.
    """

    def __init__(
        self,
        checks: Mapping[str, Callable[[], object]],
        *,
        spare: Mapping[str, Callable[[], object]] | None = None,
        seconds: Callable[[], float] = monotonic,
    ) -> None:
        self._needed = frozenset(checks)
        self._checks = {**checks, **(spare or {})}
        self._seconds = seconds
        self._lock = Lock()
        self._found: dict[str, str] = {}
        self._since = -REMEMBER_S

    def examine(self) -> Mapping[str, str]:
        """Each check's name with "ok", or with the reason why it fails."""
        with self._lock:
            if self._seconds() - self._since >= REMEMBER_S:
                self._found = {name: _run(check) for name, check in self._checks.items()}
                self._since = self._seconds()
            return self._found

    def is_ready(self, found: Mapping[str, str]) -> bool:
        """Whether everything is well that the service cannot work without."""
        return all(outcome == "ok" for name, outcome in found.items() if name in self._needed)


def _run(check: Callable[[], object]) -> str:
    try:
        check()
    except MemoryServiceError as error:
        return f"{error.slug}: {error.message}"
    except Exception as error:
        return f"failed with {type(error).__name__}"
    return "ok"
