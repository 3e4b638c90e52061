"""Export, import and copies of workspaces, a portion at a time."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256

from app.domain.access import Permission, Principal
from app.domain.change import ChangeState
from app.domain.memory import JsonObject, Memory, MemoryDraft, Scope
from app.domain.query import MemoryFilter
from app.errors import AlreadyExists, InvalidRequest
from app.ports import MemoryStore
from app.service.authorisation import authorise
from app.service.conversations import MARK
from app.service.items import read_item, read_line, write_line
from app.service.limits import check_draft
from app.service.memories import Memories
from app.service.merging import REPLACED_BY, REPLACES

PORTION = 250
"""Memories read or written at once: large enough to be embedded in a batch, small enough for RAM."""
LINE_CHARACTERS = 4_000_000
"""The longest line that is read: content, details and metadata at their limits take less."""

BYTE_ORDER_MARK = "\ufeff"
"""What editors on Windows write at the start of a file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportReport:
    """What became of an import: how many lines held something, were new, were there already.

    `rejected` lists the number of each line that was left out, from 1, and why.
    """

    read: int
    created: int
    duplicates: int
    rejected: tuple[tuple[int, str], ...] = ()


class Transfers:
    """Moves the memories of workspaces as JSON lines. Vectors do not travel: they are made anew."""

    def __init__(self, *, store: MemoryStore, memories: Memories) -> None:
        self._store = store
        self._memories = memories

    def export(self, principal: Principal, workspace_id: str) -> Iterator[JsonObject]:
        """Every live memory, superseded ones and earlier revisions too, oldest first, one JSON object each.

        Reads as it is iterated over and holds one portion; rights are checked before it returns. Needs memory:read.
        """
        scope = authorise(principal, Permission.MEMORY_READ, workspace_id)
        return (write_line(memory) for memory in self._walk(scope))

    def import_lines(self, principal: Principal, workspace_id: str, lines: Iterable[str]) -> ImportReport:
        """Add the memories of our lines or of a 0.2 dump. Needs memory:write.

        Ids, times, counters and spans of validity are kept; what was superseded stays so. A line that cannot be
        used is reported and the others go on. A byte order mark before the first line is left out. A memory that
        is new here has the version of our line, so that an ETag still holds; of a 0.2 dump it starts at 1, and what is
        there already keeps its own. Repeating an import makes only duplicates. The `workspace_id` of a
        line is not looked at. A line that content moderation refuses is reported too. A `StoreError` or
        `ModerationUnavailable` stops the import; what came before it is stored.
        """
        authorise(principal, Permission.MEMORY_WRITE, workspace_id)
        intake = _Intake(self._memories, principal, workspace_id)
        read = 0
        for number, characters, draft in _read_drafts(lines):
            read += 1
            if isinstance(draft, InvalidRequest):
                intake.rejected.append((number, draft.message))
            else:
                intake.take(number, draft, characters=characters)
        intake.flush()
        return ImportReport(
            read=read,
            created=intake.created,
            duplicates=intake.duplicates,
            rejected=tuple(sorted(intake.rejected)),
        )

    def examine_lines(self, lines: Iterable[str]) -> ImportReport:
        """What an import would read and reject, without looking at a workspace or storing anything."""
        read, rejected = 0, []
        for number, _, draft in _read_drafts(lines):
            read += 1
            if isinstance(draft, InvalidRequest):
                rejected.append((number, draft.message))
        return ImportReport(read=read, created=0, duplicates=0, rejected=tuple(rejected))

    def copy(self, principal: Principal, source_workspace_id: str, target_workspace_id: str) -> int:
        """Copy all memories to another workspace of the tenant under new ids; returns how many were new there.

        Needs memory:read on the source and memory:write on the target. Repeating a copy adds only what is new: an
        id in the target follows from the one in the source, and memories still name those that they were made of.
        Raises `AlreadyExists` where a memory of the target that came from the source was changed since.
        """
        scope = authorise(principal, Permission.MEMORY_READ, source_workspace_id)
        authorise(principal, Permission.MEMORY_WRITE, target_workspace_id)
        if source_workspace_id == target_workspace_id:
            raise InvalidRequest(f"workspace {source_workspace_id!r} cannot be copied into itself: name another target")
        intake = _Intake(self._memories, principal, target_workspace_id, judged=True)
        for number, memory in enumerate(self._walk(scope), start=1):
            draft = _rename(read_item(write_line(memory)), target_workspace_id)
            intake.take(number, draft, characters=len(memory.content))
        intake.flush()
        if intake.rejected:
            raise AlreadyExists(
                f"{len(intake.rejected):,} memories were not copied, {intake.created:,} were; the first: "
                f"{min(intake.rejected)[1]}"
            )
        return intake.created

    def _walk(self, scope: Scope) -> Iterator[Memory]:
        cursor = ""
        while True:
            page = self._store.scan(scope, MemoryFilter(), limit=PORTION, cursor=cursor, superseded=True)
            yield from page.items
            cursor = page.next_cursor
            if not cursor:
                return


