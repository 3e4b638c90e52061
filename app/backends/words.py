"""The words of a text, and the terms that a text is searched by: the same in every store that ranks by rarest terms.

A text is a row of units: a CJK character stands for itself, and what other scripts write between spaces is a word,
which is stemmed where it is English. A search for CJK text asks for pairs of neighbouring characters, so that words of
two are found as words, and for a character alone where it has no neighbour.
"""

import re
from itertools import pairwise
from typing import TypeAlias
from unicodedata import normalize

import snowballstemmer

CAP, TERMS = 3000, 8
"""A query's terms are taken from the rarest on, until they stand for CAP postings or are TERMS terms."""
FILTERED_CAP = 4 * CAP
"""The cap where a filter leaves out some of what is found."""
K1, B = 1.2, 0.75
"""The defaults of Lucene's BM25Similarity."""

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff"
_UNIT = re.compile(rf"[{_CJK}]|[^\W_{_CJK}]+")
FIRST_CHARACTER = "\u3040"
"""A word of one code point from here on stands for itself: it is a CJK character."""
LONGEST_WORD = 64
"""Of a longer word only so many code points count."""

# fmt: off
STOP_WORDS = frozenset((
    "a", "an", "and", "are", "as", "at", "be", "been", "but", "by", "can", "could", "did", "do", "does", "for",
    "from", "had", "has", "have", "he", "her", "his", "how", "i", "if", "in", "is", "it", "its", "me", "my", "of",
    "on", "or", "our", "she", "so", "that", "the", "their", "them", "then", "there", "they", "this", "to", "was",
    "we", "were", "what", "when", "where", "which", "who", "why", "will", "with", "would", "you", "your",
))
# fmt: on
"""English function words; they are indexed, but searched for only when a text has nothing else."""

Term: TypeAlias = tuple[str] | tuple[str, str]
"""A word as it is written, or one or two CJK characters."""

_stem_word = snowballstemmer.stemmer("english").stemWord


def split_words(text: str) -> list[str]:
    """The words and CJK characters of a text: NFKC, without case."""
    return _UNIT.findall(normalize("NFKC", text).casefold())


def stem_word(word: str) -> str:
    """The unit that a word of at most `LONGEST_WORD` code points stands as, which is no CJK character."""
    return _stem_word(word) if word.isascii() and word.isalpha() else word


def list_telling(text: str) -> list[Term]:
    """The terms to look up for a query, in its order: pairs of neighbouring CJK characters, a lone one, words."""
    words = split_words(text)
    telling = [word for word in words if word not in STOP_WORDS] or words
    terms: list[Term] = []
    run: list[str] = []
    for word in [*telling, ""]:
        if len(word) == 1 and word >= FIRST_CHARACTER:
            run.append(word)
            continue
        terms += [(run[0],)] if len(run) == 1 else pairwise(run)
        run = []
        if word:
            terms.append((word,))
    return terms
