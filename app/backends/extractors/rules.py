"""The rules as data: patterns with names, each with an example that it takes and one that it leaves."""

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

DATA = Path(__file__).parent / "data"

_WORD_LIST = re.compile(r"@([a-z_]+)")


class Frame(StrEnum):
    """What stands around a statement.

    A `CLAUSE` frame says that its clause states nothing (a question, a guess, a secret), a `SENTENCE` frame that
    its sentence does not (reported speech), a `REST` frame that nothing from here to the end of the message is the
    speaker's own (a story, a text to translate). A `TAG` turns the sentence before it into a question. A `REQUEST`
    does not belong to the statement beside it. A `LEAD_IN` is skipped in front of a statement, and so is a
    `SUBORDINATE` conjunction, whose statement ends with its clause. A `SUBJECTLESS` text is understood to begin
    with "I".
    """

    CLAUSE = "clause"
    SENTENCE = "sentence"
    REST = "rest"
    TAG = "tag"
    REQUEST = "request"
    LEAD_IN = "lead_in"
    SUBORDINATE = "subordinate"
    SUBJECTLESS = "subjectless"


@dataclass(frozen=True, kw_only=True, slots=True)
class StatementRule:
    """A statement of a speaker about himself. `slot` may name the group `thing` of the pattern: "taste:{thing}"."""

    name: str
    language: str
    slot: str
    subject: str
    tags: tuple[str, ...]
    score: float
    pattern: re.Pattern[str]
    example: str
    counterexample: str


@dataclass(frozen=True, kw_only=True, slots=True)
class FrameRule:
    """A sign that a text is no statement, or no part of one."""

    name: str
    language: str
    frame: Frame
    pattern: re.Pattern[str]
    example: str
    counterexample: str


@dataclass(frozen=True, kw_only=True, slots=True)
class MarkerRule:
    """A sign in a line of an agent's run: `marks` is "error" or "success"."""

    name: str
    language: str
    marks: str
    pattern: re.Pattern[str]
    example: str
    counterexample: str


@cache
def statement_rules() -> tuple[StatementRule, ...]:
    """The rules of data/personal.csv, in the order of the file."""
    words = _word_lists()
    return tuple(
        StatementRule(
            name=row["name"],
            language=row["language"],
            slot=row["slot"],
            subject=row["subject"],
            tags=tuple(row["tags"].split("|")),
            score=float(row["score"]),
            pattern=_compile(row["pattern"], words),
            example=row["example"],
            counterexample=row["counterexample"],
        )
        for row in _rows("personal.csv")
    )


@cache
def frame_rules() -> tuple[FrameRule, ...]:
    """The rules of data/frames.csv, in the order of the file."""
    words = _word_lists()
    return tuple(
        FrameRule(
            name=row["name"],
            language=row["language"],
            frame=Frame(row["frame"]),
            pattern=_compile(row["pattern"], words),
            example=row["example"],
            counterexample=row["counterexample"],
        )
        for row in _rows("frames.csv")
    )


@cache
def marker_rules() -> tuple[MarkerRule, ...]:
    """The rules of data/markers.csv, in the order of the file."""
    words = _word_lists()
    return tuple(
        MarkerRule(
            name=row["name"],
            language=row["language"],
            marks=row["marks"],
            pattern=_compile(row["pattern"], words),
            example=row["example"],
            counterexample=row["counterexample"],
        )
        for row in _rows("markers.csv")
    )


def _rows(name: str) -> Iterator[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


@cache
def _word_lists() -> Mapping[str, str]:
    return {row["name"]: row["words"] for row in _rows("words.csv")}


def _compile(pattern: str, words: Mapping[str, str]) -> re.Pattern[str]:
    """Compile a pattern in which `@name` stands for a list of words; lists may name other lists."""
    while _WORD_LIST.search(pattern):
        pattern = _WORD_LIST.sub(lambda found: f"(?:{words[found[1]]})", pattern)
    return re.compile(pattern, re.IGNORECASE)
