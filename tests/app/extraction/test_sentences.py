"""Sentences and clauses: where they begin and end, and what in a text is not said by its author."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.backends.extractors.sentences import MASKED, Place, condense, fold, mask, split_clauses, split_sentences, trim


def _sentences(text: str) -> list[str]:
    return [place.of(text) for place in split_sentences(fold(text))]


def _clauses(text: str) -> list[str]:
    return [place.of(text) for place in split_clauses(fold(text), Place(0, len(text)))]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("I like tea. I hate fog! Do you?", ["I like tea.", "I hate fog!", "Do you?"]),
        ("One line\nanother line\n\n- a point\n2. a second", ["One line", "another line", "a point", "a second"]),
        ("Dr. Chen lives at 3.5 km, e.g. there. Good.", ["Dr. Chen lives at 3.5 km, e.g. there.", "Good."]),
        ("At 3 p.m. we meet. At 5 p.m. We part.", ["At 3 p.m. we meet.", "At 5 p.m.", "We part."]),
        ("See example.org/a.b?c=1 now", ["See example.org/a.b?c=1 now"]),
        ("我喜欢茶。我讨厌雾！你呢？好", ["我喜欢茶。", "我讨厌雾！", "你呢？", "好"]),
        ("他说：“走吧。”然后走了。", ["他说：“走吧。”", "然后走了。"]),
        ("Wait... what?! Yes", ["Wait...", "what?!", "Yes"]),
        ("I like tea; she does not", ["I like tea;", "she does not"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_sentences(text: str, sentences: list[str]) -> None:
    assert _sentences(text) == sentences


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("I like tea, but I hate fog", ["I like tea", "but I hate fog"]),
        ("I live in Rome and work as a nurse", ["I live in Rome", "and work as a nurse"]),
        ("It costs 1,000 euros", ["It costs 1,000 euros"]),
        ("我叫李雷，住在杭州，但是喜欢北京", ["我叫李雷", "住在杭州", "但是喜欢北京"]),
        ("我喜欢苹果、香蕉", ["我喜欢苹果、香蕉"]),
        ("Tea - never coffee", ["Tea", "never coffee"]),
    ],
)
def test_clauses(text: str, clauses: list[str]) -> None:
    assert _clauses(text) == clauses


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ('He said "I like tea" and left', "He said and left"),
        ("他说“我喜欢茶”就走了", "他说就走了"),
        ("before ```\nI like tea\n``` after", "before after"),
        ("an open ```block I like tea", "an open"),
        ("set `I = 3` here", "set here"),
        ("> I like tea\nyes", "yes"),
        ('My dog is called "Rex"', 'My dog is called "Rex"'),
        ("I'm 5'11\" tall", "I'm 5'11\" tall"),
    ],
)
def test_what_is_quoted_is_masked(text: str, left: str) -> None:
    assert " ".join(mask(text).replace(MASKED, "").split()) == left


@pytest.mark.parametrize(
    ("text", "trimmed"),
    [
        ("  - I like tea.  ", "I like tea"),
        ("I meet you at 3 p.m.", "I meet you at 3 p.m."),
        ("I like tea (green)", "I like tea (green)"),
        ('My dog is "Rex"', 'My dog is "Rex"'),
        ("-5 degrees suit me", "-5 degrees suit me"),
        ("我喜欢茶。", "我喜欢茶"),
    ],
)
def test_trimming(text: str, trimmed: str) -> None:
    assert trim(text, Place(0, len(text))).of(text) == trimmed


@pytest.mark.parametrize(
    ("text", "limit", "condensed"),
    [
        ("short\n  text", 20, "short text"),
        ("One sentence. Another one follows.", 20, "One sentence."),
        ("no sentence ends in this long text", 20, "no sentence ends…"),
        ("字" * 30, 10, "字" * 9 + "…"),
    ],
)
def test_condensing(text: str, limit: int, condensed: str) -> None:
    assert condense(text, limit) == condensed


@given(st.text(max_size=300), st.integers(5, 100))
def test_condensed_texts_keep_the_limit(text: str, limit: int) -> None:
    assert len(condense(text, limit)) <= limit


@given(st.text(max_size=400))
def test_places_stay_the_same(text: str) -> None:
    folded = fold(text)
    assert len(folded) == len(mask(folded)) == len(text)
    end = 0
    for sentence in split_sentences(folded):
        assert end <= sentence.start < sentence.end <= len(text)
        end = sentence.end
        for clause in split_clauses(folded, sentence):
            assert sentence.start <= clause.start < clause.end <= sentence.end


@given(st.text(alphabet="ab ，。.!?\n；“”", max_size=200))
def test_no_letter_is_lost(text: str) -> None:
    letters = [letter for letter in text if letter in "ab"]
    folded = fold(text)
    kept = [letter for place in split_sentences(folded) for letter in place.of(text) if letter in "ab"]
    assert kept == letters
