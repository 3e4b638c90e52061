"""What a language model said: the completion, and the JSON in its text."""

import json
import re
from collections.abc import Iterator
from math import isfinite
from typing import NoReturn

from jsonschema.exceptions import best_match
from jsonschema.validators import Draft202012Validator
from pydantic import BaseModel, ValidationError

from app.backends.models.attempts import Unusable
from app.domain.memory import JsonObject

MOST_STARTS = 64
"""Places in prose at which JSON is tried to be read; prose with more brackets is no answer."""

_THOUGHTS = re.compile(r"\A\s*<think>.*?</think>|\A(?:(?!<think>).)*?\n</think>\s*\n", re.DOTALL)
"""Some templates open the block in the prompt, so that the answer only closes it, on a line of its own."""
_FENCED = re.compile(r"```[\w+-]*[ \t]*\r?\n(.*?)```", re.DOTALL)
_OPENING = re.compile(r"[\[{]")


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class Completion(BaseModel):
    """The part of a chat completion that is used here; what else a provider sends is left out."""

    choices: list[_Choice]
    usage: object = None

    @property
    def text(self) -> str:
        """What the model said, without the thoughts that some models write before it."""
        said = self.choices[0].message.content if self.choices else None
        return _THOUGHTS.sub("", said or "", count=1).strip()

    @property
    def refused(self) -> bool:
        """The model, or a filter behind it, would not say."""
        return any(choice.message.refusal or choice.finish_reason == "content_filter" for choice in self.choices[:1])

    @property
    def cut_off(self) -> bool:
        """The answer reached its limit of tokens."""
        return any(choice.finish_reason == "length" for choice in self.choices[:1])


def read_completion(body: bytes) -> Completion:
    """A response's body; raises `Unusable`."""
    try:
        return Completion.model_validate_json(body)
    except ValidationError:
        raise Unusable("is no chat completion") from None


def read_value(text: str, schema: JsonObject) -> object:
    """The JSON value that a text holds and a schema allows; raises `Unusable`.

    The text is the value, or has it in a fenced block or amid prose. Values that do not fit the schema do not count;
    two different ones that do are ambiguous. NaN, infinities and halves of surrogate pairs are no JSON here.
    """
    validator = Draft202012Validator(schema)
    complaint = "holds no JSON"
    fitting: dict[str, object] = {}
    for value in _values(text):
        try:
            mismatch = best_match(validator.iter_errors(value))
            written = json.dumps(value, sort_keys=True)
        except RecursionError:
            complaint = "is nested too deep"
            continue
        if mismatch is None:
            fitting[written] = value
        else:
            rule = json.dumps(mismatch.validator_value, ensure_ascii=False)[:200]
            complaint = f"does not fit its schema: {mismatch.validator} {rule}"
    if len(fitting) > 1:
        raise Unusable("holds more than one JSON value that fits its schema")
    if not fitting:
        raise Unusable(complaint)
    return next(iter(fitting.values()))


def _values(text: str) -> list[object]:
    """The whole text as JSON; else its fenced blocks; else what stands in prose."""
    return _parse([text]) or _parse(_FENCED.findall(text)) or list(_amid_prose(text))


def _parse(texts: list[str]) -> list[object]:
    values = []
    for text in texts:
        try:
            values.append(_decoder.decode(text.strip()))
        except (ValueError, RecursionError):
            continue
    return [value for value in values if _is_text(value)]


def _amid_prose(text: str) -> Iterator[object]:
    position = 0
    for _ in range(MOST_STARTS):
        opening = _OPENING.search(text, position)
        if opening is None:
            return
        try:
            value, position = _decoder.raw_decode(text, opening.start())
        except (ValueError, RecursionError):
            position = opening.end()
            continue
        if _is_text(value):
            yield value


def _is_text(value: object) -> bool:
    """Whether a value can be written as UTF-8, which half of a surrogate pair cannot."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError):
        return False
    return True


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _read_finite(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):  # JSON allows "1e999", and Python reads infinity
        raise ValueError(digits)
    return number


_decoder = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_read_finite)
