"""What a memory may look like: sizes and characters, checked before anything is embedded or written."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from app.domain.identifiers import check_memory_id
from app.domain.memory import Json, JsonObject, MemoryDraft, MemoryPatch
from app.domain.query import Comparison, MemoryFilter
from app.errors import InvalidRequest

CONTENT_CHARACTERS = 32_768
"""Also of `when_to_use` and of a query. Several times what an embedding model reads; a longer text is a document."""
BATCH_CHANGES = 1_000
PAGE = 1_000
"""The most memories of a page."""
TAGS = 32
TAG_CHARACTERS = 64
NAME_CHARACTERS = 128
"""Of authors, user ids, slots and names."""
PATH_CHARACTERS = 1_024
SOURCES = 1_000
METADATA_BYTES = 16_384
METADATA_DEPTH = 5
DETAILS_BYTES = 1_048_576
"""As large as a whole request may be: a tool's memory carries its latest calls with their outputs."""
DETAILS_DEPTH = 16
METADATA_KEY_CHARACTERS = 64
DETAILS_KEY_CHARACTERS = 1_024
"""A tool's arguments may be keyed by paths or addresses."""
FILTER_VALUES = 100
FILTER_CONDITIONS = 20
LARGEST_INTEGER = 2**63 - 1
"""What every store and JSON reader in use can keep exactly, or at all."""
LARGEST_VERSION = 2**53 - 1
"""Of an imported memory: what every JSON reader keeps exactly, with room to count on."""
EARLIEST_MS = -62_135_596_800_000
"""0001-01-01 UTC; the first day that Python's calendar knows."""
LATEST_MS = 253_402_300_799_999
"""9999-12-31 UTC, the last."""


def check_drafts(drafts: Sequence[MemoryDraft]) -> tuple[MemoryDraft, ...]:
    """Return the drafts of a batch as they may be stored, or raise `InvalidRequest` naming the one that may not."""
    count = len(drafts)
    if not 1 <= count <= BATCH_CHANGES:
        raise InvalidRequest(f"a batch of {count:,} memories is not allowed: give 1 to {BATCH_CHANGES:,} at a time")
    checked = []
    for position, draft in enumerate(drafts, start=1):
        try:
            checked.append(check_draft(draft))
        except InvalidRequest as error:
            if count == 1:
                raise
            raise InvalidRequest(f"memory {position} of {count}: {error.message}") from None
    return tuple(checked)


def check_draft(draft: MemoryDraft) -> MemoryDraft:
    """Return a draft with its text stripped and its tags once each, or raise `InvalidRequest`."""
    if draft.id:
        check_memory_id(draft.id)
    check_text("origin.path", draft.origin.path, most=PATH_CHARACTERS)
    check_text("origin.source", draft.origin.source, most=NAME_CHARACTERS)
    check_metadata(draft.metadata)
    check_details(draft.details)
    check_number("score", draft.score)
    check_number("utility", draft.utility)
    for name, count in (
        ("frequency", draft.frequency),
        ("origin.start_line", draft.origin.start_line),
        ("origin.end_line", draft.origin.end_line),
    ):
        if not 0 <= count <= LARGEST_INTEGER:
            raise InvalidRequest(f"{name} is {count}: give 0 to {LARGEST_INTEGER}")
    if len(draft.source_ids) > SOURCES:
        raise InvalidRequest(f"{len(draft.source_ids):,} source ids are too many: at most {SOURCES:,} are kept")
    for source_id in draft.source_ids:
        check_memory_id(source_id)
    for name, moment in (
        ("created_ms", draft.created_ms),
        ("updated_ms", draft.updated_ms),
        ("valid_from_ms", draft.valid_from_ms),
        ("valid_to_ms", draft.valid_to_ms),
    ):
        check_moment(name, moment)
    if draft.valid_from_ms is not None and draft.valid_to_ms is not None and draft.valid_to_ms < draft.valid_from_ms:
        raise InvalidRequest(
            f"valid_to_ms {draft.valid_to_ms} is before valid_from_ms {draft.valid_from_ms}: "
            "a statement ends after it begins"
        )
    return replace(
        draft,
        content=check_text("content", draft.content, least=1, most=CONTENT_CHARACTERS),
        when_to_use=check_text("when_to_use", draft.when_to_use, most=CONTENT_CHARACTERS),
        user_id=check_text("user_id", draft.user_id, most=NAME_CHARACTERS),
        author=check_text("author", draft.author, most=NAME_CHARACTERS),
        slot=check_text("slot", draft.slot, most=NAME_CHARACTERS),
        tags=check_tags(draft.tags),
    )


