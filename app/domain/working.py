"""Working memory: long parts of a conversation that are kept beside it, how long they stay, and when they go there."""

import re
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from app.domain.memory import Scope
from app.errors import InvalidRequest

MS_PER_DAY = 86_400_000
FOLDER = "working_memory"
"""The first part of every file path that callers see. No such folder exists: a path is a name."""
_FILE_PATH = re.compile(rf"(?:{FOLDER}/)?([0-9a-f]{{32}})(?:\.txt|\.jsonl)?")
FILE_PATH = re.compile(rf"{FOLDER}/[0-9a-f]{{32}}\.(?:txt|jsonl)")
"""A path as it stands in a text."""


class WorkingMode(StrEnum):
    """Compact offloads long outputs of tools; compress summarises older messages; auto does the first, then the
    second where that was not enough."""

    COMPACT = "compact"
    COMPRESS = "compress"
    AUTO = "auto"


class OffloadKind(StrEnum):
    """A tool's output as a text, or messages as one JSON object a line."""

    TOOL_OUTPUT = "tool_output"
    MESSAGES = "messages"


class Tier(StrEnum):
    """By age: hot, then warm (stored alike on a local disk), then archive, where the object is compressed."""

    HOT = "hot"
    WARM = "warm"
    ARCHIVE = "archive"


@dataclass(frozen=True, kw_only=True, slots=True)
class Offload:
    """A text that was taken out of a conversation. The text itself is the object `object_name`.

    `id` follows from the workspace and the text, so that the same text has one offload. `name` says what it was: the
    tool's name, or how many messages. `bytes` and `lines` are the text's, not the object's. `created_ms` is when it
    was offloaded last, `last_read_ms` when it was read last, or offloaded if it was not read since.
    """

    id: str
    scope: Scope
    kind: OffloadKind
    chat_id: str
    name: str
    bytes: int
    lines: int
    sha256: str
    object_name: str
    created_ms: int
    last_read_ms: int
    tier: Tier = Tier.HOT

    @property
    def file_path(self) -> str:
        """The name by which the 0.2 API reads it."""
        return make_file_path(self.kind, self.id)


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkingLimits:
    """When a conversation is too long. Tokens are estimated.

    The defaults are those of ReMe 0.2, but for `group_token_threshold`: 5,000 is the most that a compression reads by
    the requirements (§5.2). `compact_ratio_threshold` is their `compression_ratio` (§4.5).
    """

    mode: WorkingMode = WorkingMode.AUTO
    compact_ratio_threshold: float = 0.75
    max_total_tokens: int = 20_000
    max_tool_message_tokens: int = 2_000
    group_token_threshold: int = 5_000
    keep_recent_count: int = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkingPolicy:
    """The settings of working memory (requirements §4.5; the days as one table, hot to 7, warm to 30, gone at 90).

    Without `auto_compression` the mode auto only compacts. An age of `archive_after_days` counts from the last
    reading; one of `delete_after_days` from the offloading, since reading must not stretch a promise to delete.
    """

    limits: WorkingLimits = WorkingLimits()
    auto_compression: bool = True
    max_messages: int = 1_000
    hot_days: int = 7
    archive_after_days: int = 30
    delete_after_days: int = 90
    archive_enabled: bool = True


def check_limits(limits: WorkingLimits) -> WorkingLimits:
    """Return limits that can be kept to, or raise `InvalidRequest` naming the one that cannot."""
    least = {
        "max_total_tokens": 1,
        "max_tool_message_tokens": 1,
        "group_token_threshold": 1,
        "keep_recent_count": 0,
    }
    for name, smallest in least.items():
        if getattr(limits, name) < smallest:
            raise InvalidRequest(f"{name} is {getattr(limits, name)}: give at least {smallest}")
    if not 0 < limits.compact_ratio_threshold <= 1:
        raise InvalidRequest(
            f"compact_ratio_threshold is {limits.compact_ratio_threshold}: give a share above 0, at most 1"
        )
    return limits


def identify(scope: Scope, kind: OffloadKind, digest: str) -> str:
    """The id of the offload of a text with this SHA-256 in a workspace: 32 hex digits."""
    return hash_ids(scope.tenant_id, scope.workspace_id, kind.value, digest)


def name_folder(scope: Scope) -> str:
    """The folder of a workspace's objects, with its slash; no id of a user stands in a file name."""
    return f"{hash_ids(scope.tenant_id, scope.workspace_id)}/"


def make_file_path(kind: OffloadKind, offload_id: str) -> str:
    """The path of an offload in answers of the 0.2 API, e.g. "working_memory/<id>.txt"."""
    return f"{FOLDER}/{offload_id}.{'txt' if kind is OffloadKind.TOOL_OUTPUT else 'jsonl'}"


def read_file_path(file_path: str) -> str | None:
    """The id that a path of `make_file_path` names, or an id alone; None for any other path."""
    found = _FILE_PATH.fullmatch(file_path.strip())
    return found[1] if found else None


def hash_ids(*parts: str) -> str:
    """Ids as 32 hex digits, the same each time."""
    return sha256("\x1f".join(parts).encode()).hexdigest()[:32]
