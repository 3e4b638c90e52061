"""Numbers and keys as tokens that sort as the numbers do."""

from hypothesis import given
from hypothesis import strategies as st

from app.backends.elasticsearch.facets import list_tokens, order_number
from tests.app.contract.samples import HERE, THERE

NUMBERS = (
    st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.sampled_from([0, 0.0, -0.0, 1, 1.0, 2**53, 2**53 + 1, float(2**53), 2**63 - 1, 2.0**63, -(2**63), 5e-324])
    | st.integers(-3, 3)
)


@given(one=NUMBERS, other=NUMBERS)
def test_tokens_sort_and_equal_as_numbers_do(one: float, other: float) -> None:
    tokens = order_number(one), order_number(other)
    assert (tokens[0] < tokens[1], tokens[0] == tokens[1]) == (one < other, one == other)
    assert len(tokens[0]) == len(tokens[1])


def test_an_integer_beyond_every_double_is_larger_than_all() -> None:
    assert order_number(10**400) > order_number(1e308)
    assert order_number(-(10**400)) < order_number(-1e308)


def test_no_two_workspaces_keys_or_sorts_share_a_token() -> None:
    tokens = [
        *list_tokens(HERE, {"a": 1, "b": 1, "c": True, "d": "1", "a1": ""}),
        *list_tokens(THERE, {"a": 1, "b": 1, "c": True, "d": "1", "a1": ""}),
    ]
    assert len(set(tokens)) == len(tokens) == 20
