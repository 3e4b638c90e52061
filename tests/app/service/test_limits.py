"""Every limit at its edge and one beyond, each refusal naming value, limit and remedy."""

from types import MappingProxyType
from typing import Any

import pytest

from app.domain.memory import MemoryPatch, Origin
from app.domain.query import Comparison, Condition, MemoryFilter
from app.errors import InvalidRequest
from app.service.limits import check_draft, check_drafts, check_filter, check_patch
from tests.app.service.conftest import draft


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {"k": 1}
    for _ in range(depth - 1):
        value = {"k": value}
    return value


ALLOWED: list[dict[str, Any]] = [
    {"content": "x"},
    {"content": "界" * 32_768},
    {"content": f" {'x' * 32_768}\n"},
    {"content": "👩‍👩‍👧 ملاحظة"},
    {"tags": tuple(f"t{number}" for number in range(32))},
    {"tags": ("x" * 64,)},
    {"metadata": nested(5)},
    {"metadata": {"k" * 64: "v"}},
    {"metadata": {"k": "v" * (16_384 - 8)}},
    {"metadata": {"k": [True, None, 1.5, -(2**63 - 1)]}},
    {"metadata": MappingProxyType({"k": (1, 2)})},
    {"details": {"calls": [{"k" * 1_000: "v" * 100_000}]}},
    {"valid_from_ms": -62_135_596_800_000, "valid_to_ms": 253_402_300_799_999},
    {"id": "0" * 32, "source_ids": ("1" * 32,)},
]

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"content": ""}, "content is empty: give 1 to 32,768 characters"),
    ({"content": " \n\t "}, "content is empty"),
    ({"content": "x" * 32_769}, "content has 32,769 characters, at most 32,768 are allowed: shorten or split it"),
    ({"when_to_use": "x" * 32_769}, "when_to_use has 32,769 characters"),
    ({"content": "a\x00b"}, "content has a NUL character at position 1: remove it"),
    ({"content": "a\ud800"}, "content has half of a surrogate pair at position 1"),
    ({"author": "x" * 129}, "author has 129 characters"),
    ({"user_id": "\x00"}, "user_id has a NUL"),
    ({"slot": "x" * 129}, "slot has 129 characters"),
    ({"tags": tuple(f"t{number}" for number in range(33))}, "33 tags are too many: at most 32"),
    ({"tags": ("x" * 65,)}, "a tag has 65 characters, at most 64"),
    ({"tags": (" ",)}, "a tag is empty"),
    ({"metadata": nested(6)}, "metadata is nested deeper than 5 levels: flatten it"),
    ({"metadata": nested(3_000)}, "metadata is nested deeper than 5 levels"),
    ({"metadata": {"k" * 65: 1}}, "keys are texts of 1 to 64 characters"),
    ({"metadata": {"": 1}}, "keys are texts of 1 to 64 characters"),
    ({"metadata": {1: 1}}, "keys are texts"),
    ({"metadata": {"k": "v" * (16_384 - 7)}}, "metadata takes 16,385 bytes as JSON, at most 16,384"),
    ({"metadata": {"k": "界" * 5_500}}, "metadata takes 16,508 bytes"),
    ({"metadata": {"k": float("nan")}}, "metadata holds nan, which is no JSON number"),
    ({"metadata": {"k": [float("-inf")]}}, "metadata holds -inf"),
    ({"metadata": {"k": 2**63}}, "more than 64 bits: send it as a text"),
    ({"metadata": {"k": b"x"}}, "metadata holds a bytes"),
    ({"metadata": {"k": {1, 2}}}, "metadata holds a set"),
    ({"metadata": {"k": "\ud800"}}, "metadata has half of a surrogate pair"),
    ({"metadata": {"k\x00": 1}}, "a key of metadata has a NUL"),
    ({"details": nested(17)}, "details is nested deeper than 16 levels"),
    ({"details": {"k": "v" * 1_048_576}}, "details takes 1,048,584 bytes"),
    ({"score": float("nan")}, "score is nan: give a finite number"),
    ({"utility": float("inf")}, "utility is inf"),
    ({"frequency": -1}, "frequency is -1"),
    ({"frequency": 2**63}, "frequency is 9223372036854775808"),
    ({"origin": Origin(path="x" * 1_025)}, "origin.path has 1,025 characters"),
    ({"origin": Origin(start_line=-1)}, "origin.start_line is -1"),
    ({"source_ids": ("xyz",)}, "memory id 'xyz' is not allowed"),
    ({"source_ids": ("0" * 32,) * 1_001}, "1,001 source ids are too many"),
    ({"id": "not-an-id"}, "memory id 'not-an-id' is not allowed"),
    ({"created_ms": 10**18}, "created_ms is 1000000000000000000"),
    ({"valid_from_ms": 2, "valid_to_ms": 1}, "valid_to_ms 1 is before valid_from_ms 2"),
]


