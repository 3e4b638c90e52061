"""The tokens that a provider counted, or what stands in for them."""

from math import ceil
from typing import Annotated, TypeAlias

from pydantic import BaseModel, Field, ValidationError

from app.domain.usage import TokenUsage

ASCII_PER_TOKEN = 4
"""OpenAI's rule of thumb for English: https://help.openai.com/en/articles/4936856 (read 2026-11)."""
MOST_TOKENS = 10_000_000
"""No model reads or writes more in one call (the largest context on the market has as many, 2026-11): a larger count
is an error, and a few of them would be more than a ledger can add up."""

Count: TypeAlias = Annotated[int, Field(ge=0, le=MOST_TOKENS)]


class _Details(BaseModel):
    cached_tokens: Count | None = None


class _Counted(BaseModel):
    prompt_tokens: Count
    completion_tokens: Count | None = None
    prompt_tokens_details: _Details | None = None


def read_usage(counted: object, *, sent: str, received: str = "") -> TokenUsage:
    """The tokens of an answer's `usage` object.

    Where a provider sends none, or one that does not read, has no input or counts more than 10 million, they are
    estimated from the texts: a token for each 4 ASCII characters, and for each other character one. So is the output
    where only that is left out. Cached tokens are at most the input's.
    """
    try:
        usage = _Counted.model_validate(counted)
    except ValidationError:
        usage = None
    if usage is None or usage.prompt_tokens == 0:
        return TokenUsage(input_tokens=estimate_tokens(sent), output_tokens=estimate_tokens(received))
    cached = usage.prompt_tokens_details.cached_tokens if usage.prompt_tokens_details is not None else None
    output_tokens = usage.completion_tokens
    return TokenUsage(
        input_tokens=usage.prompt_tokens,
        output_tokens=estimate_tokens(received) if output_tokens is None else output_tokens,
        cached_tokens=min(cached or 0, usage.prompt_tokens),
    )


def estimate_tokens(text: str) -> int:
    """About how many tokens a text is: high for Chinese, where a token is 1 to 2 characters."""
    plain = sum(character.isascii() for character in text)
    return ceil(plain / ASCII_PER_TOKEN) + len(text) - plain
