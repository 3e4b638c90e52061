"""Places of metadata's values in their order, as integers that Qdrant compares without an error.

Qdrant compares ranges as doubles and knows no order of texts. A place is two integers of 48 bits, which every double
keeps: the first twelve bytes of a text, or of a number in a form whose bytes sort as numbers do.
"""

import json
import struct
from dataclasses import dataclass
from hashlib import sha256

from app.domain.memory import Json

PART_BYTES = 6
"""The bytes of one integer; a double keeps integers below 2^53."""
PLACE_BYTES = 2 * PART_BYTES
LONGEST_FACT = 256
"""Characters of a fact that is kept in full; Qdrant holds the words of an index in RAM, so longer ones are hashed."""

_SIGN = 1 << 63
_EXCESS = 1 << 15
"""Makes the excess of an integer over its double positive; of 64 bits it is at most 1,024 either way."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a value stands among those of its sort: "text", "number" or "truth".

    `text` is the whole of a text that has more than a place tells, else empty.
    """

    sort: str
    high: int
    low: int
    text: str = ""


def place(value: Json) -> Place | None:
    """The place of a text, a number or a truth value; None for what has no order."""
    if isinstance(value, bool):
        return Place(sort="truth", high=int(value), low=0)
    if isinstance(value, int | float):
        return _place("number", _sortable(value))
    if isinstance(value, str):
        letters = value.encode()
        return _place("text", letters, value if len(letters) >= PLACE_BYTES else "")
    return None


def fact(key: str, value: Json) -> str | None:
    """The word for "this key has this value"; the same for 1 and 1.0, another for true. None for what equals nothing.

    A word begins with a bracket, or is the SHA-256 (hex) of a long one.
    """
    if not isinstance(value, bool | int | float | str):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    word = json.dumps([key, value], ensure_ascii=False, separators=(",", ":"))
    return word if len(word) <= LONGEST_FACT else sha256(word.encode()).hexdigest()


def _place(sort: str, letters: bytes, text: str = "") -> Place:
    """The place of bytes; zeros fill what is missing, which no text has (NUL is refused)."""
    head = letters[:PLACE_BYTES].ljust(PLACE_BYTES, b"\0")
    high, low = int.from_bytes(head[:PART_BYTES], "big"), int.from_bytes(head[PART_BYTES:], "big")
    return Place(sort=sort, high=high, low=low, text=text)


def _sortable(value: float) -> bytes:
    """Ten bytes that sort as numbers do: the double (IEEE 754, negatives inverted), then an integer's excess."""
    double = float(value) + 0.0  # there is one zero
    (bits,) = struct.unpack(">Q", struct.pack(">d", double))
    bits = bits ^ (2 * _SIGN - 1) if bits & _SIGN else bits | _SIGN
    excess = value - int(double) if isinstance(value, int) else 0
    return struct.pack(">QH", bits, excess + _EXCESS)
