"""What makes vectors and memories of texts."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from app.domain.conversation import Extraction, Trajectory
from app.domain.embedding import EmbeddingIdentity, Vector
from app.domain.language import Answer, Embedded, ModelTask, Prompt
from app.domain.moderation import Judged, TextSource


class Embedder(Protocol):
    """Turns texts into vectors of unit length."""

    @property
    def identity(self) -> EmbeddingIdentity:
        """What its vectors can be compared with."""
        ...

    def embed(self, texts: Sequence[str]) -> Vector:
        """Vectors (len(texts), dimensions), float32, unit length, of texts to be stored."""
        ...

    def embed_query(self, text: str) -> Vector:
        """The vector (dimensions,) of a text that is searched for."""
        ...

    def embed_queries(self, texts: Sequence[str]) -> Vector:
        """Vectors (len(texts), dimensions) of texts that are searched for."""
        ...


class Extractor(Protocol):
    """Makes memories of a conversation: by rules, or by a model."""

    def extract_personal(self, trajectories: Sequence[Trajectory], *, user_id: str) -> Extraction:
        """What is worth knowing about the person who speaks."""
        ...

    def extract_tasks(self, trajectories: Sequence[Trajectory]) -> Extraction:
        """What is worth knowing when the same kind of task comes again."""
        ...


class LanguageModel(Protocol):
    """Asks a language model; each task may have one of its own."""

    def model_of(self, task: ModelTask) -> str:
        """The name of the model that does a task."""
        ...

    def complete(self, prompt: Prompt) -> Answer:
        """Ask, and ask again within the task's deadline what failed or came back malformed.

        Raises a `ModelError`, which tells the tokens that were counted nevertheless.
        """
        ...


class EmbeddingModel(Protocol):
    """A provider's embedding model, which counts tokens."""

    @property
    def identity(self) -> EmbeddingIdentity:
        """What its vectors can be compared with."""
        ...

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Embedded:
        """Vectors of texts, in as many calls as the provider's limits ask for. Raises a `ModelError`."""
        ...


class VectorCache(Protocol):
    """Keeps vectors that were made before; may forget any of them at any time, and never fails."""

    def recall(self, keys: Sequence[bytes], *, dimensions: int) -> dict[bytes, Vector]:
        """Those that are known, read-only, of this many components."""
        ...

    def keep(self, vectors: Mapping[bytes, Vector]) -> None:
        """Remember vectors by a hash of what they were made of and by which model."""
        ...

    def close(self) -> None:
        """Write what is buffered and let go of files."""
        ...


class Moderator(Protocol):
    """Judges whether texts may be kept."""

    def name_of(self, source: TextSource) -> str:
        """Who judges texts of a source, as the meter names it; empty where nobody does."""
        ...

    def judge(self, texts: Sequence[str], *, source: TextSource) -> Judged:
        """A verdict for each text, whatever its length, within one deadline for all; never raises for a provider."""
        ...

    def close(self) -> None:
        """End the calls under way and close the connections; harmless when repeated."""
        ...
