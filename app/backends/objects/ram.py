"""Objects in RAM: for tests, and for trying the service out. Nothing outlives the process."""

from collections.abc import Iterator
from threading import Lock

from app.backends.objects.limits import MOST_BYTES, THERE, check_size
from app.domain.objects import StoredObject, check_object_name
from app.errors import AlreadyExists, NotFound
from app.ports import Clock


class RamObjectStore:
    """The `ObjectStore` in RAM."""

    def __init__(self, *, clock: Clock, most_bytes: int = MOST_BYTES) -> None:
        self._clock = clock
        self._most_bytes = most_bytes
        self._lock = Lock()
        self._objects: dict[str, tuple[bytes, int]] = {}

    @property
    def most_bytes(self) -> int:
        """The most bytes that an object may have."""
        return self._most_bytes

    def put(self, name: str, content: bytes) -> None:
        """Keep an object."""
        check_size(content, self._most_bytes)
        check_object_name(name)
        with self._lock:
            self._objects[name] = (bytes(content), self._clock.now_ms())

    def create(self, name: str, content: bytes) -> None:
        """Keep an object that is not there yet, or raise `AlreadyExists`."""
        check_size(content, self._most_bytes)
        check_object_name(name)
        with self._lock:
            if name in self._objects:
                raise AlreadyExists(THERE)
            self._objects[name] = (bytes(content), self._clock.now_ms())

    def size(self, name: str) -> int:
        """How many bytes an object has, or `NotFound`."""
        return len(self._find(name))

    def read(self, name: str, *, offset: int = 0, limit: int | None = None) -> bytes:
        """At most `limit` bytes from `offset` on, or `NotFound`."""
        return self._find(name)[offset:][:limit]

    def delete(self, name: str) -> bool:
        """Remove an object; returns whether it was there."""
        check_object_name(name)
        with self._lock:
            return self._objects.pop(name, None) is not None

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """The objects whose names begin so, in the order of their names."""
        with self._lock:
            found = sorted((name, kept) for name, kept in self._objects.items() if name.startswith(prefix))
        for name, (content, modified_ms) in found:
            yield StoredObject(name=name, bytes=len(content), modified_ms=modified_ms)

    def _find(self, name: str) -> bytes:
        check_object_name(name)
        with self._lock:
            if name not in self._objects:
                raise NotFound("the stored object is not there any more")
            return self._objects[name][0]
