"""What commands read: a text from an argument, a file or standard input, lines of a file, `name=value` pairs."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO

import click

from app.domain.memory import Json, JsonObject
from app.errors import InvalidRequest

STANDARD = Path("-")
"""Standard input or output."""
TEXT_BYTES = 1_000_000
"""A memory holds 32,768 characters, which are 131,072 bytes at most; what is larger is refused unread."""


def read_text(text: str | None, file: Path | None) -> str:
    """The text of an argument, of a file, or of standard input where neither is given."""
    if text is not None and file is not None:
        raise click.UsageError("Give the text or --file, not both.")
    if text is not None and text != "-":
        return text
    if file is None or file == STANDARD:
        if sys.stdin.isatty():
            raise click.UsageError("Give a text, --file, or something on standard input.")
        return _decode(sys.stdin.buffer.read(TEXT_BYTES + 1), "standard input")
    with open_input(file) as source:
        return _decode(source.read(TEXT_BYTES + 1), str(file))


def _decode(content: bytes, name: str) -> str:
    if len(content) > TEXT_BYTES:
        raise InvalidRequest(f"{name} holds over {TEXT_BYTES:,} bytes: a memory is a short text, import longer ones")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{name} is no UTF-8 text (byte {error.start}): convert it first") from None


def open_input(file: Path) -> BinaryIO:
    """A file to read, or `InvalidRequest` saying why it cannot be read."""
    try:
        return file.open("rb")
    except OSError as error:
        raise InvalidRequest(f"{file} cannot be read: {error.strerror}") from None


def read_lines(source: BinaryIO, *, most: int, advance: Callable[[int], None]) -> Iterator[str]:
    """The lines of a source as they come; of one longer than `most` bytes only that many and one more.

    `advance` gets the bytes of each line. Bytes that are no UTF-8 become half surrogates, which no memory may hold.
    """
    while line := source.readline(most + 1):
        advance(len(line))
        kept = line
        while len(line) > most and not line.endswith(b"\n"):
            line = source.readline(most + 1)
            if not line:
                break
            advance(len(line))
        yield kept.decode("utf-8", "surrogateescape").removeprefix("\ufeff")


def input_files(files: Sequence[Path]) -> Iterator[tuple[str, BinaryIO, int]]:
    """Name, content and size of each file; standard input, of unknown size 0, for `-` and where none is given."""
    if not files and sys.stdin.isatty():
        raise click.UsageError("Give a file, or something on standard input.")
    for file in files or (STANDARD,):
        context = nullcontext(sys.stdin.buffer) if file == STANDARD else open_input(file)
        with context as source:
            yield (
                ("standard input", source, 0)
                if file == STANDARD
                else (str(file), source, file.stat().st_size if file.is_file() else 0)
            )


def read_pairs(pairs: Sequence[str]) -> JsonObject:
    """The object of `name=value` pairs: a value that is a JSON number, true, false or null is that, else a text."""
    return dict(_read_pair(pair) for pair in pairs)


def _read_pair(pair: str) -> tuple[str, Json]:
    name, equals, text = pair.partition("=")
    if not (name and equals):
        raise click.BadParameter(f"{pair!r} is no pair: write name=value", param_hint="--metadata")
    try:
        value = json.loads(text, parse_constant=lambda _: text)
    except (ValueError, RecursionError):
        return name, text
    return name, value if value is None or isinstance(value, (bool, int, float)) else text
