"""The phrases of the made-up persons: templates of the data files, filled in one of two languages."""

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

_FOLDER = Path(__file__).parent / "data"
_WORDS = Path(__file__).parents[1] / "corpus" / "words.toml"
_FRIENDS = {
    "en": [
        "Nadia",
        "Corentin",
        "Ilse",
        "Rashid",
        "Bronwen",
        "Takeshi",
        "Lupita",
        "Emeka",
        "Solveig",
        "Dragan",
        "Oona",
        "Piotr",
    ],
    "zh": [
        "娜迪亚",
        "方志远",
        "伊尔莎",
        "拉希德",
        "白若溪",
        "武田",
        "露比塔",
        "陆小曼",
        "苏薇",
        "德拉甘",
        "欧娜",
        "彼得",
    ],
}


@cache
def load_phrases(name: str) -> Mapping[str, Any]:
    """A data file of this package, read once."""
    return tomllib.loads((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"))


@cache
def _load_slots() -> Mapping[str, Sequence[str]]:
    slots: Mapping[str, Sequence[str]] = tomllib.loads(_WORDS.read_text(encoding="utf-8"))["slots"]
    return slots


def list_values(named: str | Sequence[str]) -> Sequence[str]:
    """The values that a template names, or that it gives itself."""
    return _load_slots()[named] if isinstance(named, str) else named


def speak(pair: str, language: str) -> str:
    """The part of "English|Chinese" in a language; one word serves both."""
    english, _, chinese = pair.partition("|")
    return chinese if language == "zh" and chinese else english


def draw(entry: Mapping[str, Any], key: str, language: str, generator: Random) -> str:
    """A template of an entry, e.g. one of its "ask" in Chinese."""
    found = entry[f"{key}_{language}" if key else language]
    return str(found if isinstance(found, str) else generator.choice(found))


def choose_friends(language: str, count: int, generator: Random) -> list[str]:
    """Names of different people."""
    return generator.sample(_FRIENDS[language], count)


def capitalise(text: str) -> str:
    """A text that begins like a sentence."""
    return text[:1].upper() + text[1:]


_OTHERS = ("does the user", "did the user", "is the user", "was the user", "the user's", "the user", "用户")
_OWN = ("do I", "did I", "am I", "was I", "my", "me", "我")
_TO_ONE = ("do you", "did you", "are you", "were you", "your", "you", "你")


def speak_as_oneself(question: str) -> str:
    """A question about "the user" as the user would ask it."""
    return _replace(question, _OWN)


def speak_to_one(question: str) -> str:
    """A question about "the user" as an assistant would ask it."""
    return _replace(question, _TO_ONE)


def _replace(question: str, words: Sequence[str]) -> str:
    for others, own in zip(_OTHERS, words, strict=True):
        question = question.replace(others, own)
    return question
