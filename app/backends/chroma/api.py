"""Calls of a Chroma server: with timeouts, tried again where the way to it broke, and with our own errors."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from json import JSONDecodeError
from typing import TypeVar

import httpx
from chromadb.api.collection_configuration import CreateCollectionConfiguration
from chromadb.api.fastapi import FastAPI
from chromadb.api.models.Collection import Collection
from chromadb.config import Settings, System
from chromadb.errors import (
    AuthorizationError,
    ChromaAuthError,
    ChromaError,
    InternalError,
    NotFoundError,
    RateLimitError,
    UniqueConstraintError,
)
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, stop_any, stop_before_delay
from tenacity.wait import wait_random_exponential

from app.errors import IndexUnavailable, MemoryServiceError, StoreError

T = TypeVar("T")

ATTEMPTS = 3
FIRST_WAIT_S, LONGEST_WAIT_S = 0.05, 1.0
TOKEN_HEADER = "X-Chroma-Token"  # noqa: S105 - a header's name
"""Where Chroma Cloud, and proxies that follow it, look for an API key."""


class _Requests(FastAPI):
    """The client's own requests, with a timeout: the client has no setting for one."""

    def __init__(self, system: System, *, timeout_s: float) -> None:
        super().__init__(system)
        self._session.timeout = httpx.Timeout(timeout_s)

    def close(self) -> None:
        """Let go of the connections."""
        self._session.close()


@dataclass(frozen=True, kw_only=True, slots=True)
class ChromaServer:
    """Where a server is, and what it is told about who asks. `ssl` is a path where own certificates are trusted."""

    host: str
    port: int
    ssl: bool | str = False
    api_key: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    tenant: str = "default_tenant"
    database: str = "default_database"


class ChromaApi:
    """A database of a Chroma server. Every call is safe to repeat. Nothing is connected before the first."""

    def __init__(self, server: ChromaServer, *, timeout_s: float) -> None:
        self.address = f"{server.host}:{server.port}"
        self.timeout_s = timeout_s
        self._tenant, self._database = server.tenant, server.database
        settings = Settings(
            _env_file=None,  # type: ignore[call-arg] # of pydantic's: a file in the working directory is none of ours
            chroma_api_impl="chromadb.api.fastapi.FastAPI",
            chroma_server_host=server.host,
            chroma_server_http_port=server.port,
            chroma_server_ssl_enabled=bool(server.ssl),
            chroma_server_ssl_verify=server.ssl if isinstance(server.ssl, str) else None,
            chroma_server_headers={**server.headers, **({TOKEN_HEADER: server.api_key} if server.api_key else {})},
            anonymized_telemetry=False,
        )
        self._requests = _Requests(System(settings), timeout_s=timeout_s)

    def find_collection(self, name: str) -> Collection | None:
        """The collection of a name, or None."""
        try:
            model = self.call(lambda: self._requests.get_collection(name, tenant=self._tenant, database=self._database))
        except CollectionGone:
            return None
        return Collection(client=self._requests, model=model, embedding_function=None)

    def make_collection(
        self, name: str, metadata: Mapping[str, str], configuration: CreateCollectionConfiguration
    ) -> Collection:
        """The collection of a name, made with this metadata unless it is there."""
        model = self.call(
            lambda: self._requests.create_collection(
                name,
                metadata=dict(metadata),
                configuration=configuration,
                get_or_create=True,
                tenant=self._tenant,
                database=self._database,
            )
        )
        return Collection(client=self._requests, model=model, embedding_function=None)

    def adopt(self, collection: Collection) -> Collection:
        """The same collection, asked through this API's connections and with its timeouts."""
        return Collection(client=self._requests, model=collection._model, embedding_function=None)

    def drop_collection(self, name: str) -> None:
        """Remove the collection of a name, if it is there."""
        try:
            self.call(lambda: self._requests.delete_collection(name, tenant=self._tenant, database=self._database))
        except CollectionGone:
            return

    def check_collection(self, collection: Collection) -> None:
        """Raise `IndexUnavailable` where a collection is not there any more."""
        self.call(
            lambda: self._requests.get_collection_by_id(collection.id, tenant=self._tenant, database=self._database)
        )

    def read_batch_limit(self) -> int:
        """How many records the server takes at once."""
        return self.call(self._requests.get_max_batch_size)

    def call(self, request: Callable[[], T]) -> T:
        """What a request answers. Raises `IndexUnavailable`, or another `StoreError` where it is refused."""
        attempts = Retrying(
            retry=retry_if_exception_type(httpx.TransportError),
            stop=stop_any(stop_after_attempt(ATTEMPTS), stop_before_delay(self.timeout_s)),
            wait=wait_random_exponential(multiplier=FIRST_WAIT_S, max=LONGEST_WAIT_S),
            reraise=True,
        )
        try:
            return attempts(request)
        except NotFoundError:
            raise CollectionGone(
                f"the collection on the Chroma server at {self.address} is gone or was made anew: prepare it"
            ) from None
        except (ChromaAuthError, AuthorizationError):
            raise KeyRefused(f"the Chroma server at {self.address} refuses the API key: set another") from None
        except (InternalError, RateLimitError, UniqueConstraintError) as fault:
            raise IndexUnavailable(
                f"the Chroma server at {self.address} cannot answer now ({fault.name()}): repeat the request later"
            ) from None
        except (ChromaError, TypeError) as fault:  # the message may quote what was sent
            raise StoreError(
                f"the Chroma server at {self.address} refuses a request ({type(fault).__name__})"
            ) from None
        except httpx.HTTPError as fault:
            raise IndexUnavailable(
                f"the Chroma server at {self.address} does not answer ({type(fault).__name__}): look at the server"
            ) from None
        except JSONDecodeError:
            raise IndexUnavailable(f"what answers at {self.address} is no Chroma server: check the address") from None
        except ValueError:
            raise StoreError("the client of Chroma refuses a record") from None
        except Exception as fault:  # the client raises no other for what it does not know, as a proxy's answers
            raise self._translate(fault) from None

    def _translate(self, fault: Exception) -> MemoryServiceError:
        """Our error for one of the client's that has no type but the answer's status behind it."""
        answer = fault.__context__
        if not isinstance(answer, httpx.HTTPStatusError):
            raise fault
        status = answer.response.status_code
        if status in (401, 403):
            return KeyRefused(f"what answers at {self.address} refuses the API key ({status}): set another")
        return IndexUnavailable(f"the Chroma server at {self.address} answers with status {status}: look at it")

    def close(self) -> None:
        """Let go of the connections."""
        self._requests.close()


class CollectionGone(IndexUnavailable):
    """The collection of the vector index is gone or was made anew: prepare it."""


class KeyRefused(IndexUnavailable):
    """The vector index's server refuses the API key: set another."""
