"""What providers that speak OpenAI's API do not have in common."""

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from app.backends.models.choices import ModelChoice, Structured
from app.domain.memory import JsonObject

if TYPE_CHECKING:
    from openai import APIStatusError

_REFUSING = frozenset({400, 422})


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialect:
    """How a model wants to be asked; at first as most do.

    `form` is the response format; `limit_name` the name of the limit, which OpenAI's reasoning models changed;
    without `temperature` the model's own holds; `thinking` False tells Qwen's hybrid models to answer without.
    """

    form: Literal["json_schema", "json_object", "none"]
    may_fall_back: bool
    limit_name: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    temperature: bool = True
    thinking: bool | None = None

    def adapt(self, failure: "APIStatusError", *, structured: bool) -> "Dialect | None":
        """Another way to ask after a refusal, or None where the words are not what was refused.

        A refusal that names a parameter is taken at its word. Any other of a request with a response format may be
        of that: providers say it in too many ways. Each step is taken once at most.
        """
        if failure.status_code not in _REFUSING:
            return None
        said = f"{failure.code} {json.dumps(failure.body, ensure_ascii=False, default=str)}".lower()
        if "enable_thinking" in said and self.thinking is None:
            return replace(self, thinking=False)
        if "max_completion_tokens" in said and self.limit_name == "max_tokens":
            return replace(self, limit_name="max_completion_tokens")
        if "temperature" in said and self.temperature:
            return replace(self, temperature=False)
        if not structured or not self.may_fall_back or self.form == "none" or "context_length" in said:
            return None
        return replace(self, form="json_object" if self.form == "json_schema" else "none")

    def phrase(self, choice: ModelChoice, *, system: str, user: str, schema: JsonObject) -> dict[str, Any]:
        """The parameters of a chat completion. A schema is in the words as well: some providers ignore the format."""
        if schema:
            system = (
                f"{system}\n\nAnswer with one JSON value and nothing else. It must fit this JSON schema:\n"
                f"{json.dumps(schema, ensure_ascii=False)}"
            ).strip()
        asked: dict[str, Any] = {
            "model": choice.model_name,
            "messages": [
                *([{"role": "system", "content": system}] if system else []),
                {"role": "user", "content": user},
            ],
            self.limit_name: choice.max_tokens,
        }
        if self.temperature:
            asked["temperature"] = choice.temperature
        if self.thinking is not None:
            asked["extra_body"] = {"enable_thinking": self.thinking}
        if schema and self.form == "json_object":
            asked["response_format"] = {"type": "json_object"}
        elif schema and self.form == "json_schema":
            # not strict: OpenAI refuses strict schemas with optional properties, and the answer is checked here anyway
            asked["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
        return asked


def first_dialect(structured: Structured) -> Dialect:
    """How a model is asked first."""
    if structured == "auto":
        return Dialect(form="json_schema", may_fall_back=True)
    return Dialect(form=structured, may_fall_back=False)
