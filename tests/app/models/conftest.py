"""A provider on this machine, and models that ask it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from importlib import import_module
from typing import Any

import pytest
from tenacity import wait_none

from app.backends.models import attempts
from app.backends.models.choices import ModelChoice
from app.backends.models.embedding import OpenAIEmbeddingModel
from app.backends.models.language import OpenAILanguageModel, open_language_model
from app.domain.language import ModelTask, Prompt
from app.domain.memory import JsonObject
from tests.standin import KEY, ModelServer, model_server

TIMEOUT_S = 60.0
DEADLINE_S = 180.0
"""Limits that an answer on a busy machine keeps."""
SHORT = {"timeout_s": 0.2, "deadline_s": 0.7}
"""Limits for what never comes."""
SCHEMA: JsonObject = {
    "type": "object",
    "properties": {"memories": {"type": "array", "items": {"type": "string"}}},
    "required": ["memories"],
    "additionalProperties": False,
}
VALUE = {"memories": ["Ana lives in Lisbon"]}


@pytest.fixture(scope="session", autouse=True)
def imported() -> None:
    """Import the client before anything is timed."""
    for name in ("openai", "openai.resources.chat", "openai.resources.embeddings"):
        import_module(name)


@pytest.fixture(scope="session")
def running() -> Iterator[ModelServer]:
    """One server for all tests."""
    with model_server() as started:
        yield started


@pytest.fixture
def server(running: ModelServer) -> ModelServer:
    """A provider without faults."""
    running.forget()
    return running


@pytest.fixture
def without_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once."""
    monkeypatch.setattr(attempts, "_backoff", wait_none())


@pytest.fixture
def ask(server: ModelServer) -> Iterator[Callable[..., OpenAILanguageModel]]:
    """Makes models that do every task, with fields of `ModelChoice` other than the limits of tests."""
    with ExitStack() as stack:

        def make(**fields: Any) -> OpenAILanguageModel:
            choice = ModelChoice(
                **{
                    "model_name": "small",
                    "api_base": server.address,
                    "api_key": KEY,
                    "timeout_s": TIMEOUT_S,
                    "deadline_s": DEADLINE_S,
                    **fields,
                }
            )
            return stack.enter_context(closing(open_language_model(dict.fromkeys(ModelTask, choice))))

        yield make


@pytest.fixture
def language(ask: Callable[..., OpenAILanguageModel]) -> OpenAILanguageModel:
    """A model with the limits of tests."""
    return ask()


@pytest.fixture
def embedding(server: ModelServer) -> Iterator[OpenAIEmbeddingModel]:
    """An embedding model of 64 dimensions with the limits of tests."""
    with closing(make_embedding(server)) as model:
        yield model


def make_embedding(server: ModelServer, **fields: Any) -> OpenAIEmbeddingModel:
    """An embedding model with the limits of tests."""
    return OpenAIEmbeddingModel(
        **{
            "model_name": "own-model",
            "dimensions": 64,
            "api_base": server.address,
            "api_key": KEY,
            "timeout_s": TIMEOUT_S,
            "deadline_s": DEADLINE_S,
            "query_deadline_s": DEADLINE_S,
            **fields,
        }
    )


def prompt(user: str = "I live in Lisbon", **fields: Any) -> Prompt:
    """A question with a schema."""
    return Prompt(**{"task": ModelTask.PERSONAL, "system": "Find memories.", "user": user, "schema": SCHEMA, **fields})
