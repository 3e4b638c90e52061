"""Reading of bill files: plain, gzip or zip, in UTF-8 or GB 18030, row by row with line numbers."""

import codecs
import csv
import gzip
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sizing.errors import BillError

ENCODINGS = ("utf-8-sig", "gb18030")
"""UTF-8 with or without a BOM first: GB 18030 accepts most of what is UTF-8 and would garble it."""

CHUNK_ROWS = 20_000
"""Rows held at once (ours: some 20 MB of a wide report)."""

_GZIP = b"\x1f\x8b"
_ZIP = b"PK\x03\x04"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")

Row = tuple[int, list[str]]
"""The line on which a record ends, and its fields."""

Advance = Callable[[int], None]
"""Called with the number of bytes read from the disk."""


@dataclass(frozen=True, slots=True)
class BillFile:
    """A bill opened in one encoding: the header, and the rows in chunks."""

    name: str
    encoding: str
    header: list[str]
    chunks: Iterator[list[Row]]


@contextmanager
def open_bill(path: Path, name: str, advance: Advance) -> Iterator[BillFile]:
    """Open a bill; ``name`` is what messages call it.

    Raises BillError for a file that cannot be read, is empty, is text in neither of ENCODINGS, is a zip
    of several files, and, while the chunks are read, for a line whose number of fields differs from the
    header's.
    """
    try:
        encoding = _detect_encoding(path, name)
        with path.open("rb") as raw, _unpacked(name, raw, advance) as stream:
            text = io.TextIOWrapper(stream, encoding=encoding, newline="")
            records = _records(name, text)
            try:
                _, header = next(records)
            except StopIteration:
                raise BillError(f"{name} is empty. Export the bill again; a bill has a header and lines.") from None
            yield BillFile(name, encoding.removesuffix("-sig"), header, _chunks(name, records, len(header)))
            text.detach()
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BillError(
            f"{path} cannot be read: {reason}. Name an existing CSV file, or a .csv.gz or .zip of one."
        ) from None


def _detect_encoding(path: Path, name: str) -> str:
    """Return the first of ENCODINGS that decodes the whole file: a tag in Chinese can be on the last line."""
    for encoding in ENCODINGS:
        decoder = codecs.getincrementaldecoder(encoding)()
        with path.open("rb") as raw, _unpacked(name, raw, lambda _: None) as stream:
            try:
                while block := stream.read(1 << 20):
                    decoder.decode(block)
                decoder.decode(b"", final=True)
            except UnicodeDecodeError:
                continue
            return encoding
    raise BillError(f"{name} is neither UTF-8 nor GB 18030 text. Save it as CSV in UTF-8.")


@contextmanager
def _unpacked(name: str, raw: IO[bytes], advance: Advance) -> Iterator[IO[bytes]]:
    start = raw.read(4)
    raw.seek(0)
    if start[:2] in _UTF16:
        raise BillError(f"{name} is UTF-16 text. Save it as CSV in UTF-8.")
    counted = io.BufferedReader(_Counted(raw, advance), buffer_size=1 << 20)
    if start[:2] == _GZIP:
        with gzip.open(counted) as stream:
            yield io.BufferedReader(stream)
    elif start == _ZIP:
        with zipfile.ZipFile(counted) as archive:
            inside = [member for member in archive.namelist() if member.lower().endswith(".csv")]
            if len(inside) != 1:
                raise BillError(
                    f"{name} holds {len(inside)} CSV files: {', '.join(inside[:5]) or 'none'}. "
                    "Unpack it and name the files."
                )
            with archive.open(inside[0]) as stream:
                yield stream
    else:
        yield counted


class _Counted(io.RawIOBase):
    """A raw file that tells how many bytes were read."""

    def __init__(self, raw: IO[bytes], advance: Advance) -> None:
        self._raw = raw
        self._advance = advance

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        return self._raw.tell()

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._raw.read(len(buffer))
        buffer[: len(data)] = data
        self._advance(len(data))
        return len(data)


def _records(name: str, text: IO[str]) -> Iterator[Row]:
    reader = csv.reader(text, strict=True)
    while True:
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise BillError(
                f"{name}, line {reader.line_num}: {error}. The line is not CSV: a quote may be open, or the "
                "download was cut off. Export the bill again."
            ) from None
        if record:  # a blank line is no line of a bill
            yield reader.line_num, record


def _chunks(name: str, records: Iterator[Row], width: int) -> Iterator[list[Row]]:
    rows: list[Row] = []
    for row in records:
        if len(row[1]) != width:
            raise BillError(
                f"{name}, line {row[0]}: {len(row[1])} fields, and the header has {width}. The line is cut off "
                "or has a comma without quotes. Export the bill again, or repair the line."
            )
        rows.append(row)
        if len(rows) == CHUNK_ROWS:
            yield rows
            rows = []
    if rows:
        yield rows
