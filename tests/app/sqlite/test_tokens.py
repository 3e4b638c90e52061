"""How texts become terms: windows of three characters that are units and pairs of a workspace."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.backends.sqlite.tokens import encode_text, list_terms, mark_workspace
from app.backends.words import STOP_WORDS
from tests.app.sqlite.conftest import HERE, OpenStore, remember


def windows(text: str) -> set[str]:
    return {text[place : place + 3] for place in range(len(text) - 2)}


def test_windows_are_units_and_pairs() -> None:
    mark = mark_workspace(7)
    encoded, units = encode_text("喝咖啡", 7)
    assert units == 3
    assert windows(encoded) == {f"{mark}{a}{mark}" for a in "喝咖啡"} | {f"喝{mark}咖", f"咖{mark}啡"}


@given(st.text(max_size=200), st.integers(1, 500_000))
def test_every_word_of_a_text_finds_it(text: str, workspace: int) -> None:
    encoded, units = encode_text(text, workspace)
    assert set(list_terms(text, workspace)) <= windows(encoded)
    assert bool(encoded) is bool(units)
    assert all(len(term) == 3 for term in list_terms(text, workspace))


@given(st.text(min_size=1, max_size=50), st.integers(1, 60_000), st.integers(60_001, 120_000))
def test_workspaces_share_no_term(text: str, one: int, other: int) -> None:
    assert not set(list_terms(text, one)) & windows(encode_text(text, other)[0])


@pytest.mark.parametrize(
    ("one", "other"),
    [("coffees", "Coffee"), ("liked", "likes"), ("ＡＢＣ", "abc"), ("Straße", "STRASSE"), ("ﾃｽﾄ", "テスト")],
)
def test_forms_of_a_word_are_one_term(one: str, other: str) -> None:
    assert list_terms(one, 1) == list_terms(other, 1)


def test_function_words_are_searched_for_only_when_there_is_nothing_else() -> None:
    assert list_terms("what is the coffee", 1) == list_terms("coffee", 1)
    assert len(list_terms("to be or not to be", 1)) > 0
    assert "the" in STOP_WORDS


def test_words_of_one_and_two_characters_are_found_in_every_position(opened: OpenStore) -> None:
    from app.domain.query import MemoryFilter

    store = opened()
    remember(store, "我喜欢喝咖啡", "咖啡很好", "AI is here", "喝茶")
    for query, expected in (("咖啡", 2), ("咖", 2), ("啡", 2), ("喝", 2), ("茶", 1), ("AI", 1), ("ai", 1), ("水", 0)):
        assert len(store.index.matching(HERE, query, MemoryFilter(), limit=9)) == expected, query
