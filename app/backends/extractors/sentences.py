"""Sentences and clauses of English and Chinese text, as places in it, and what in it is not the speaker's own words.

`fold` and `mask` keep the length, so that a place found in what they return is the same place in the text as said.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

MASKED = "\ufffd"
"""Stands for a character of a quotation or of code; no rule matches it."""

_HALF_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_FOLDED = _HALF_WIDTH | {ord("’"): ord("'"), ord("‘"): ord("'"), 0x3000: ord(" "), 0xA0: ord(" "), ord("、"): ord("、")}

_NOT_SAID = re.compile(
    r"```.*?(?:```|\Z)"  # code
    r"|`[^`\n]+`"
    r"|^[ \t]*>[^\n]*$"  # a cited line
    r"|(?P<open>[\"“«「『《])(?P<quoted>[^\"“”«»「」『』《》]{0,2000}?)[\"”»」』》]",
    re.DOTALL | re.MULTILINE,
)
_OWN_VOICE = re.compile(r"\b(?:I|my|we|our|me)\b|我", re.IGNORECASE)

_CJK = r"\u3400-\u4dbf\u4e00-\u9fff"
_SENTENCE_END = re.compile(rf"\n+|[。…]+[\"”』」)]*|[.!?]+[\"”』」)]*(?=\s|$|[{_CJK}])|;(?=\s|[{_CJK}])")
_ABBREVIATION = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|prof|st|sr|jr|vs|inc|ltd|co|approx|e\.g|i\.e|cf|fig)|(?<![\w.])[a-z])\.$", re.IGNORECASE
)
_NUMBERING = re.compile(r"\s*\(?\d{1,2}[.)]")
_SOMETIMES_LAST = re.compile(r"\b(?:etc|a\.m|p\.m|u\.s|u\.k)\.$", re.IGNORECASE)
_CLAUSE_END = re.compile(
    rf",(?=\s|[{_CJK}])|(?<=[{_CJK}]),"
    r"|\s+[-–—]+\s+|——"
    r"|\s+(?=(?:and|but|so|because|since|though|although|whereas|however|yet|plus|while)\s)"
    r"|(?<=\S)(?=而且|并且|但是|不过|所以|因为|可是)",
    re.IGNORECASE,
)
_EDGE = " \t\r\n,.;:!?。…、~*•·-–—\"“”'()[]" + MASKED
_BULLET = re.compile(r"[ \t]*(?:[-*•·#]+|\(?\d{1,2}[.)、])[ \t]+")


class Place(NamedTuple):
    """Where a piece of a text stands: from `start` up to, but without, `end`."""

    start: int
    end: int

    def of(self, text: str) -> str:
        """The piece itself."""
        return text[self.start : self.end]


def fold(text: str) -> str:
    """The text with full-width letters and signs and curly apostrophes made plain, at the same length."""
    return text.translate(_FOLDED)


def mask(text: str) -> str:
    """The text with code, cited lines and quoted speech (a quotation that says "I") blanked, at the same length."""

    def blank(found: re.Match[str]) -> str:
        quoted = found["quoted"]
        if quoted is not None and not _OWN_VOICE.search(quoted):
            return found[0]  # a name or a title: My dog is called "Rex"
        return re.sub(r"[^\n]", MASKED, found[0])

    return _NOT_SAID.sub(blank, text)


def split_sentences(folded: str) -> Iterator[Place]:
    """The sentences of a folded text, without bullets and white space around them."""
    start = 0
    for found in _SENTENCE_END.finditer(folded):
        before, after = folded[start : found.end()], folded[found.end() : found.end() + 8].lstrip()
        if (
            _NUMBERING.fullmatch(before)
            or _ABBREVIATION.search(before)
            or (_SOMETIMES_LAST.search(before) and after[:1].islower())
        ):
            continue
        yield from _trimmed(folded, start, found.end())
        start = found.end()
    yield from _trimmed(folded, start, len(folded))


def split_clauses(folded: str, sentence: Place) -> Iterator[Place]:
    """The clauses of a sentence; a conjunction stays in front of the clause that it opens."""
    start = sentence.start
    for found in _CLAUSE_END.finditer(folded, sentence.start, sentence.end):
        yield from _trimmed(folded, start, found.start())
        start = found.end()
    yield from _trimmed(folded, start, sentence.end)


def trim(folded: str, place: Place) -> Place:
    """The place without signs and spaces at its edges that do not belong to its words."""
    start, end = place
    while (
        start < end and folded[start] in _EDGE and not (folded[start] == "-" and folded[start + 1 : end][:1].isdigit())
    ):
        start += 1
    while start < end and folded[end - 1] in _EDGE and not _belongs(folded[start:end]):
        end -= 1
    return Place(start, end)


def condense(text: str, limit: int) -> str:
    """The text in one line, at most `limit` characters: whole sentences while they fit, else cut with an ellipsis."""
    line = " ".join(text.split())
    if len(line) <= limit:
        return line
    head = fold(line[: limit + 2])  # two more, for a sentence ends only where something else follows
    fitting = [sentence.end for sentence in split_sentences(head) if sentence.end <= limit]
    if fitting and fitting[-1] >= limit // 2:
        return line[: fitting[-1]]
    cut = line[: limit - 1]
    space = cut.rfind(" ")
    return (cut[:space] if space > limit * 2 // 3 else cut).rstrip() + "…"


def _belongs(piece: str) -> bool:
    """Whether the last sign of a piece is part of it: a closing bracket, or the full stop of "p.m."."""
    if _SOMETIMES_LAST.search(piece):
        return True
    pairs = {")": "(", "]": "[", '"': '"', "”": "“", "'": "'"}
    opening = pairs.get(piece[-1])
    return opening is not None and opening in piece[1:-1]


def _trimmed(folded: str, start: int, end: int) -> Iterator[Place]:
    bullet = _BULLET.match(folded, start, end)
    start = bullet.end() if bullet else start
    while start < end and folded[start].isspace():
        start += 1
    while end > start and folded[end - 1].isspace():
        end -= 1
    if start < end:
        yield Place(start, end)
