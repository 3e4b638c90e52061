"""Embedding models over the `openai` package."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import numpy as np

from app.backends.models.attempts import Deadline, Line, Setback, Unusable
from app.backends.models.choices import OPENAI_API_BASE, Endpoint, check_name, check_times
from app.backends.models.connections import Connections, Request
from app.backends.models.rates import RequestRate
from app.backends.models.rests import REST_S, Rest
from app.backends.models.tokens import read_usage
from app.backends.models.vectors import read_embeddings
from app.domain.embedding import EmbeddingIdentity, Vector
from app.domain.language import Embedded
from app.domain.usage import NO_TOKENS
from app.errors import ModelError, ModelTimeout, ModelUnavailable, SettingsError
from sizing.models import Model, models

READ_CHARACTERS = 8_000
"""What is read of a text, as by the local embedder."""
TEXT_BYTES = 8_191
"""No token is shorter than a byte, so this fits models that take 8,191 tokens (OpenAI, Qwen v3 and v4, bge-m3)."""
UNKNOWN_TEXTS_PER_CALL = 10
"""For models that data/models.csv does not know: the least of its limits."""
MOST_TEXTS_PER_CALL = 256
"""So that a response with 3,072 dimensions stays under 20 MB of JSON."""
BYTES_PER_NUMBER, SPARE_BYTES = 32, 65_536
"""A response may have this many bytes for each number of its vectors, and so many besides."""
_TOO_LONG = frozenset({400, 413, 422})


class OpenAIEmbeddingModel:
    """Vectors of a provider's model, in calls of as many texts and tokens as it takes (data/models.csv, or as given).

    Of a text longer than 8,000 characters the rest has no part in the vector; where a provider refuses texts all the
    same, they are cut to 8,191 bytes of UTF-8, which are no more tokens, and asked for once more. A blank text is sent
    as a full stop, since providers refuse empty ones. Texts that are searched for are embedded like others.
    All calls of an `embed` end within `deadline_s`, or `query_deadline_s` for texts that are searched for, since
    somebody waits and keywords can answer; what is tried again is as for language models, but vectors of other
    dimensions are refused at once. After a provider was not reached or did not answer in time, it is left alone for
    `rest_s`: what is asked meanwhile fails like that, texts and questions apart. `dimensions` is sent where the model
    can shorten its vectors; 0 is the model's own. The first call imports `openai` and opens a connection. May be used
    from any thread. Raises `SettingsError` for what cannot be used.
    """

    def __init__(
        self,
        *,
        model_name: str,
        api_base: str = OPENAI_API_BASE,
        api_key: str = "",
        dimensions: int = 0,
        timeout_s: float = 30.0,
        deadline_s: float = 60.0,
        query_deadline_s: float = 5.0,
        rest_s: float = REST_S,
        requests_per_minute: int = 500,
        batch_texts: int = 0,
        batch_tokens: int = 0,
    ) -> None:
        check_name(model_name)
        for limit_s in (deadline_s, query_deadline_s):
            check_times(timeout_s, limit_s)
        if min(batch_texts, batch_tokens) < 0:
            raise SettingsError(f"batches of {batch_texts} texts and {batch_tokens} tokens: give 0 (known) or more")
        known = _find(model_name)
        self._identity = EmbeddingIdentity(
            model=model_name, dimensions=_check_dimensions(model_name, dimensions, known)
        )
        self._shortened = known is not None and known.dimensions != self._identity.dimensions
        texts = batch_texts or (known.texts_per_call if known is not None else None) or UNKNOWN_TEXTS_PER_CALL
        self._batch_texts = min(texts, MOST_TEXTS_PER_CALL)
        self._batch_bytes = batch_tokens or (known.tokens_per_call if known is not None else None)
        self._timeout_s, self._deadline_s, self._query_deadline_s = timeout_s, deadline_s, query_deadline_s
        self._rests = {False: Rest(rest_s), True: Rest(rest_s)}
        self._connections = Connections()
        endpoint = Endpoint(api_base=api_base or OPENAI_API_BASE, api_key=api_key)
        self._line = Line(self._connections, endpoint, model_name, RequestRate(requests_per_minute))

    @property
    def identity(self) -> EmbeddingIdentity:
        """The provider's name of the model, and the dimensions asked for."""
        return self._identity

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Embedded:
        """Vectors (len(texts), dimensions) of unit length, float32; as the class says.

        Raises a `ModelError` with the tokens of the calls that came back.
        """
        deadline_s, rest = (self._query_deadline_s if query else self._deadline_s), self._rests[query]
        rest.check(deadline_s)
        deadline = Deadline(deadline_s)
        counted = NO_TOKENS
        vectors = [np.empty((0, self._identity.dimensions), dtype=np.float32)]
        for batch in self._batches([_readable(text) for text in texts]):
            call = _Call(self._line, batch, self._request, self._identity, deadline, self._timeout_s)
            try:
                vectors.append(self._line.persist(call.send, deadline))
            except ModelError as error:
                if call.failed and isinstance(error, ModelTimeout | ModelUnavailable):
                    rest.begin(error)
                error.usage = counted + call.usage
                raise
            counted += call.usage
        rest.end()
        return Embedded(vectors=cast(Vector, np.concatenate(vectors)), usage=counted)

    def close(self) -> None:
        """End the calls under way with `ModelUnavailable`, and close the connections."""
        self._connections.close()

    def _request(self, texts: list[str]) -> Request:
        asked: dict[str, Any] = {
            "model": self._identity.model,
            "input": texts,
            "encoding_format": "float",  # not every provider knows the client's base64
            "timeout": self._timeout_s,
        }
        if self._shortened:
            asked["dimensions"] = self._identity.dimensions
        return lambda client: client.embeddings.with_streaming_response.create(**asked)

    def _batches(self, texts: Sequence[str]) -> Iterator[list[str]]:
        """No token is shorter than a byte, so a batch's bytes are at least its tokens."""
        batch: list[str] = []
        size = 0
        for text in texts:
            length = len(text.encode())
            full = self._batch_bytes is not None and size + length > self._batch_bytes
            if batch and (full or len(batch) == self._batch_texts):
                yield batch
                batch, size = [], 0
            batch.append(text)
            size += length
        if batch:
            yield batch


