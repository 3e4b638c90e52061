"""What becomes of offloads with age, and of what an interrupted request left."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from app.domain.objects import ObjectKind, tell_kind
from app.domain.working import MS_PER_DAY, Offload, Tier, WorkingPolicy
from app.errors import NotFound, StoreCorrupt
from app.service.working.offloads import GRACE_MS, Offloads

BATCH = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Maintained:
    """How many offloads were deleted for their age, archived and called warm, and how many left objects were removed.

    `damaged` are the ids of those whose text is missing or is not what was stored: restore it from a backup.
    """

    deleted: int = 0
    archived: int = 0
    warmed: int = 0
    orphans: int = 0
    damaged: tuple[str, ...] = ()


def maintain(offloads: Offloads, policy: WorkingPolicy, now_ms: int, is_stopping: Callable[[], bool]) -> Maintained:
    """Delete, archive, call warm, and remove what no row names. Repeating it, or doing it twice at once, does no harm.

    It ends early, between two offloads, once `is_stopping`. Raises a `StoreError`.
    """
    deleted = _expire(offloads, now_ms - policy.delete_after_days * MS_PER_DAY, is_stopping)
    damaged: list[str] = []
    archived = 0
    if policy.archive_enabled:
        archived = _archive(offloads, now_ms - policy.archive_after_days * MS_PER_DAY, damaged, is_stopping)
    warmed = _warm(offloads, now_ms - policy.hot_days * MS_PER_DAY, is_stopping)
    orphans, missing = _compare(offloads, now_ms, is_stopping)
    return Maintained(
        deleted=deleted,
        archived=archived,
        warmed=warmed,
        orphans=orphans,
        damaged=tuple(dict.fromkeys((*damaged, *missing))),
    )


def _expire(offloads: Offloads, before_ms: int, is_stopping: Callable[[], bool]) -> int:
    deleted = 0
    while not is_stopping():
        removed = offloads.store.expire_offloads(created_before_ms=before_ms, limit=BATCH)
        for offload in removed:
            offloads.objects.delete(offload.object_name)
        deleted += len(removed)
        if len(removed) < BATCH:
            break
    return deleted


def _archive(offloads: Offloads, before_ms: int, damaged: list[str], is_stopping: Callable[[], bool]) -> int:
    archived = 0
    for offload in _walk_aged(offloads, (Tier.HOT, Tier.WARM), before_ms):
        if is_stopping():
            break
        try:
            archived += offloads.archive(offload)
        except NotFound:
            continue  # deleted or moved in this moment, or missing, which the comparison finds
        except StoreCorrupt:
            damaged.append(offload.id)
    return archived


def _warm(offloads: Offloads, before_ms: int, is_stopping: Callable[[], bool]) -> int:
    warmed = 0
    for offload in _walk_aged(offloads, (Tier.HOT,), before_ms):
        if is_stopping():
            break
        warmed += offloads.store.move_offload(offload, tier=Tier.WARM, object_name=offload.object_name)
    return warmed


def _walk_aged(offloads: Offloads, tiers: Sequence[Tier], before_ms: int) -> Iterator[Offload]:
    cursor = ""
    while True:
        page = offloads.store.list_aged(tiers, read_before_ms=before_ms, limit=BATCH, cursor=cursor)
        yield from page.items
        cursor = page.next_cursor
        if not cursor:
            return


def _compare(offloads: Offloads, now_ms: int, is_stopping: Callable[[], bool]) -> tuple[int, list[str]]:
    """Remove objects that no row names and that are an hour old; returns how many, and ids of rows without an object.

    Both sides come in the order of the objects' names, so that neither has to be kept whole.
    """
    rows = _walk_rows(offloads)
    row = next(rows, None)
    orphans = 0
    absent: list[Offload] = []
    for kept in offloads.objects.list():
        if tell_kind(kept.name) is not ObjectKind.WORKING:
            continue  # what is no text of a conversation has no row here
        if is_stopping():
            return orphans, []
        while row is not None and row.object_name < kept.name:
            absent.append(row)
            row = next(rows, None)
        if row is not None and row.object_name == kept.name:
            row = next(rows, None)
        elif kept.modified_ms < now_ms - GRACE_MS:
            orphans += offloads.objects.delete(kept.name)
    if row is not None:
        absent += [row, *rows]
    return orphans, [offload.id for offload in absent if _is_damaged(offloads, offload)]


def _walk_rows(offloads: Offloads) -> Iterator[Offload]:
    after = ""
    while True:
        rows = offloads.store.list_by_object(after=after, limit=BATCH)
        yield from rows
        if len(rows) < BATCH:
            return
        after = rows[-1].object_name


def _is_damaged(offloads: Offloads, offload: Offload) -> bool:
    """Whether a row still names an object that is not there: it may have come, gone or moved since it was listed."""
    try:
        offloads.objects.size(offload.object_name)
    except NotFound:
        try:
            return offloads.store.get_offload(offload.scope, offload.id).object_name == offload.object_name
        except NotFound:
            return False
    return False
