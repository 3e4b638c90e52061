"""The JSON in what a model says."""

import json
from typing import Any

import pytest

from app.backends.models.answers import Completion, read_completion, read_value
from app.backends.models.attempts import Unusable
from app.domain.memory import JsonObject
from tests.app.models.conftest import SCHEMA, VALUE

TEXT = json.dumps(VALUE)


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        f"\n {TEXT}\n",
        f"```json\n{TEXT}\n```",
        f"Here you are:\n```\n{TEXT}\n```\nAnything else?",
        f"Here you are: {TEXT} - that is all [1].",
        f"First an example: ```json\n{{}}\n```\nthen:\n```json\n{TEXT}\n```",
        f"{TEXT}\n\nTo repeat: {TEXT}",
        f"[{{[ {TEXT}",
    ],
)
def test_a_value_is_found_where_it_is_unambiguous(text: str) -> None:
    assert read_value(text, SCHEMA) == VALUE


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "holds no JSON"),
        ("nothing", "holds no JSON"),
        (TEXT[:-3], "holds no JSON|does not fit"),
        ('{"memories": [1]}', 'does not fit its schema: type "string"'),
        ("{}", "does not fit its schema: required"),
        ('{"memories": []} {"memories": ["a"]}', "more than one"),
        ('{"memories": ["\\ud83d"]}', "holds no JSON"),
        ("[" * 100_000, "holds no JSON"),
        ("{" * 100_000, "holds no JSON"),
        (f'{{"memories": {"[" * 5_000}{"]" * 5_000}}}', "no JSON|too deep|does not fit"),
        ('{"memories": [' + "9" * 10_000 + "]}", "holds no JSON|does not fit"),
    ],
    ids=lambda value: value[:30],
)
def test_what_cannot_be_used_is_said_in_words_of_the_schema(text: str, complaint: str) -> None:
    with pytest.raises(Unusable, match=complaint):
        read_value(text, SCHEMA)


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", "[-Infinity]", "1e999", "[-1e999]"])
def test_constants_beyond_json_are_none(text: str) -> None:
    with pytest.raises(Unusable):
        read_value(text, {"type": ["number", "array"]})


@pytest.mark.parametrize(("text", "schema"), [("7", {"type": "integer"}), ("null", {"type": "null"})])
def test_a_scalar_stands_alone(text: str, schema: JsonObject) -> None:
    assert read_value(text, schema) == json.loads(text)


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("<think>Is {it} 3?</think>\n\nYes", "Yes"),
        ("Is it?\n</think>\n\nYes", "Yes"),
        ("the tag </think> ends it", "the tag </think> ends it"),
        ("Yes <think>later</think>", "Yes <think>later</think>"),
        ("", ""),
        (None, ""),
    ],
)
def test_thoughts_are_left_out(said: str | None, text: str) -> None:
    body = {"choices": [{"message": {"content": said}, "finish_reason": "stop"}]}
    assert read_completion(json.dumps(body).encode()).text == text


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"{}", b'{"choices": null}', b'{"choices": [{}]}', b"\xff", b"[" * 100_000]
)
def test_another_body_is_no_completion(body: bytes) -> None:
    with pytest.raises(Unusable):
        read_completion(body)


@pytest.mark.parametrize(
    ("choice", "refused", "cut_off"),
    [
        ({"message": {"refusal": "I cannot"}}, True, False),
        ({"message": {}, "finish_reason": "content_filter"}, True, False),
        ({"message": {"content": "a"}, "finish_reason": "length"}, False, True),
        ({"message": {"content": "a"}, "finish_reason": "stop"}, False, False),
    ],
)
def test_why_it_ended(choice: dict[str, Any], refused: bool, cut_off: bool) -> None:
    completion = Completion.model_validate({"choices": [choice]})
    assert (completion.refused, completion.cut_off) == (refused, cut_off)