class _Call:
    """A batch of texts on its way to vectors, the tokens counted for it so far, and whether an attempt failed."""

    def __init__(
        self,
        line: Line,
        texts: list[str],
        request: Callable[[list[str]], Request],
        identity: EmbeddingIdentity,
        deadline: Deadline,
        timeout_s: float,
    ) -> None:
        self.usage = NO_TOKENS
        self.failed = False
        self._line = line
        self._texts = texts
        self._request = request
        self._identity = identity
        self._deadline = deadline
        self._timeout_s = timeout_s

    def send(self) -> Vector:
        """One attempt."""
        try:
            body = self._ask()
        except Setback:
            self.failed = True
            raise
        try:
            embeddings = read_embeddings(body)
            self.usage += read_usage(embeddings.usage, sent="".join(self._texts))
            return embeddings.vectors(len(self._texts), self._identity)
        except Unusable as error:
            raise self._line.malformed(str(error)) from None

    def _ask(self) -> bytes:
        from openai import APIStatusError  # noqa: PLC0415 - imported with the first call

        while True:
            try:
                return self._line.call(
                    self._request(self._texts),
                    deadline=self._deadline,
                    timeout_s=self._timeout_s,
                    most_bytes=len(self._texts) * self._identity.dimensions * BYTES_PER_NUMBER + SPARE_BYTES,
                )
            except APIStatusError as failure:
                shorter = [_cut(text) for text in self._texts]
                if failure.status_code not in _TOO_LONG or shorter == self._texts:
                    raise self._line.judge(failure) from None
                self._texts = shorter


def _find(model_name: str) -> Model | None:
    """What is known of a model, also by a name with its maker before it, such as "BAAI/bge-m3"."""
    known = models().get(model_name.rpartition("/")[2].lower())
    return known if known is not None and known.kind == "embedding" else None


def _check_dimensions(model_name: str, dimensions: int, known: Model | None) -> int:
    if known is not None and known.dimensions is not None:
        wanted = dimensions or known.dimensions
        if not known.supports(wanted):
            raise SettingsError(
                f"embedding.dimensions is {wanted}, but {model_name} gives {known.supported_dimensions}: "
                "set one of these"
            )
        return wanted
    if dimensions < 1:
        raise SettingsError(
            f"embedding.dimensions is {dimensions}, and {model_name!r} is not a known model: set what it gives"
        )
    return dimensions


def _readable(text: str) -> str:
    """What is sent of a text: halves of surrogate pairs and NUL cannot be."""
    head = text[:READ_CHARACTERS].encode("utf-8", "replace").decode().replace("\x00", " ")
    return head if head.strip() else "."


def _cut(text: str) -> str:
    return text.encode()[:TEXT_BYTES].decode(errors="ignore")
