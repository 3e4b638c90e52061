"""The typed settings of language models and of what makes vectors."""

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from app.domain.language import ModelTask
from app.domain.objects import WEIGHTS_NAME
from app.settings.secrets import Secret, reveal
from app.settings.sections import Section


def _check_address(address: str) -> str:
    try:
        parts = urlsplit(address)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound:
        raise ValueError("must be an address such as https://api.openai.com/v1")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must be an address without a user, a query or a fragment: the key belongs in api_key")
    return address.rstrip("/")


Address = Annotated[str, Field(max_length=2000), AfterValidator(_check_address)]
ModelName = Annotated[str, Field(max_length=200)]
Temperature = Annotated[float, Field(ge=0, le=2)]
AnswerTokens = Annotated[int, Field(ge=1, le=1_000_000)]
Seconds = Annotated[float, Field(gt=0, le=600)]
PerMinute = Annotated[int, Field(ge=1, le=1_000_000)]
OBJECTS = "objects:"
"""Before the name of weights that the object store keeps."""
LanguageBackend = Literal["openai_compatible"]
Structured = Literal["auto", "json_schema", "json_object", "prompt"]


class ModelSettings(Section):
    """A language model behind an API like OpenAI's (requirements §5.1).

    No model is asked while `model_name` is empty or `api_base` is null: rules answer. `api_key` is null for servers
    that want none. `timeout_s` ends one attempt, `deadline_s` all of them. `max_tokens` limits an answer.
    `requests_per_minute` is what is sent out at most (§9.1 B). `structured` says how an answer in JSON is asked for;
    `auto` finds out what the provider understands. Temperature, tokens and timeout are the document's.
    """

    backend: LanguageBackend = "openai_compatible"
    model_name: ModelName = ""
    api_base: Address | None = None
    api_key: Secret | None = None
    temperature: Temperature = 0.6
    max_tokens: AnswerTokens = 4096
    timeout_s: Seconds = 30
    deadline_s: Seconds = 60
    requests_per_minute: PerMinute = 1000
    structured: Structured = "auto"

    @property
    def usable(self) -> bool:
        """Whether there is a model to ask."""
        return bool(self.model_name and self.api_base)

    @property
    def revealed_key(self) -> str | None:
        """The key in the clear, for the client that sends it; None where there is none."""
        return reveal(self.api_key)


class TaskModelSettings(Section):
    """What differs for one task (requirements §5.4, §8.2); null is what `llm.default` says."""

    backend: LanguageBackend | None = None
    model_name: ModelName | None = None
    api_base: Address | None = None
    api_key: Secret | None = None
    temperature: Temperature | None = None
    max_tokens: AnswerTokens | None = None
    timeout_s: Seconds | None = None
    deadline_s: Seconds | None = None
    requests_per_minute: PerMinute | None = None
    structured: Structured | None = None


class LlmSettings(Section):
    """The language models: a default, and what differs for each of the operations that ask one (§5.2)."""

    default: ModelSettings = ModelSettings()
    personal: TaskModelSettings = TaskModelSettings()
    task: TaskModelSettings = TaskModelSettings()
    tool: TaskModelSettings = TaskModelSettings()
    rerank: TaskModelSettings = TaskModelSettings()
    compression: TaskModelSettings = TaskModelSettings()

    @property
    def usable(self) -> bool:
        """Whether any task has a model to ask."""
        return any(self.choice(task).usable for task in ModelTask)

    def choice(self, task: ModelTask) -> ModelSettings:
        """The model of a task, with what it leaves open filled in from the default.

        A task with an address of its own does not get the default's key: it would go to another provider.
        """
        own: TaskModelSettings = getattr(self, task.value)
        given = {name: getattr(own, name) for name in TaskModelSettings.model_fields}
        chosen = {name: value for name, value in given.items() if value is not None}
        if own.api_base not in (None, self.default.api_base):
            chosen.setdefault("api_key", None)
        return self.default.model_copy(update=chosen)


class EmbeddingSettings(Section):
    """What makes vectors (requirements §3.3, §5.3). `hashing` needs no weights and understands nothing: for tests.

    `openai_compatible` asks a provider and needs `model_name` and `api_base`; `sentence_transformers` computes a model
    of `model_name` on `device`; `objects:NAME` are weights of the object store. `dimensions` is null for the model's
    own; 4096 is the most of the table of §3.1. `batch_texts` and `batch_tokens` limit one call and are null for what
    the provider takes; 2048 texts and 300,000 tokens are OpenAI's limits. `cache_entries` vectors are kept in RAM,
    `persistent_cache_entries` on disk (§8.2: 100,000). `requests_per_minute` is §9.1 B's. `query_deadline_s` is
    `deadline_s` for what is searched for: after it keywords answer.
    """

    backend: Literal["local", "hashing", "openai_compatible", "sentence_transformers"] = "local"
    model_name: ModelName = ""
    dimensions: int | None = Field(default=None, ge=1, le=4096)
    api_base: Address | None = None
    api_key: Secret | None = None
    timeout_s: Seconds = 30
    deadline_s: Seconds = 60
    query_deadline_s: Seconds = 5
    requests_per_minute: PerMinute = 500
    batch_texts: int | None = Field(default=None, ge=1, le=2048)
    batch_tokens: int | None = Field(default=None, ge=1, le=300_000)
    device: str = Field(default="cpu", pattern=r"^(auto|cpu|mps|cuda(:\d{1,2})?)$")
    threads: int = Field(default=1, ge=1, le=64)
    cache_entries: int = Field(default=10_000, ge=0, le=10_000_000)
    persistent_cache_entries: int = Field(default=100_000, ge=0, le=100_000_000)

    @property
    def revealed_key(self) -> str | None:
        """The key in the clear, for the client that sends it; None where there is none."""
        return reveal(self.api_key)

    @property
    def weights(self) -> str:
        """The name of the weights in the object store that are computed with; empty for none of those."""
        return self.model_name.removeprefix(OBJECTS) if self.model_name.startswith(OBJECTS) else ""

    @model_validator(mode="after")
    def _check_complete(self) -> Self:
        """Raise where the backend lacks what it cannot work without."""
        needed = {"openai_compatible": ("model_name", "api_base"), "sentence_transformers": ("model_name",)}
        missing = [name for name in needed.get(self.backend, ()) if not getattr(self, name)]
        if missing:
            raise ValueError(f"backend={self.backend} needs {' and '.join(missing)} too")
        if self.model_name.startswith(OBJECTS):
            if self.backend != "sentence_transformers":
                raise ValueError(
                    f"model_name={self.model_name} needs backend=sentence_transformers, which reads weights"
                )
            if not WEIGHTS_NAME.fullmatch(self.weights):
                raise ValueError(
                    f"model_name={self.model_name} must be {OBJECTS} and a name of `reme weights list`: a-z 0-9 . _ -"
                )
        return self
