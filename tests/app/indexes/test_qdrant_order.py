"""Words and places of metadata's values: equal where the values are, and in their order."""

import json
import operator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.backends.qdrant.order import LONGEST_FACT, PLACE_BYTES, Place, fact, place
from app.domain.filters import passes
from app.domain.memory import Json
from app.domain.query import Comparison, Condition, Scalar
from tests.app.contract.samples import where
from tests.app.indexes.samples import memory

NUMBERS = st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-3, 3)
EDGES = st.sampled_from(
    [2**53, 2**53 + 1, 2.0**53, 2**63 - 1, 2.0**63, -(2**63), 0.0, -0.0, 5e-324, 1.7976931348623157e308]
)
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=16)
SCALARS = NUMBERS | EDGES | TEXTS | st.booleans() | TEXTS.map(lambda text: "2026-11-22T1" + text)


def meets(value: Json, comparison: Comparison, wanted: Scalar) -> bool:
    """What the domain says of a value and a condition."""
    condition = Condition(key="key", comparison=comparison, values=(wanted,))
    return passes(memory("tea", metadata={"key": value}), where(condition))


def within(one: Place, comparison: Comparison, other: Place) -> bool | None:
    """What two places tell; None where they are the same and the texts decide."""
    if one.sort != other.sort:
        return False
    mine, theirs = (one.high, one.low), (other.high, other.low)
    if mine == theirs and one.text and other.text:
        return None
    return bool(getattr(operator, {"gt": "gt", "gte": "ge", "lt": "lt", "lte": "le"}[comparison.value])(mine, theirs))


@given(value=SCALARS, wanted=SCALARS)
def test_words_are_the_same_where_values_are_equal(value: Scalar, wanted: Scalar) -> None:
    assert (fact("key", value) == fact("key", wanted)) is meets(value, Comparison.EQ, wanted)
    assert fact("key", value) != fact("other", value)


@given(value=SCALARS, wanted=SCALARS, comparison=st.sampled_from(["gt", "gte", "lt", "lte"]).map(Comparison))
def test_places_are_in_the_order_of_values(value: Scalar, wanted: Scalar, comparison: Comparison) -> None:
    mine, theirs = place(value), place(wanted)
    assert mine is not None
    assert theirs is not None
    told = within(mine, comparison, theirs)
    assert told is None or told is meets(value, comparison, wanted)
    assert told is not None or min(len(str(one).encode()) for one in (value, wanted)) >= PLACE_BYTES


@given(value=SCALARS)
def test_a_place_is_kept_by_a_reader_that_has_only_doubles(value: Scalar) -> None:
    where_it_is = place(value)
    assert where_it_is is not None
    for part in (where_it_is.high, where_it_is.low):
        assert json.loads(json.dumps(float(part))) == part
        assert 0 <= part < 2**48


@pytest.mark.parametrize("value", [None, [], {}, {"a": 1}, [1]])
def test_what_equals_nothing_has_no_word_and_no_place(value: Json) -> None:
    assert fact("key", value) is None
    assert place(value) is None


def test_long_words_are_short_and_still_told_apart() -> None:
    words = {fact("key", "a" * 10_000 + end) for end in ("", "b", "c")}
    assert len(words) == 3
    assert all(word is not None and len(word) < LONGEST_FACT for word in words)
