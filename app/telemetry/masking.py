"""Takes secrets out of what is about to be written: keys by their form, fields by their names."""

import re
from collections.abc import Mapping, Sequence
from math import isfinite

MASK = "***"
BEYOND = "..."
DEPTH = 32
"""What is nested deeper is not shown: nobody reads it, and it may be nested to do harm."""
SECRETS = re.compile(r"rk_[0-9a-f]{32}|(?i:(?<=bearer )[\w.~+/=-]{8,})")
"""What is masked wherever it stands: an API key (requirements §10.1, key_format) and a Bearer token."""
_VALUE = r"""(?P<value>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s,;&"'(){}\[\]]+)"""


class Masker:
    """Masks texts and nested values. `fields` are names such as `api_key`, found as `API-Key` and `x_api_key` too."""

    def __init__(self, fields: Sequence[str]) -> None:
        self._fields = tuple(_fold(field) for field in fields if _fold(field))
        names = "|".join("[-_ ]?".join(map(re.escape, _words(field))) for field in fields if _words(field))
        self._named = (
            # Bounded repetitions: what is masked was sent by anyone, a million letters of one word included.
            re.compile(rf"(?i)(?P<name>(?:{names})[\w-]{{0,40}}[\"']?\s{{0,8}}(?:=>|[=:])\s{{0,8}})(?:{_VALUE})")
            if names
            else None
        )
        self._hints = re.compile("|".join(("rk_", "bearer ", *([names.lower()] if names else ()))))

    def suspects(self, text: str) -> bool:
        """Whether a text may hold something to mask: a quick look that errs on the side of yes."""
        return self._hints.search(text.lower()) is not None

    def mask_text(self, text: str) -> str:
        """The text without keys, tokens and values of masked fields (`password=x`, `"api_key": "x"`)."""
        masked = SECRETS.sub(MASK, text)
        return self._named.sub(rf"\g<name>{MASK}", masked) if self._named else masked

    def mask(self, value: object, name: str = "", depth: int = 0) -> object:
        """A value as JSON can hold it, masked inside; `name` is the field that it stands in."""
        if depth > DEPTH:
            return BEYOND
        if name and any(field in _fold(name) for field in self._fields):
            return MASK
        if isinstance(value, float) and not isfinite(value):
            return str(value)
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if isinstance(value, Mapping):
            return {self.mask_text(str(key)): self.mask(inner, str(key), depth + 1) for key, inner in value.items()}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self.mask(inner, depth=depth + 1) for inner in value]
        if isinstance(value, bytes):
            return self.mask_text(value.decode("utf-8", "replace"))
        return self.mask_text(str(value))


def _words(field: str) -> list[str]:
    return [word for word in re.split(r"[-_ ]", field) if word]


def _fold(name: str) -> str:
    return re.sub(r"[-_ ]", "", name).casefold()
