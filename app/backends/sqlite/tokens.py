"""How text becomes terms of the full-text index, so that Chinese words of one and two characters are found.

FTS5's trigram tokenizer knows only windows of three characters, so it finds no word of two. Here a
text is written as units, each one character: a CJK character stands for itself, a word of other
scripts is stemmed and stands as one code point of the unassigned planes 4 to 13. Between the units
stands one code point of the private planes 15 and 16, the workspace's mark:

    W 我 W 喝 W 咖 W 啡 W        "我喝咖啡" in the workspace whose mark is W

The windows of three are then exactly the units in their workspace (W咖W) and the pairs of
neighbours in their workspace (咖W啡): no window is wasted, every term belongs to one workspace, and
how frequent it is there is not disturbed by other tenants.

Measured at 100,000 texts of 80 characters, half Chinese: 33,000 texts/s, the same size and the same
query time (within 5 %) as bigrams under the unicode61 tokenizer with a workspace prefix, and it
keeps the document's table and tokenizer. Words share 655,360 code points, so of 50,000 distinct
words about 7 % share theirs with another: the ranking blurs a little, isolation does not depend on it.
"""

from functools import lru_cache
from zlib import crc32

from app.backends.words import FIRST_CHARACTER, LONGEST_WORD, list_telling, split_words, stem_word

_FIRST_WORD, _WORDS = 0x40000, 0xA0000
_FIRST_MARK, _MARKS = 0xF0000, 0x1FFFE - 2


@lru_cache(maxsize=65_536)
def _encode_word(word: str) -> str:
    return chr(_FIRST_WORD + crc32(stem_word(word).encode()) % _WORDS)


def mark_workspace(number: int) -> str:
    """The character that marks a workspace's terms; workspaces 131,068 apart share one."""
    return chr(_FIRST_MARK + number % _MARKS)


def _encode(word: str) -> str:
    return word if len(word) == 1 and word >= FIRST_CHARACTER else _encode_word(word[:LONGEST_WORD])


def encode_text(text: str, workspace: int) -> tuple[str, int]:
    """What is indexed for a text in a workspace, and how many units it has."""
    mark = mark_workspace(workspace)
    units = [
        word if len(word) == 1 and word >= FIRST_CHARACTER else _encode_word(word[:LONGEST_WORD])
        for word in split_words(text)
    ]
    return (mark + mark.join(units) + mark if units else ""), len(units)


def list_terms(text: str, workspace: int) -> list[str]:
    """The terms to look up for a query, each once, as windows of three characters."""
    mark = mark_workspace(workspace)
    terms = (mark.join(term) if len(term) == 2 else f"{mark}{_encode(term[0])}{mark}" for term in list_telling(text))
    return list(dict.fromkeys(terms))
