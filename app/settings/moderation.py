"""The typed settings of content moderation."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from app.settings.models import Address, PerMinute, Seconds
from app.settings.secrets import Secret, reveal
from app.settings.sections import Section


def _check_key(secret: Secret | None) -> Secret | None:
    text = reveal(secret) or ""
    if not text.isascii() or not all("!" <= character <= "~" for character in text):
        raise ValueError("holds blanks or characters beyond ASCII: give it without, on one line")
    return secret


Key = Annotated[Secret | None, AfterValidator(_check_key)]
Service = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9_]+$")]


class ModerationSettings(Section):
    """Who judges whether texts may be kept (requirements §10.2, China): nobody, or Alibaba Cloud's Green.

    Green is asked in `region`, by default the document's, or at `endpoint`, such as that within a VPC. Without a key
    the machine's RAM role is used, by its name where `ram_role` says it. `scope` is `input` for what callers send
    alone. What has the risk `refuse_from` or a higher one is refused. The services are those for large language models;
    times are ours, and 3,000 requests a minute are half of the 100 a second that an account has.
    """

    backend: Literal["none", "green"] = "none"
    on_error: Literal["refuse", "allow"] = "refuse"
    scope: Literal["all", "input"] = "all"
    refuse_from: Literal["low", "medium", "high"] = "medium"
    region: str = Field(default="cn-beijing", max_length=64, pattern=r"^[a-z0-9-]+$")
    endpoint: Address | None = None
    access_key: Key = None
    secret_key: Key = None
    session_token: Key = None
    ram_role: str = Field(default="", max_length=64, pattern=r"^[A-Za-z0-9.-]*$")
    input_service: Service = "llm_query_moderation"
    output_service: Service = "llm_response_moderation"
    timeout_s: Seconds = 5
    deadline_s: Seconds = 30
    requests_per_minute: PerMinute = 3000
    cache_entries: int = Field(default=10_000, ge=0, le=10_000_000)

    @property
    def judges_answers(self) -> bool:
        """Whether what language models answer is judged too."""
        return self.backend != "none" and self.scope == "all"

    @property
    def address(self) -> str:
        """Where Green is asked."""
        return self.endpoint or f"https://green-cip.{self.region}.aliyuncs.com"

    @property
    def revealed_key(self) -> tuple[str, str, str] | None:
        """The key's id, secret and token in the clear, for the client that signs with it; None where there is none."""
        key_id, secret = reveal(self.access_key), reveal(self.secret_key)
        return (key_id, secret, reveal(self.session_token) or "") if key_id and secret else None

    @model_validator(mode="after")
    def _check_pair(self) -> Self:
        """Raise where half of a key is given."""
        if bool(reveal(self.access_key)) != bool(reveal(self.secret_key)):
            raise ValueError("access_key and secret_key belong together: give both, or none")
        return self
