import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sizing.errors import InvalidWorkload
from sizing.estimate import Estimate, parse_estimate


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (500, (500, 500, 500)),
        ("500", (500, 500, 500)),
        ("1_000", (1000, 1000, 1000)),
        ("1,000", (1000, 1000, 1000)),
        ("0.3..0.5..0.8", (0.3, 0.5, 0.8)),
        ({"expected": 5}, (5, 5, 5)),
        ({"low": 1, "expected": 2, "high": 3}, (1, 2, 3)),
    ],
)
def test_reads_numbers_ranges_and_tables(raw: object, expected: tuple[float, float, float]) -> None:
    estimate = parse_estimate("users", raw)
    assert (estimate.low, estimate.expected, estimate.high) == expected


@pytest.mark.parametrize(
    "raw",
    ["", "many", "1..2", "1..2..3..4", "3..2..1", "nan", "inf", "-inf", math.nan, math.inf, True, None, [1], {"low": 1},
     {"expected": 1, "mean": 2}, {"low": 5, "expected": 1}, "1..nan..3"],
)  # fmt: skip
def test_refuses_what_is_no_estimate_and_names_field_and_value(raw: object) -> None:
    with pytest.raises(InvalidWorkload) as caught:
        parse_estimate("users", raw)
    assert "users" in str(caught.value)
    assert "Valid:" in str(caught.value)
    assert caught.value.exit_code == 2


@given(st.lists(st.floats(0, 1e12), min_size=3, max_size=3))
def test_every_ordered_triple_reads_back(values: list[float]) -> None:
    low, expected, high = sorted(values)
    text = f"{low!r}..{expected!r}..{high!r}"
    assert parse_estimate("x", text) == Estimate(low, expected, high)
    assert Estimate(low, expected, high).at("low") <= Estimate(low, expected, high).at("high")