def check_patch(patch: MemoryPatch) -> MemoryPatch:
    """Return a patch with its text stripped, or raise `InvalidRequest`; one that changes nothing is refused too."""
    if patch == MemoryPatch():
        raise InvalidRequest("the patch changes nothing: give at least one field")
    if patch.metadata is not None:
        check_metadata(patch.metadata)
    if patch.details is not None:
        check_details(patch.details)
    if patch.score is not None:
        check_number("score", patch.score)
    check_moment("valid_to_ms", patch.valid_to_ms)
    content, when_to_use, author, tags = patch.content, patch.when_to_use, patch.author, patch.tags
    return replace(
        patch,
        content=None if content is None else check_text("content", content, least=1, most=CONTENT_CHARACTERS),
        when_to_use=None if when_to_use is None else check_text("when_to_use", when_to_use, most=CONTENT_CHARACTERS),
        author=None if author is None else check_text("author", author, most=NAME_CHARACTERS),
        tags=None if tags is None else check_tags(tags),
    )


def check_text(name: str, value: str, *, least: int = 0, most: int) -> str:
    """Return a text without the blanks around it, or raise `InvalidRequest` for its length or its characters."""
    text = value.strip()
    if len(text) < least:
        raise InvalidRequest(f"{name} is empty: give {least} to {most:,} characters")
    if len(text) > most:
        raise InvalidRequest(f"{name} has {len(text):,} characters, at most {most:,} are allowed: shorten or split it")
    _check_characters(name, text)
    return text


def _check_characters(name: str, text: str) -> None:
    if "\x00" in text:
        raise InvalidRequest(f"{name} has a NUL character at position {text.index(chr(0))}: remove it")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InvalidRequest(
                f"{name} has half of a surrogate pair at position {error.start}, which is no character: "
                "send the text as valid UTF-8"
            ) from None


def check_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """Return tags stripped and once each, in their order, or raise `InvalidRequest`."""
    clean = tuple(dict.fromkeys(check_text("a tag", tag, least=1, most=TAG_CHARACTERS) for tag in tags))
    if len(clean) > TAGS:
        raise InvalidRequest(f"{len(clean)} tags are too many: at most {TAGS} are allowed on a memory")
    return clean


def check_number(name: str, value: float) -> float:
    """Return a number that is finite, or raise `InvalidRequest`."""
    if not math.isfinite(value):
        raise InvalidRequest(f"{name} is {value}: give a finite number")
    return value


def check_moment(name: str, value: int | None) -> int | None:
    """Return milliseconds since 1970 of the years 1 to 9999, or raise `InvalidRequest`."""
    if value is not None and not EARLIEST_MS <= value <= LATEST_MS:
        raise InvalidRequest(f"{name} is {value}: give milliseconds since 1970-01-01 UTC, of the years 1 to 9999")
    return value


def check_metadata(value: JsonObject) -> JsonObject:
    """Return metadata that may be stored and filtered by, or raise `InvalidRequest`."""
    return _check_json("metadata", value, METADATA_BYTES, METADATA_DEPTH, METADATA_KEY_CHARACTERS)


def check_details(value: JsonObject) -> JsonObject:
    """Return details that may be stored, or raise `InvalidRequest`."""
    return _check_json("details", value, DETAILS_BYTES, DETAILS_DEPTH, DETAILS_KEY_CHARACTERS)


def check_preferences(value: JsonObject) -> JsonObject:
    """Return a profile's preferences that may be stored, or raise `InvalidRequest`; their bytes have a setting."""
    return _check_json("preferences", value, DETAILS_BYTES, DETAILS_DEPTH, DETAILS_KEY_CHARACTERS)


