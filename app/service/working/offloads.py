"""Texts beside the conversation: stored, read in pieces, and removed, so that no row is without its object.

An object is written first and its row second; a row is removed first and its object second. A process that dies in
between leaves an object without a row, which maintenance removes. Each object has a name of its own, so that whoever
removes one removes nothing that another has just stored.
"""

import gzip
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from hashlib import sha256
from secrets import token_hex

from app.domain.memory import Scope
from app.domain.working import Offload, Tier, name_folder
from app.errors import MemoryServiceError, NotFound, PayloadTooLarge, StoreCorrupt, StoreError
from app.ports import Clock, ObjectStore, WorkingStore
from app.service.working.drafts import Draft

CHUNK_BYTES = 262_144
UNPACK = 31
"""zlib's window bits for a gzip stream."""
READ_NOTED_MS = 3_600_000
"""A reading is noted once an hour: days are counted, and each note is a write to the disk."""
GRACE_MS = 3_600_000
"""An object without a row may belong to a request under way; it counts as left over after an hour."""


class Offloads:
    """The offloaded texts of all workspaces. May be used from any thread, and by several processes at once."""

    def __init__(self, *, store: WorkingStore, objects: ObjectStore, clock: Clock) -> None:
        self.store = store
        self.objects = objects
        self._clock = clock

    def check(self, drafts: Iterable[Draft]) -> None:
        """Raise `PayloadTooLarge` for a text that cannot be stored, before anything is."""
        most = self.objects.most_bytes
        for draft in drafts:
            if len(draft.content) > most:
                raise PayloadTooLarge(
                    f"a part of the conversation has {len(draft.content):,} bytes, at most {most:,} can be stored: "
                    "shorten it, or raise storage.max_file_bytes"
                )

    def keep(self, scope: Scope, drafts: Sequence[Draft], *, chat_id: str) -> tuple[Offload, ...]:
        """Store texts durably, each once; what is there already begins its age anew.

        Raises `PayloadTooLarge` or a `StoreError`; then no row was written.
        """
        self.check(drafts)
        wanted = {draft.id: draft for draft in drafts}
        known = {each.id: each for each in self.store.renew_offloads(scope, list(wanted)) if self._is_whole(each)}
        missing = [draft for draft in wanted.values() if draft.id not in known]
        made: list[Offload] = []
        try:
            for draft in missing:
                made.append(self._make(scope, draft, chat_id))
                self.objects.put(made[-1].object_name, draft.content)
        except MemoryServiceError:
            for offload in made:
                self._drop(offload)
            raise
        # Whether a write to the store that failed took place is not certain: then maintenance decides what is left.
        for offload in self.store.put_offloads(made) if made else ():
            self._drop(offload)
        found = known | {offload.id: offload for offload in made}
        return tuple(found[offload_id] for offload_id in wanted)

    def read_chunks(self, scope: Scope, offload_id: str) -> tuple[Offload, Iterator[bytes]]:
        """An offload and its text in pieces, none of them empty; the reading is noted. Raises `NotFound`."""
        offload = self.store.get_offload(scope, offload_id)
        if self._clock.now_ms() - offload.last_read_ms >= READ_NOTED_MS:
            with suppress(StoreError):  # a full disk is no reason not to read
                self.store.mark_read(scope, offload_id)
        return offload, self._walk(offload)

    def archive(self, offload: Offload) -> bool:
        """Put a compressed object in the place of an offload's, unless it was read or changed since.

        Raises `NotFound` where the object is missing, `StoreCorrupt` where it is not what was stored.
        """
        content = b"".join(self._read_object(offload))
        if sha256(content).hexdigest() != offload.sha256:
            raise StoreCorrupt(f"the text of offload {offload.id} is not what was stored: restore it from a backup")
        name = f"{name_folder(offload.scope)}{token_hex(16)}.gz"
        self.objects.put(name, gzip.compress(content, mtime=0))
        moved = self.store.move_offload(offload, tier=Tier.ARCHIVE, object_name=name)
        self.objects.delete(offload.object_name if moved else name)
        return moved

    def remove(self, scope: Scope, offload_id: str) -> None:
        """Remove an offload for good, or raise `NotFound`."""
        self.objects.delete(self.store.delete_offload(scope, offload_id).object_name)

    def forget(self, scope: Scope) -> int:
        """Remove all of a workspace for good, and what interrupted requests left; returns how many they were."""
        removed = self.store.forget_offloads(scope)
        for offload in removed:
            self.objects.delete(offload.object_name)
        before_ms = self._clock.now_ms() - GRACE_MS
        for left in tuple(self.objects.list(name_folder(scope))):
            if left.modified_ms < before_ms:
                self.objects.delete(left.name)
        return len(removed)

    def _is_whole(self, offload: Offload) -> bool:
        """Whether the object of a row is there; a disk that was restored in part may lack it."""
        try:
            size = self.objects.size(offload.object_name)
        except NotFound:
            return False
        return offload.tier is Tier.ARCHIVE or size == offload.bytes

    def _make(self, scope: Scope, draft: Draft, chat_id: str) -> Offload:
        now_ms = self._clock.now_ms()
        return Offload(
            id=draft.id,
            scope=scope,
            kind=draft.kind,
            chat_id=chat_id,
            name=draft.name,
            bytes=len(draft.content),
            lines=draft.lines,
            sha256=draft.sha256,
            object_name=f"{name_folder(scope)}{token_hex(16)}",
            created_ms=now_ms,
            last_read_ms=now_ms,
        )

    def _drop(self, offload: Offload) -> None:
        """Remove an object that no row names; what fails here is left to maintenance."""
        with suppress(StoreError):
            self.objects.delete(offload.object_name)

    def _find_moved(self, offload: Offload) -> Offload:
        """The offload with the object that it has now; raises `NotFound` or, where it has lost it, `StoreCorrupt`."""
        found = self.store.get_offload(offload.scope, offload.id)
        if found.object_name == offload.object_name:
            raise StoreCorrupt(
                f"the text of offload {offload.id} is missing from the object store: restore it from a backup, "
                "or delete the offload"
            )
        return found

    def _walk(self, offload: Offload) -> Iterator[bytes]:
        """The text; where maintenance gives it another object in between, the rest is read from that."""
        sent = 0
        while True:
            seen = 0
            try:
                for chunk in self._read_object(offload):
                    seen += len(chunk)
                    if seen > sent:
                        yield chunk[sent - seen :]
                        sent = seen
            except NotFound:
                offload = self._find_moved(offload)
            else:
                return

    def _read_object(self, offload: Offload) -> Iterator[bytes]:
        chunks = self._read_bytes(offload.object_name)
        return _unpack(chunks) if offload.tier is Tier.ARCHIVE else chunks

    def _read_bytes(self, name: str) -> Iterator[bytes]:
        offset = 0
        while chunk := self.objects.read(name, offset=offset, limit=CHUNK_BYTES):
            yield chunk
            offset += len(chunk)


def _unpack(chunks: Iterable[bytes]) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(UNPACK)
    try:
        for chunk in chunks:
            rest = chunk
            while rest:
                piece = unpacker.decompress(rest, CHUNK_BYTES)
                rest = unpacker.unconsumed_tail
                if piece:
                    yield piece
        if piece := unpacker.flush():
            yield piece
    except zlib.error as fault:
        raise StoreCorrupt(f"an archived text does not unpack ({fault}): restore it from a backup") from fault
    if not unpacker.eof:
        raise StoreCorrupt("an archived text breaks off: restore it from a backup")
