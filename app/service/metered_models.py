"""Models whose every token is paid for: what `LanguageModel` and `EmbeddingModel` count goes through the till."""

import json
from collections.abc import Mapping, Sequence

from app.domain.embedding import EmbeddingIdentity, Vector
from app.domain.language import Answer, ModelTask, Prompt
from app.domain.usage import TokenUsage
from app.ports import EmbeddingModel, LanguageModel
from app.service.till import Till

EMBED = "embed"
"""The task of calls of embedding models in the ledger."""
FRAME_TOKENS = 1024
"""What may be wrapped around a prompt: roles and separators (OpenAI counts 3 or 4 tokens a message), how to answer in
JSON, what was wrong with the answer before. Ours, generous."""
TEXT_FRAME_TOKENS = 8
"""Begin and end marks around each text that is embedded. Ours, generous: models use 0 to 2."""
CALLS_AT_MOST = 3
"""Answers to one question that a provider counts, unless told otherwise: one, and two more where it did not fit."""


def count_at_most(text: str) -> int:
    """The most tokens that a text can be: the bytes of its UTF-8.

    Tokenizers that work on bytes or fall back to them (OpenAI's, Qwen's, Llama's, BGE's) make at most one token of a
    byte. English takes about a quarter of this, Chinese a third to a half.
    """
    return len(text.encode("utf-8", "surrogatepass"))


class MeteredModel:
    """A `LanguageModel` that asks only what the payer can pay for, and charges what was counted.

    `max_tokens` are the most that an answer to each task may have. A question may be answered `calls` times until the
    answer fits: that much is set aside.
    """

    def __init__(
        self,
        model: LanguageModel,
        *,
        till: Till,
        max_tokens: Mapping[ModelTask, int],
        calls: int = CALLS_AT_MOST,
    ) -> None:
        self._model = model
        self._till = till
        self._max_tokens = dict(max_tokens)
        self._calls = calls

    def model_of(self, task: ModelTask) -> str:
        """The name of the model that does a task."""
        return self._model.model_of(task)

    def complete(self, prompt: Prompt) -> Answer:
        """Ask; raises `SpendCapReached` where the payer's budget is used up, and what the model raises."""
        name = self._model.model_of(prompt.task)
        if not name:  # nobody does the task, and the model says so
            return self._model.complete(prompt)
        return self._till.charge(
            prompt.task.value,
            name,
            lambda: self._model.complete(prompt),
            most=self._estimate(prompt),
            count=lambda answer: answer.usage,
        )

    def _estimate(self, prompt: Prompt) -> TokenUsage:
        schema = json.dumps(dict(prompt.schema)) if prompt.schema else ""
        # A schema may be sent twice: to the provider, and in words for a model that knows none.
        asked = count_at_most(prompt.system) + count_at_most(prompt.user) + 2 * count_at_most(schema) + FRAME_TOKENS
        answered = self._max_tokens[prompt.task]
        return TokenUsage(input_tokens=asked * self._calls, output_tokens=answered * self._calls)


class MeteredEmbedder:
    """An `Embedder` over an `EmbeddingModel` that charges the payer with every token; `calls` as in `MeteredModel`."""

    def __init__(self, model: EmbeddingModel, *, till: Till, calls: int = CALLS_AT_MOST) -> None:
        self._model = model
        self._till = till
        self._calls = calls

    @property
    def identity(self) -> EmbeddingIdentity:
        """What its vectors can be compared with."""
        return self._model.identity

    def embed(self, texts: Sequence[str]) -> Vector:
        """Vectors of texts to be stored. Raises a `ModelError`, `SpendCapReached` among them."""
        return self._embed(texts, query=False)

    def embed_query(self, text: str) -> Vector:
        """The vector of a text that is searched for. Raises a `ModelError`, `SpendCapReached` among them."""
        vector: Vector = self._embed([text], query=True)[0]
        return vector

    def embed_queries(self, texts: Sequence[str]) -> Vector:
        """Vectors of texts that are searched for, all for one payer. Raises a `ModelError` as `embed_query` does."""
        return self._embed(texts, query=True)

    def _embed(self, texts: Sequence[str], *, query: bool) -> Vector:
        if not texts:
            return self._model.embed(texts, query=query).vectors
        most = sum(count_at_most(text) + TEXT_FRAME_TOKENS for text in texts) * self._calls
        return self._till.charge(
            EMBED,
            self.identity.model,
            lambda: self._model.embed(texts, query=query),
            most=TokenUsage(input_tokens=most),
            count=lambda embedded: embedded.usage,
            items=len(texts),
        ).vectors