def _check_json(name: str, value: JsonObject, most_bytes: int, most_depth: int, most_key: int) -> JsonObject:
    """Refuse NaN, infinities and integers beyond 64 bits, long or empty keys, deep nesting and many bytes."""
    if not value:
        return value
    _check_value(name, value, most_depth, most_depth, most_key)
    size = len(json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain).encode())
    if size > most_bytes:
        raise InvalidRequest(f"{name} takes {size:,} bytes as JSON, at most {most_bytes:,} are allowed: shorten it")
    return value


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else list(value) if isinstance(value, Sequence) else str(value)


def _check_value(name: str, value: Json, depth_left: int, most_depth: int, most_key: int) -> None:
    if isinstance(value, str):
        _check_characters(name, value)
    elif value is None or isinstance(value, bool):
        return
    elif isinstance(value, int):
        if abs(value) > LARGEST_INTEGER:
            raise InvalidRequest(f"{name} holds an integer of more than 64 bits: send it as a text")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidRequest(f"{name} holds {value}, which is no JSON number: leave it out or send a text")
    elif depth_left == 0:
        raise InvalidRequest(f"{name} is nested deeper than {most_depth} levels: flatten it")
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if not isinstance(key, str) or not 1 <= len(key) <= most_key:
                shown = repr(key)[:80]
                raise InvalidRequest(f"{name} has the key {shown}: keys are texts of 1 to {most_key:,} characters")
            _check_characters(f"a key of {name}", key)
            _check_value(name, inner, depth_left - 1, most_depth, most_key)
    elif isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        for inner in value:
            _check_value(name, inner, depth_left - 1, most_depth, most_key)
    else:
        raise InvalidRequest(f"{name} holds a {type(value).__name__}, which JSON does not know: send it as a text")


def check_filter(wanted: MemoryFilter) -> MemoryFilter:
    """Return a filter that a store may be asked, or raise `InvalidRequest`."""
    lists = {"authors": wanted.authors, "user_ids": wanted.user_ids, "tags": wanted.tags}
    for name, values in lists.items():
        if len(values) > FILTER_VALUES:
            raise InvalidRequest(f"the filter lists {len(values):,} {name}: at most {FILTER_VALUES} are allowed")
        for value in values:
            check_text(f"a filter of {name}", value, most=NAME_CHARACTERS)
    check_moment("created_from_ms", wanted.created_from_ms)
    check_moment("created_to_ms", wanted.created_to_ms)
    if len(wanted.conditions) > FILTER_CONDITIONS:
        raise InvalidRequest(
            f"the filter has {len(wanted.conditions)} conditions: at most {FILTER_CONDITIONS} are allowed"
        )
    for condition in wanted.conditions:
        name = "a key of a condition"
        check_text(name, condition.key, least=1, most=METADATA_KEY_CHARACTERS)
        several = condition.comparison is Comparison.IN
        if not 1 <= len(condition.values) <= (FILTER_VALUES if several else 1):
            raise InvalidRequest(
                f"the condition on {condition.key!r} has {len(condition.values)} values: "
                f"{condition.comparison.value!r} takes {f'1 to {FILTER_VALUES}' if several else 'one'}"
            )
        for scalar in condition.values:
            _check_value(f"the condition on {condition.key!r}", scalar, 0, 0, 0)
    return wanted


def check_page(limit: int) -> int:
    """Return a page's size of 1 to 1,000, or raise `InvalidRequest`."""
    if not 1 <= limit <= PAGE:
        raise InvalidRequest(f"a page of {limit} is not allowed: ask for 1 to {PAGE:,}")
    return limit


def check_ids(memory_ids: Sequence[str]) -> tuple[str, ...]:
    """Return the ids of 1 to 1,000 memories, once each, or raise `InvalidRequest`."""
    ids = tuple(dict.fromkeys(check_memory_id(memory_id) for memory_id in memory_ids))
    if not 1 <= len(ids) <= BATCH_CHANGES:
        raise InvalidRequest(f"{len(ids):,} memory ids are not allowed: give 1 to {BATCH_CHANGES:,} at a time")
    return ids
