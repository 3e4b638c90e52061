"""Which model is asked, where, and how long one waits for it."""

from dataclasses import dataclass, field
from math import isfinite
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from app.errors import SettingsError

OPENAI_API_BASE = "https://api.openai.com/v1"
"""Where a provider is sought whose address is empty: https://platform.openai.com/docs/api-reference."""

Structured: TypeAlias = Literal["auto", "json_schema", "json_object", "none"]
"""How JSON is asked for: by a schema, by a JSON mode, by words only, or the first of these that is not refused."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """A provider's address, such as "http://localhost:8000/v1", and the key that it wants; never shown."""

    api_base: str = OPENAI_API_BASE
    api_key: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        """Raise `SettingsError` for an address or a key that no request could be sent with."""
        try:
            parts = urlsplit(self.api_base)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable or any(character.isspace() or not character.isprintable() for character in self.api_base):
            raise SettingsError("api_base is no address: give one such as https://api.openai.com/v1")
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise SettingsError("api_base holds a password or a query: give the key as api_key, and the address alone")
        if not self.api_key.isascii() or not all("!" <= character <= "~" for character in self.api_key):
            raise SettingsError("api_key holds blanks or characters beyond ASCII: give it without, on one line")

    @property
    def host(self) -> str:
        """The host and port, for messages."""
        return urlsplit(self.api_base).netloc


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelChoice:
    """The model that does a task: an attempt ends within `timeout_s`, all attempts for an answer within `deadline_s`.

    `requests_per_minute` is what the provider's account allows this process. `max_tokens` limits an answer.
    An empty `api_base` is OpenAI's. Raises `SettingsError` for what cannot be used.
    """

    model_name: str
    api_base: str = OPENAI_API_BASE
    api_key: str = field(default="", repr=False)
    temperature: float = 0.6
    max_tokens: int = 4096
    timeout_s: float = 30.0
    deadline_s: float = 60.0
    requests_per_minute: int = 1000
    structured: Structured = "auto"

    def __post_init__(self) -> None:
        """Check the values, as the class says."""
        _ = self.endpoint
        check_name(self.model_name)
        if not 0.0 <= self.temperature <= 2.0:
            raise SettingsError(f"temperature is {self.temperature}: give 0 to 2")
        if self.max_tokens < 1:
            raise SettingsError(f"max_tokens is {self.max_tokens}: give 1 or more")
        check_times(self.timeout_s, self.deadline_s)
        if self.structured not in ("auto", "json_schema", "json_object", "none"):
            raise SettingsError(f"structured is {self.structured!r}: give auto, json_schema, json_object or none")

    @property
    def endpoint(self) -> Endpoint:
        """The provider's address and key."""
        return Endpoint(api_base=self.api_base or OPENAI_API_BASE, api_key=self.api_key)


def check_name(model_name: str) -> None:
    """Raise `SettingsError` for a name that no model has."""
    if not model_name.strip():
        raise SettingsError("model_name is empty: give the provider's name of the model")


def check_times(timeout_s: float, deadline_s: float) -> None:
    """Raise `SettingsError` for limits that are not seconds above 0."""
    for name, seconds in (("timeout_s", timeout_s), ("deadline_s", deadline_s)):
        if not (isfinite(seconds) and seconds > 0):
            raise SettingsError(f"{name} is {seconds}: give seconds above 0")
