"""Language models over the `openai` package."""

from collections.abc import Mapping
from typing import Any

from app.backends.models.answers import Completion, read_completion, read_value
from app.backends.models.attempts import Deadline, Line, Unusable
from app.backends.models.choices import Endpoint, ModelChoice
from app.backends.models.connections import Connections, Request
from app.backends.models.dialects import Dialect, first_dialect
from app.backends.models.rates import RequestRate
from app.backends.models.tokens import read_usage
from app.domain.language import Answer, ModelTask, Prompt
from app.domain.usage import NO_TOKENS, TokenUsage
from app.errors import ModelError, ModelRefused, ModelUnavailable

BYTES_PER_TOKEN, SPARE_BYTES = 64, 65_536
"""A response may have this many bytes for each token of its limit, and so many besides: no token is longer in JSON
than a run of blanks or a few escaped characters."""


class OpenAILanguageModel:
    """Asks each task's model; tasks with the same endpoint, key and model share their rate.

    An answer ends within its `deadline_s`, waiting for the rate and between attempts included. Tried again are lost
    connections, timeouts, 408, 409, 429, 5xx, and answers that were cut off or do not fit (with the complaint, three
    answers at most). Where JSON by schema is refused it is asked for in a JSON mode, then in words, and what worked is
    kept for the model. Tokens of attempts without a whole answer are not known and not counted. The first call imports
    `openai` and opens a connection. May be used from any thread.
    """

    def __init__(self, choices: Mapping[ModelTask, ModelChoice]) -> None:
        self._choices = dict(choices)
        self._connections = Connections()
        self._dialects: dict[tuple[Endpoint, str, str], Dialect] = {}
        limits: dict[tuple[Endpoint, str], int] = {}
        for choice in self._choices.values():
            key = choice.endpoint, choice.model_name
            limits[key] = min(limits.get(key, choice.requests_per_minute), choice.requests_per_minute)
        self._lines = {key: Line(self._connections, *key, RequestRate(limit)) for key, limit in limits.items()}

    def model_of(self, task: ModelTask) -> str:
        """The name of the model that does a task; empty where none does."""
        choice = self._choices.get(task)
        return choice.model_name if choice is not None else ""

    def complete(self, prompt: Prompt) -> Answer:
        """A model's answer, as the class says. Raises a `ModelError` with the tokens of all answers that came."""
        choice = self._choices.get(prompt.task)
        if choice is None:
            task = prompt.task.value
            raise ModelUnavailable(f"no model does the task {task!r}: set llm.{task}.model_name")
        key = choice.endpoint, choice.model_name, choice.structured
        question = _Question(
            self._lines[key[:2]], choice, prompt, self._dialects.get(key) or first_dialect(choice.structured)
        )
        try:
            answer = question.line.persist(question.ask, question.deadline)
        except ModelError as error:
            error.usage = question.usage
            raise
        self._dialects[key] = question.dialect
        return answer

    def close(self) -> None:
        """End the calls under way with `ModelUnavailable`, and close the connections."""
        self._connections.close()


class _Question:
    """One prompt on its way to an answer: what was complained of and counted so far."""

    def __init__(self, line: Line, choice: ModelChoice, prompt: Prompt, dialect: Dialect) -> None:
        self.line = line
        self.deadline = Deadline(choice.deadline_s)
        self.dialect = dialect
        self.usage: TokenUsage = NO_TOKENS
        self._choice = choice
        self._prompt = prompt
        self._complaint = ""

    def ask(self) -> Answer:
        """One attempt."""
        system, user = _sendable(self._prompt.system), _sendable(self._prompt.user)
        if self._complaint:
            user = f"{user}\n\nYour last answer could not be used: it {self._complaint}. Answer again."
        body = self._send(system, user)
        try:
            completion = read_completion(body)
            self.usage += read_usage(completion.usage, sent=f"{system}\n{user}", received=completion.text)
            return self._read(completion)
        except Unusable as error:
            self._complaint = str(error)
            raise self.line.malformed(self._complaint) from None

    def _send(self, system: str, user: str) -> bytes:
        from openai import APIStatusError  # noqa: PLC0415 - imported with the first call

        schema = self._prompt.schema
        while True:
            asked = self.dialect.phrase(self._choice, system=system, user=user, schema=schema)
            try:
                return self.line.call(
                    _request(asked, self._choice.timeout_s),
                    deadline=self.deadline,
                    timeout_s=self._choice.timeout_s,
                    most_bytes=self._choice.max_tokens * BYTES_PER_TOKEN + SPARE_BYTES,
                )
            except APIStatusError as failure:
                adapted = self.dialect.adapt(failure, structured=bool(schema))
                if adapted is None:
                    raise self.line.judge(failure) from None
                self.dialect = adapted

    def _read(self, completion: Completion) -> Answer:
        if completion.refused:
            raise ModelRefused(f"{self.line.name} will not answer this request, or its provider's filter withheld it")
        if completion.cut_off:
            raise Unusable(f"was cut off at {self._choice.max_tokens:,} tokens: it has to be shorter")
        text = completion.text
        if not text:
            raise Unusable("is empty")
        value = read_value(text, self._prompt.schema) if self._prompt.schema else None
        return Answer(text=text, value=value, model=self._choice.model_name, usage=self.usage)


def open_language_model(choices: Mapping[ModelTask, ModelChoice]) -> OpenAILanguageModel:
    """The models of the tasks; opens no connection before the first call. Call `close` at the end."""
    return OpenAILanguageModel(choices)


def _request(asked: dict[str, Any], timeout_s: float) -> Request:
    return lambda client: client.chat.completions.with_streaming_response.create(**asked, timeout=timeout_s)


def _sendable(text: str) -> str:
    """A text without halves of surrogate pairs, which no request can carry."""
    return text.encode("utf-8", "replace").decode()
