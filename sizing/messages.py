"""Every sentence and label that people read, in English and Chinese (``data/messages/*.csv``)."""

from collections.abc import Mapping
from functools import cache
from typing import Literal

from sizing.tables import read_table, table_names

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")


@cache
def messages(language: Language) -> dict[str, str]:
    """Return all templates of one language by code."""
    found: dict[str, str] = {}
    for name in table_names():
        if name.startswith("messages/"):
            found.update({row["code"]: row[language] for row in read_table(name)})
    return found


def render(code: str, language: Language, values: Mapping[str, object] | None = None) -> str:
    """Return the message of a code with its values filled in; raises KeyError for an unknown code."""
    template = messages(language)[code]
    return template.format(**values) if values else template


def label(code: str, language: Language, fallback: str | None = None) -> str:
    """Return a label, or the fallback (the last part of the code) where the table has none."""
    found = messages(language).get(code)
    if found is not None:
        return found
    return code.rpartition(".")[2] if fallback is None else fallback
