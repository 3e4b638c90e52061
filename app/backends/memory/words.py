"""The words by which a text is found: lower-cased words, single CJK characters and CJK bigrams."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from unicodedata import normalize

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af\U00020000-\U0003134f"
"""Kana, ideographs with extensions A to G, compatibility ideographs, Hangul: scripts without a space at each word."""
_CJK_CHARACTER = re.compile(f"[{_CJK}]")
_PIECE = re.compile(rf"[{_CJK}]+|[^\W_{_CJK}]+")

BM25_K1 = 1.2
BM25_B = 0.75
"""The defaults of Lucene's BM25Similarity, from which the weight of a word is taken too."""


def split_words(text: str) -> list[str]:
    """The words of a text, in their order and as often as they occur.

    A run of CJK characters gives each character and each pair of neighbours, so words of one or two are found.
    """
    words: list[str] = []
    for piece in _PIECE.findall(normalize("NFKC", text).casefold()):
        if _CJK_CHARACTER.match(piece):
            words.extend(piece)
            words.extend(first + second for first, second in pairwise(piece))
        else:
            words.append(piece)
    return words


def score_words(query: Iterable[str], texts: Sequence[Counter[str]]) -> list[float]:
    """BM25 of each text for the words of a query; zero for a text that shares none of them.

    The weight of a word is ln(1 + (N - n + 0.5) / (n + 0.5)), which is above zero even for a word of every text.
    """
    wanted = set(query)
    lengths = [text.total() for text in texts]
    mean_length = sum(lengths) / len(lengths) if lengths else 1.0
    weights = {word: _weigh(sum(word in text for text in texts), len(texts)) for word in wanted}
    scores = []
    for text, length in zip(texts, lengths, strict=True):
        damping = BM25_K1 * (1 - BM25_B + BM25_B * length / (mean_length or 1.0))
        scores.append(
            sum(weights[word] * text[word] * (BM25_K1 + 1) / (text[word] + damping) for word in wanted if word in text)
        )
    return scores


def _weigh(texts_with_word: int, texts: int) -> float:
    return math.log(1 + (texts - texts_with_word + 0.5) / (texts_with_word + 0.5))
