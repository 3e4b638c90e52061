"""Identifiers that sort by time: UUIDv7 as 32 hex digits, and the hybrid logical clock."""

import re
import secrets
import threading

from app.errors import InvalidRequest

WORKSPACE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}")
"""Allowed workspace and tenant ids. The colon passes because clients write "tenant-a:project-1"."""
MEMORY_ID = re.compile(r"[0-9a-f]{32}")
IDEMPOTENCY_KEY = re.compile(r"[!-~]{1,255}")
"""Printable ASCII without blanks; the length is that of the draft of the Idempotency-Key header field."""
DEFAULT_WORKSPACE = "default"

_COUNTER_BITS = 16


class _Sequence:
    """Counts the ids of one millisecond, so that those of a process sort in the order in which they were made."""

    def __init__(self) -> None:
        self._lock, self._ms, self._count = threading.Lock(), -1, 0

    def follow(self, now_ms: int) -> int:
        """12 bits: from a random start below 1,024 upwards; beyond 4,095 ids in a millisecond the order is lost."""
        with self._lock:
            self._count = self._count + 1 if now_ms == self._ms else secrets.randbits(10)
            self._ms = now_ms
            return self._count & 0xFFF


_sequence = _Sequence()


def make_uuid7(now_ms: int) -> str:
    """A UUID of version 7 (RFC 9562 §5.7) as 32 hex digits: 48 bits of time, 12 of a counter (§6.2), 62 random ones."""
    stamp = (now_ms & 0xFFFF_FFFF_FFFF) << 80 | 0x7 << 76 | 0b10 << 62
    value = stamp | _sequence.follow(now_ms) << 64 | secrets.randbits(62)
    return f"{value:032x}"


def tick_hlc(last: int, now_ms: int) -> int:
    """The next hybrid logical clock after `last`: wall time in the high 48 bits, a counter in the low 16.

    Never runs backwards, even when the wall clock does (Kulkarni et al., Logical Physical Clocks, 2014).
    """
    return max(last + 1, now_ms << _COUNTER_BITS)


def hlc_ms(hlc: int) -> int:
    """The wall time of a hybrid logical clock in milliseconds."""
    return hlc >> _COUNTER_BITS


def check_workspace_id(value: str) -> str:
    """Return a workspace id that may be used, or raise `InvalidRequest`."""
    if not WORKSPACE_ID.fullmatch(value):
        raise InvalidRequest(
            f"workspace id {value[:140]!r} is not allowed: "
            "start with a letter or digit, then at most 127 of A-Z a-z 0-9 . _ : @ -"
        )
    return value


def check_idempotency_key(value: str) -> str:
    """Return an Idempotency-Key that may be used, or raise `InvalidRequest`, which does not repeat it."""
    if not IDEMPOTENCY_KEY.fullmatch(value):
        raise InvalidRequest(
            "the Idempotency-Key is not allowed: send 1 to 255 printable ASCII characters without blanks"
        )
    return value


def check_memory_id(value: str) -> str:
    """Return a memory id of 32 hex digits, or raise `InvalidRequest`."""
    if not MEMORY_ID.fullmatch(value):
        raise InvalidRequest(f"memory id {value[:40]!r} is not allowed: ids are 32 hexadecimal digits in lower case")
    return value
