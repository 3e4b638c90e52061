"""Looks for a pattern in a text, line by line, within a time that no pattern can exceed.

A plain text is looked for here. A regular expression may take for ever on a line that suits it, and holds up the whole
process while it does: it is run in a process of its own, which is ended when its time is over.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from app.errors import InvalidRequest, StoreError
from app.service.working import matching

PATTERN_CHARACTERS = 1_000
MOST_MATCHES = 1_000
LINE_CHARACTERS = 2_000
"""What is shown of a line."""
SEARCH_S = 5.0
"""Python starts in some 20 ms; an expression without nested repetitions reads 100 MiB in 1 to 3 s."""
_SPECIAL = re.compile(r"[\\^$.|?*+()\[\]{}]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Match:
    """A line that matches: its number from 1, and its first 2,000 characters."""

    line: int
    text: str


def find_matches(
    chunks: Iterable[bytes], pattern: str, *, ignore_case: bool, limit: int, most_s: float = SEARCH_S
) -> tuple[Match, ...]:
    """The first lines of a text in which a regular expression of Python is found.

    Raises `InvalidRequest` for an expression that is malformed, or takes longer than `most_s` seconds.
    """
    if not 1 <= len(pattern) <= PATTERN_CHARACTERS:
        raise InvalidRequest(f"the pattern has {len(pattern):,} characters: give 1 to {PATTERN_CHARACTERS:,}")
    if not 1 <= limit <= MOST_MATCHES:
        raise InvalidRequest(f"limit is {limit}: ask for 1 to {MOST_MATCHES:,} matches")
    if not _SPECIAL.search(pattern):
        return _find_text(chunks, pattern, ignore_case=ignore_case, limit=limit)
    return _find_expression(chunks, pattern, ignore_case=ignore_case, limit=limit, most_s=most_s)


def _find_text(chunks: Iterable[bytes], text: str, *, ignore_case: bool, limit: int) -> tuple[Match, ...]:
    wanted = text.casefold() if ignore_case else text
    matches = []
    for number, line in enumerate(split_lines(chunks), start=1):
        shown = line.decode("utf-8", "replace").rstrip("\n")
        if wanted in (shown.casefold() if ignore_case else shown):
            matches.append(Match(line=number, text=shown[:LINE_CHARACTERS]))
            if len(matches) == limit:
                break
    return tuple(matches)


def _find_expression(
    chunks: Iterable[bytes], pattern: str, *, ignore_case: bool, limit: int, most_s: float
) -> tuple[Match, ...]:
    wanted = {
        "pattern": pattern,
        "ignore_case": ignore_case,
        "limit": limit,
        "characters": LINE_CHARACTERS,
        "cpu_s": ceil(most_s) + 1,
    }
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(Path(matching.__file__))],
            input=b"".join((json.dumps(wanted).encode(), b"\n", *chunks)),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=most_s,
            check=True,
        )
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError):
        raise InvalidRequest(
            f"the search was ended after {most_s:g} s or for its memory: nest no repetitions, "
            "or look for a plain text and read around it"
        ) from None
    except OSError as fault:
        raise StoreError(f"the process of a search cannot be started ({fault.strerror}): repeat the request") from fault
    answer = json.loads(done.stdout)
    if "error" in answer:
        raise InvalidRequest(f"the pattern is no regular expression: {answer['error']}")
    return tuple(Match(line=line, text=text) for line, text in answer["matches"])


def split_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a text with their ends; together they are the text."""
    parts: list[bytes] = []
    for chunk in chunks:
        *whole, rest = chunk.split(b"\n")
        for line in whole:
            yield b"".join((*parts, line, b"\n"))
            parts.clear()
        if rest:
            parts.append(rest)
    if parts:
        yield b"".join(parts)


def slice_lines(chunks: Iterable[bytes], *, offset: int, limit: int | None) -> Iterator[bytes]:
    """The lines after the first `offset`, at most `limit`, as they stand; in pieces that are not kept together."""
    skip, left = offset, limit
    for chunk in chunks:
        begin = 0
        while skip and (end := chunk.find(b"\n", begin)) >= 0:
            begin, skip = end + 1, skip - 1
        if skip:
            continue
        stop = begin
        while left and (end := chunk.find(b"\n", stop)) >= 0:
            stop, left = end + 1, left - 1
        piece = chunk[begin : len(chunk) if left is None or left else stop]
        if piece:
            yield piece
        if left == 0:
            return
