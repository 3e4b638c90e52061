"""Public conversation sets that the user supplies: reads their JSON, and says what is wrong with it."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.domain.memory import Layer, MemoryDraft, MemoryKind, Origin
from app.service.turns import cut
from benchmarks.errors import BenchmarkError
from benchmarks.quality.question_sets import KEY, Collection, Item, Question, QuestionSet

_DIA_ID = re.compile(r"D\d+:\d+")
_SESSION = re.compile(r"session_(\d+)")
LOCOMO_KINDS = {1: "multi-hop", 2: "temporal", 3: "open domain", 4: "single-hop", 5: "adversarial"}
"""The categories of the published file. The adversarial ones have look-alike evidence: they count as unanswerable."""
LOCOMO_TIMES = ("%I:%M %p on %d %B, %Y", "%I:%M %p on %d %b, %Y")
LONGMEMEVAL_TIMES = ("%Y/%m/%d (%a) %H:%M", "%Y/%m/%d %H:%M", "%Y/%m/%d")
_MINUTE_MS = 60_000
_FIRST_MS = 1_577_836_800_000
"""2020-01-01, where a file gives no time."""


def read_locomo(path: Path) -> QuestionSet:
    """A LoCoMo file: a list of samples with `conversation` (talks of turns with `dia_id`) and `qa`.

    Turns are kept as "speaker: text", with an image's caption. Evidence that names no turn of the sample is left out,
    and a question that has none left with it; how many, `facts` tells. Raises `BenchmarkError`.
    """
    collections, left_out = [], 0
    for number, sample in enumerate(_read_list(path)):
        where = f"{path.name}, sample {number + 1}"
        conversation = _take(sample, "conversation", dict, where)
        name = str(sample.get("sample_id", f"sample-{number + 1}"))
        items: list[Item] = []
        talks = sorted((int(found[1]), key) for key in conversation if (found := _SESSION.fullmatch(key)) is not None)
        if not talks:
            raise BenchmarkError(f'{where}: "conversation" has no "session_1": is this a LoCoMo file?')
        for talk, key in talks:
            turns = conversation[key]
            _check(isinstance(turns, list), f'{where}: "{key}" is no list of turns')
            start_ms = _read_time(conversation.get(f"{key}_date_time"), LOCOMO_TIMES, f"{where}, {key}_date_time")
            for line, turn in enumerate(turns, start=1):
                place = f"{where}, {key}, turn {line}"
                _check(isinstance(turn, dict), f"{place} is no object")
                text = f"{_take(turn, 'speaker', str, place)}: {_take(turn, 'text', str, place)}"
                if turn.get("blip_caption"):
                    text += f" [image: {turn['blip_caption']}]"
                dia_id = _take(turn, "dia_id", str, place)
                items += _keep_turn(text, dia_id, f"talk-{talk}", line, start_ms + line * _MINUTE_MS)
        known = {item.key for item in items}
        questions = []
        for at, asked in enumerate(_take(sample, "qa", list, where), start=1):
            place = f"{where}, question {at}"
            _check(isinstance(asked, dict), f"{place} is no object")
            category = _take(asked, "category", int, place)
            kind = LOCOMO_KINDS.get(category, f"category {category}")
            named = [found for one in asked.get("evidence") or () for found in _DIA_ID.findall(str(one))]
            evidence = tuple(frozenset({key}) for key in dict.fromkeys(named) if key in known)
            if category != 5 and not evidence:
                left_out += 1
                continue
            text = _take(asked, "question", str, place)
            questions.append(Question(text=text, kind=kind, evidence=() if category == 5 else evidence))
        collections.append(_collect(name, items, questions))
    return QuestionSet(name="locomo", collections=tuple(collections), facts={"without_evidence": left_out})


def read_longmemeval(path: Path) -> QuestionSet:
    """A LongMemEval file: a list of questions, each with a history of its own (`haystack_sessions`).

    Turns with `has_answer` are the evidence; without any, each talk of `answer_session_ids` is one piece, which any
    of its turns will do for. Questions whose id ends in "_abs" have no answer. Raises `BenchmarkError`.
    """
    collections, left_out = [], 0
    for number, entry in enumerate(_read_list(path)):
        where = f"{path.name}, question {number + 1}"
        talks = _take(entry, "haystack_sessions", list, where)
        ids = [str(one) for one in _take(entry, "haystack_session_ids", list, where)]
        dates = entry.get("haystack_dates") or [None] * len(talks)
        if not len(talks) == len(ids) == len(dates):
            raise BenchmarkError(f"{where}: {len(talks)} talks, {len(ids)} ids and {len(dates)} dates: not as many")
        items: list[Item] = []
        answers: list[str] = []
        of_session: dict[str, list[str]] = {}
        for session_id, turns, date in zip(ids, talks, dates, strict=True):
            start_ms = _read_time(date, LONGMEMEVAL_TIMES, f"{where}, haystack_dates")
            _check(isinstance(turns, list), f"{where}: talk {session_id} is no list of turns")
            for line, turn in enumerate(turns, start=1):
                place = f"{where}, talk {session_id}, turn {line}"
                _check(isinstance(turn, dict), f"{place} is no object")
                key = f"{session_id}/{line}"
                text = _take(turn, "content", str, place)
                items += _keep_turn(text, key, session_id, line, start_ms + line * _MINUTE_MS)
                of_session.setdefault(session_id, []).append(key)
                if turn.get("has_answer"):
                    answers.append(key)
        question_id = str(_take(entry, "question_id", str, where))
        named = [str(one) for one in entry.get("answer_session_ids") or ()]
        evidence = tuple(frozenset({key}) for key in answers) or tuple(
            frozenset(of_session[one]) for one in named if one in of_session
        )
        unanswerable = question_id.endswith("_abs")
        if not evidence and not unanswerable:
            left_out += 1
            continue
        kind = str(entry.get("question_type", "question"))
        text = _take(entry, "question", str, where)
        question = Question(text=text, kind=kind, evidence=() if unanswerable else evidence)
        collections.append(_collect(f"{number:04d}-{question_id}"[:100], items, [question]))
    return QuestionSet(name="longmemeval", collections=tuple(collections), facts={"without_evidence": left_out})


READERS: Mapping[str, Callable[[Path], QuestionSet]] = {"locomo": read_locomo, "longmemeval": read_longmemeval}


def _collect(name: str, items: Sequence[Item], questions: Sequence[Question]) -> Collection:
    if not items:
        raise BenchmarkError(f"{name}: the conversation has no turn with text")
    last_ms = max(item.draft.created_ms or 0 for item in items)
    return Collection(
        name=re.sub(r"[^A-Za-z0-9_-]", "-", name),
        language="en",
        items=tuple(items),
        questions=tuple(questions),
        asked_ms=last_ms + 60 * _MINUTE_MS,
    )


def _keep_turn(text: str, key: str, talk: str, line: int, at_ms: int) -> list[Item]:
    """The raw memories of a turn, in pieces as the service keeps them; none for a turn without text."""
    return [
        Item(
            key=key if piece == 1 else f"{key}#{piece}",
            draft=MemoryDraft(
                kind=MemoryKind.PERSONAL,
                layer=Layer.RAW,
                content=part,
                metadata={KEY: key, "piece": piece},
                origin=Origin(path=f"conversations/{talk}", source="conversation", start_line=line, end_line=line),
                created_ms=at_ms,
                valid_from_ms=at_ms,
            ),
        )
        for piece, part in enumerate(cut(text), start=1)
    ]


def _read_list(path: Path) -> list[dict[str, Any]]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise BenchmarkError(f"{path.name} cannot be read: {fault.strerror}") from fault
    except ValueError as fault:
        raise BenchmarkError(f"{path.name} is no JSON in UTF-8: {fault}") from fault
    if not isinstance(document, list) or not document or not all(isinstance(one, dict) for one in document):
        raise BenchmarkError(f"{path.name} holds no list of objects: give the file as it is published")
    return document


def _take(entry: Mapping[str, Any], key: str, kind: type, where: str) -> Any:
    value = entry.get(key)
    if not isinstance(value, kind):
        told = "is missing" if value is None else f"is a {type(value).__name__}"
        raise BenchmarkError(f'{where}: "{key}" {told}, a {kind.__name__} is needed')
    return value


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise BenchmarkError(message)


def _read_time(value: object, forms: Sequence[str], where: str) -> int:
    if value is None:
        return _FIRST_MS
    for form in forms:
        try:
            return int(datetime.strptime(str(value).strip(), form).replace(tzinfo=UTC).timestamp() * 1000)
        except ValueError:
            continue
    raise BenchmarkError(
        f"{where}: {str(value)[:40]!r} is no time such as {datetime(2023, 5, 8, 13, 56, tzinfo=UTC).strftime(forms[0])}"
    )
