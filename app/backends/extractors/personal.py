"""What a speaker says about himself: statements found by the rules of data/personal.csv."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from app.backends.extractors.rules import Frame, FrameRule, StatementRule, frame_rules, statement_rules
from app.backends.extractors.sentences import MASKED, Place, fold, mask, split_clauses, split_sentences, trim

LONGEST_SENTENCE = 400
"""Characters. People state facts about themselves in short sentences; longer ones are pasted text."""
LONGEST_MESSAGE = 8_000
"""Characters. What is longer is a document that somebody hands over, not speech."""
LONGEST_THING = {"en": 4, "zh": 8}
"""Words (en) or characters (zh) that name one thing; a longer phrase says more than one, so nothing supersedes it."""

_CJK = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_LATIN = re.compile(r"[A-Za-z]")
_SPACE_BY_CJK = re.compile(r"(?<=[\u4e00-\u9fff]) +| +(?=[\u4e00-\u9fff])")
_SEVERAL = re.compile(r"[,;、]|\b(?:and|or|but|because|when|if|although|than|over)\b|和|或|跟|但|因为|而")
_ARTICLE = re.compile(r"^(?:the|an?|my|our|to|some|any)\s+")
_EMPHASIS = re.compile(
    r"\s*(?:very much|so much|a lot|a bit|as well|too|any ?more|these days|now|again|the most|the best|at all|today"
    r"|的|了|啊|呀|呢|吧)$"
)
_AFTERTHOUGHT = re.compile(
    r"[ ,]+(?:btw|by the way|fyi|though|lol|haha|actually|sadly|unfortunately|as well|too)$", re.IGNORECASE
)
_SUBJECTS = {"en": ("I ", "I'm "), "zh": ("我",)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """A statement as said, the rule that found it, and its slot ("" if it does not replace an earlier one)."""

    text: str
    rule: StatementRule
    slot: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Found:
    rule: StatementRule
    match: re.Match[str]
    elided: str = ""


@dataclass(kw_only=True, slots=True)
class _Segment:
    start: int
    end: int
    found: _Found


def find_statements(text: str) -> Iterator[Statement]:
    """The statements about himself that a speaker makes in one message, in their order.

    Quoted, reported, supposed and asked sentences, secrets, stories and texts handed over for work are left out.
    A sentence that states several things is cut where one ends; otherwise it is given whole.
    """
    if len(text) > LONGEST_MESSAGE:
        return
    readable = mask(fold(text))
    for place in _joined(readable, split_sentences(readable)):
        sentence = place.of(readable)
        if _framed(sentence, Frame.REST):
            return
        if len(sentence) <= LONGEST_SENTENCE and not _framed(sentence, Frame.SENTENCE):
            for segment in _segments(readable, place):
                yield from _state(text, readable, segment)


def _segments(readable: str, sentence: Place) -> list[_Segment]:
    """The parts of a sentence that each state one thing; what states nothing belongs to what it follows."""
    clauses = list(_joined(readable, split_clauses(readable, sentence))) or [sentence]
    if sentence.of(readable).endswith("?") and not _asks_apart(readable, clauses):
        clauses = [sentence]
    segments: list[_Segment] = []
    begun, open_end = sentence.start, False
    refers_to_speaker = _leads(_without_lead_in(sentence.of(readable)), Frame.SUBJECTLESS) is not None
    for clause in clauses:
        said = clause.of(readable)
        guarded = _framed(said, Frame.CLAUSE) or MASKED in said
        found = None if guarded and not _is_request_to_remember(said) else _match(said, elided=refers_to_speaker)
        if found:
            start = clause.start if segments or not open_end else begun
            segments.append(_Segment(start=start, end=clause.end, found=found))
            refers_to_speaker = "relation" not in found.rule.tags
            open_end = not _leads(said, Frame.SUBORDINATE)
            continue
        if guarded or _framed(said, Frame.REQUEST):
            begun, open_end = clause.end, False
            continue
        if segments and open_end:
            segments[-1].end = clause.end
        open_end = True
    if not segments and len(clauses) > 1 and not any(_framed(clause.of(readable), Frame.CLAUSE) for clause in clauses):
        found = _match(sentence.of(readable), elided=False)
        return [_Segment(start=sentence.start, end=sentence.end, found=found)] if found else []
    return segments


def _joined(readable: str, places: Iterator[Place]) -> Iterator[Place]:
    """The places; one that only leads in ("Hi!", "By the way,") is joined to the next."""
    start: int | None = None
    for place in places:
        joined = place if start is None else Place(start, place.end)
        if _without_lead_in(joined.of(readable).rstrip("!.,;:。") + ", "):
            yield joined
            start = None
        else:
            start = joined.start


def _asks_apart(readable: str, clauses: list[Place]) -> bool:
    """Whether only the last clause of a sentence with a question mark asks: "I live in Paris, where can I eat?"."""
    asked = clauses[-1].of(readable).rstrip("? ")
    return len(clauses) > 1 and not _framed(asked, Frame.TAG) and _framed(asked, Frame.CLAUSE)


def _state(text: str, readable: str, segment: _Segment) -> Iterator[Statement]:
    """The statement of a segment, or those inside what the speaker asked to remember."""
    rule = segment.found.rule
    place = _after_lead_in(readable, trim(readable, Place(segment.start, segment.end)), segment.found)
    if "statement" in rule.pattern.groupindex:
        asked = rule.pattern.match(place.of(readable))
        inner = trim(readable, Place(place.start + asked.start("statement"), place.end) if asked else place)
        if _framed(inner.of(readable), Frame.CLAUSE):
            return
        within = _segments(readable, inner)
        if within and all("statement" not in part.found.rule.pattern.groupindex for part in within):
            for part in within:
                yield from _state(text, readable, part)
        else:
            yield Statement(text=inner.of(text), rule=rule, slot="")
        return
    match = rule.pattern.match(_comparable(segment.found.elided + place.of(readable))) or segment.found.match
    said = place.of(text)
    if segment.found.elided.isascii() and segment.found.elided:
        said = said[0].lower() + said[1:]
    yield Statement(text=segment.found.elided + said, rule=rule, slot=_slot(rule, match))


def _match(clause: str, *, elided: bool) -> _Found | None:
    """The rule of the highest score that takes a clause with or without its lead-in, else with "I" put in front."""
    said = _without_lead_in(clause)
    found = max(filter(None, (_best(said), _best(clause))), key=lambda found: found.rule.score, default=None)
    if found or not elided:
        return found
    for subject in (subject for language in _languages(said) for subject in _SUBJECTS[language]):
        if found := _best(subject + said):
            return _Found(rule=found.rule, match=found.match, elided=subject)
    return None


def _best(clause: str) -> _Found | None:
    comparable = _comparable(clause)
    languages = _languages(clause)
    best: _Found | None = None
    for rule in statement_rules():
        if rule.language in languages and (best is None or rule.score > best.rule.score):
            match = rule.pattern.match(comparable)
            if match:
                best = _Found(rule=rule, match=match)
    return best


def _slot(rule: StatementRule, match: re.Match[str]) -> str:
    if "{thing}" not in rule.slot:
        return rule.slot
    thing = " ".join(match["thing"].casefold().split()).strip(" .!?\"'")
    for pattern in (_ARTICLE, _EMPHASIS, _EMPHASIS):
        thing = pattern.sub("", thing).strip()
    length = len(thing.split()) if rule.language == "en" else len(thing)
    if not thing or length > LONGEST_THING[rule.language] or _SEVERAL.search(thing):
        return ""
    return rule.slot.format(thing=thing)


def _comparable(clause: str) -> str:
    """A clause in the form that the patterns are written for."""
    plain = _SPACE_BY_CJK.sub("", " ".join(clause.split()))
    plain = plain.replace("'ve ", " have ").replace("'ll ", " will ").strip(" ,.;:!")
    return _AFTERTHOUGHT.sub("", plain)


def _after_lead_in(readable: str, place: Place, found: _Found) -> Place:
    """The place of a statement without "by the way" and the like, unless the rule needs them ("Hi, I'm Ana")."""
    rest = _without_lead_in(place.of(readable))
    if not found.rule.pattern.match(_comparable(found.elided + rest)):
        return place
    return trim(readable, Place(place.end - len(rest), place.end))


def _without_lead_in(clause: str) -> str:
    for frame in (Frame.LEAD_IN, Frame.SUBORDINATE):
        if found := _leads(clause, frame):
            clause = clause[found.end() :]
    return clause


def _leads(clause: str, frame: Frame) -> re.Match[str] | None:
    return next(filter(None, (rule.pattern.match(clause) for rule in _frames(frame, clause))), None)


def _is_request_to_remember(clause: str) -> bool:
    found = _match(clause, elided=False)
    return found is not None and "statement" in found.rule.pattern.groupindex


def _framed(text: str, frame: Frame) -> bool:
    said = _without_lead_in(text)
    return any(rule.pattern.search(text) or rule.pattern.search(said) for rule in _frames(frame, text))


def _frames(frame: Frame, text: str) -> Iterator[FrameRule]:
    languages = _languages(text)
    return (
        rule for rule in frame_rules() if rule.frame is frame and (rule.language in languages or rule.language == "any")
    )


def _languages(text: str) -> set[str]:
    chinese = {"zh"} if _CJK.search(text) else set()
    return chinese | ({"en"} if _LATIN.search(text) or not chinese else set())