def _read_drafts(lines: Iterable[str]) -> Iterator[tuple[int, int, MemoryDraft | InvalidRequest]]:
    """Number, characters and draft of each line that holds something, or why it cannot be used."""
    for number, given in enumerate(lines, start=1):
        line = given.removeprefix(BYTE_ORDER_MARK) if number == 1 else given
        if not line.strip():
            continue
        try:
            if len(line) > LINE_CHARACTERS:
                raise InvalidRequest(f"the line has {len(line):,} characters: at most {LINE_CHARACTERS:,} are read")
            yield number, len(line), check_draft(read_line(line))
        except InvalidRequest as error:
            yield number, len(line), error


class _Intake:
    """Adds drafts in portions and finds out which ones of a refused portion are to blame."""

    def __init__(self, memories: Memories, principal: Principal, workspace_id: str, *, judged: bool = False) -> None:
        self._judged = judged
        self._memories = memories
        self._principal = principal
        self._workspace_id = workspace_id
        self._portion: list[tuple[int, MemoryDraft]] = []
        self._characters = 0
        self.created = 0
        self.duplicates = 0
        self.rejected: list[tuple[int, str]] = []

    def take(self, number: int, draft: MemoryDraft, *, characters: int) -> None:
        self._portion.append((number, draft))
        self._characters += characters
        if len(self._portion) == PORTION or self._characters >= LINE_CHARACTERS:
            self.flush()

    def flush(self) -> None:
        portion, self._portion, self._characters = self._portion, [], 0
        if portion:
            self._add(portion)

    def _add(self, portion: list[tuple[int, MemoryDraft]]) -> None:
        try:
            committed = self._memories.add(
                self._principal, self._workspace_id, [draft for _, draft in portion], judged=self._judged
            )
        except (AlreadyExists, InvalidRequest) as error:
            if len(portion) == 1:
                self.rejected.append((portion[0][0], error.message))
                return
            half = len(portion) // 2
            self._add(portion[:half])
            self._add(portion[half:])
            return
        created = sum(outcome.state is ChangeState.CREATED for outcome in committed.outcomes)
        self.created += created
        self.duplicates += len(portion) - created


def _rename(draft: MemoryDraft, workspace_id: str) -> MemoryDraft:
    """The draft under the id that it has in a copy, with the memories that it names under theirs."""
    details = dict(draft.details)
    mark = details.get(MARK)
    if isinstance(mark, Mapping) and isinstance(made := mark.get("memory_ids"), list):
        details[MARK] = {**mark, "memory_ids": [_copied_id(str(memory_id), workspace_id) for memory_id in made]}
    if isinstance(ended := details.get(REPLACES), list):
        details[REPLACES] = [_copied_id(str(memory_id), workspace_id) for memory_id in ended]
    if isinstance(ender := details.get(REPLACED_BY), str):
        details[REPLACED_BY] = _copied_id(ender, workspace_id)
    return replace(
        draft,
        id=_copied_id(draft.id, workspace_id),
        source_ids=tuple(_copied_id(source, workspace_id) for source in draft.source_ids),
        details=details,
        revision_of=_copied_id(draft.revision_of, workspace_id) if draft.revision_of else "",
        version=1,
    )


def _copied_id(memory_id: str, workspace_id: str) -> str:
    """An id with the time of the original (its first 48 bits) and the hash of both for the rest: a UUIDv7 again."""
    digest = sha256(f"{workspace_id}\x1f{memory_id}".encode()).hexdigest()
    return f"{memory_id[:12]}7{digest[:3]}8{digest[3:18]}"