@pytest.mark.parametrize("fields", ALLOWED)
def test_what_is_within_the_limits_passes(fields: dict[str, Any]) -> None:
    assert check_draft(draft(**{"content": "x", **fields})).content


@pytest.mark.parametrize(("fields", "message"), REFUSED)
def test_what_is_beyond_is_refused_with_a_reason(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        check_draft(draft(**{"content": "x", **fields}))
    assert message in refusal.value.message
    assert len(refusal.value.message) < 300


def test_texts_are_stripped_and_tags_stand_once() -> None:
    checked = check_draft(draft("  a \n", when_to_use=" b ", user_id=" u ", tags=("x", " x ", "y")))
    assert (checked.content, checked.when_to_use, checked.user_id, checked.tags) == ("a", "b", "u", ("x", "y"))


def test_a_batch_has_one_to_a_thousand_drafts() -> None:
    assert len(check_drafts([draft("x")] * 1_000)) == 1_000
    for count in (0, 1_001):
        with pytest.raises(InvalidRequest, match=r"a batch of [01,]+ memories is not allowed: give 1 to 1,000"):
            check_drafts([draft("x")] * count)


def test_a_batch_names_the_draft_that_is_wrong() -> None:
    with pytest.raises(InvalidRequest, match="memory 2 of 3: content is empty"):
        check_drafts([draft("x"), draft(""), draft("x")])


def test_a_patch_obeys_the_same_limits() -> None:
    assert check_patch(MemoryPatch(content=" x ", when_to_use="", author=" a ")).content == "x"
    for patch, message in (
        (MemoryPatch(), "changes nothing"),
        (MemoryPatch(content=" "), "content is empty"),
        (MemoryPatch(metadata={"k": float("nan")}), "metadata holds nan"),
        (MemoryPatch(details=nested(17)), "details is nested"),
        (MemoryPatch(tags=("",)), "a tag is empty"),
        (MemoryPatch(score=float("nan")), "score is nan"),
        (MemoryPatch(author="x" * 129), "author has 129"),
        (MemoryPatch(valid_to_ms=10**18), "valid_to_ms is"),
    ):
        with pytest.raises(InvalidRequest, match=message):
            check_patch(patch)


def condition(*values: Any, comparison: Comparison = Comparison.EQ, key: str = "k") -> MemoryFilter:
    return MemoryFilter(conditions=(Condition(key=key, comparison=comparison, values=values),))


def test_filters_have_limits_too() -> None:
    check_filter(MemoryFilter(authors=("a",) * 100, conditions=condition("v").conditions * 20))
    check_filter(condition(1, 2, "x", comparison=Comparison.IN))
    for wanted, message in (
        (MemoryFilter(authors=("a",) * 101), "the filter lists 101 authors"),
        (MemoryFilter(user_ids=("\x00",)), "a filter of user_ids has a NUL"),
        (MemoryFilter(tags=("x" * 129,)), "a filter of tags has 129 characters"),
        (MemoryFilter(created_from_ms=10**18), "created_from_ms is"),
        (MemoryFilter(conditions=condition("v").conditions * 21), "the filter has 21 conditions"),
        (condition("v", key=""), "a key of a condition is empty"),
        (condition(), "has 0 values: 'eq' takes one"),
        (condition(1, 2), "has 2 values: 'eq' takes one"),
        (condition(*range(101), comparison=Comparison.IN), "'in' takes 1 to 100"),
        (condition(float("nan")), "holds nan"),
        (condition("\ud800"), "surrogate"),
        (condition(["x"]), "is nested deeper than 0 levels"),
    ):
        with pytest.raises(InvalidRequest, match=message):
            check_filter(wanted)
