"""A language model that says what a test tells it to, and notes what it was asked and who paid."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from app.domain.language import Answer, ModelTask, Prompt
from app.domain.spending import Payer, current_payer
from app.errors import ModelError


class ScriptedModel:
    """Answers what `answer` makes of a prompt: a value, or a failure that it raises."""

    def __init__(self, answer: Callable[[Prompt], Any], *, name: str = "small") -> None:
        self.answer = answer
        self.name = name
        self.prompts: list[Prompt] = []
        self.payers: list[Payer] = []

    def model_of(self, task: ModelTask) -> str:
        return self.name

    def complete(self, prompt: Prompt) -> Answer:
        self.prompts.append(prompt)
        self.payers.append(current_payer())
        said = self.answer(prompt)
        if isinstance(said, ModelError):
            raise said
        return Answer(text=json.dumps(said), value=said, model=self.name)


def read_data(prompt: Prompt) -> Any:
    """The value that a prompt fences."""
    return json.loads("\n".join(prompt.user.splitlines()[1:-1]))


def is_merging(prompt: Prompt) -> bool:
    """Whether a prompt asks what new memories repeat or end."""
    return "decisions" in prompt.schema["properties"]  # type: ignore[operator]


def fact(content: str, lines: Sequence[int] = (1,), **fields: Any) -> dict[str, Any]:
    """A memory of an answer about a person."""
    return {
        "content": content,
        "lines": list(lines),
        "slot": "",
        "subject": "life",
        "tags": ["life"],
        "valid_from": "",
        "valid_to": "",
        "confidence": 0.9,
        **fields,
    }


def lesson(when_to_use: str, content: str, lines: Sequence[int] = (1,), **fields: Any) -> dict[str, Any]:
    """A lesson of an answer about runs."""
    return {
        "when_to_use": when_to_use,
        "content": content,
        "lines": list(lines),
        "outcome": "worked",
        "tags": [],
        "confidence": 0.8,
        **fields,
    }
