"""Where Qdrant is and how it is spoken to; opens the client for it."""

import ssl
import warnings
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from urllib.parse import urlsplit

from qdrant_client import QdrantClient

from app.backends.qdrant.server import Server
from app.errors import SettingsError

IN_MEMORY = ":memory:"
"""What `path` is for a local mode that keeps nothing."""
RECONNECT_MS = {"grpc.initial_reconnect_backoff_ms": 200, "grpc.max_reconnect_backoff_ms": 2_000}
"""How long gRPC waits before it connects again; by itself up to two minutes, in which a server that is back is not
asked. Ours: as the waits of `server`."""
_LOCAL_CONCERN = (
    "Qdrant's local mode compares every vector in this process and is for trials: hnsw, quantization, on_disk, shards "
    "and replicas have no effect"
)
_PLAIN_CONCERN = "the API key of Qdrant travels unencrypted: give an https address, or https=true"


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """One of a URL, a host and a folder for the client's local mode; the key and the certificates for the first two."""

    url: str = ""
    host: str = ""
    port: int = 6333
    grpc_port: int = 6334
    path: str = ""
    prefer_grpc: bool = False
    https: bool | None = None
    api_key: str = field(default="", repr=False)
    ca_file: str = ""
    timeout_s: float = 30.0

    def __post_init__(self) -> None:
        given = [name for name in ("url", "host", "path") if getattr(self, name)]
        if len(given) != 1:
            raise SettingsError(
                f"Qdrant has {' and '.join(given) or 'no address'}: give one of url, host and path (local mode)"
            )
        if not self.timeout_s > 0:
            raise SettingsError(f"timeout_s of Qdrant is {self.timeout_s:g}: give a number of seconds above 0")
        for name, port in (("port", self.port), ("grpc_port", self.grpc_port)):
            if not 1 <= port <= 65_535:
                raise SettingsError(f"{name} of Qdrant is {port}: give 1 to 65535")
        if self.url:
            self._check_url()
        if "/" in self.host or "@" in self.host:
            raise SettingsError("host of Qdrant is no host's name: give a name or an IP address, or use url")

    @property
    def encrypts(self) -> bool:
        """Whether TLS is used: as the URL says, else as told, else where there is a key to protect."""
        scheme = urlsplit(self.url).scheme if self.url else ""
        return scheme == "https" if scheme else bool(self.api_key) if self.https is None else self.https

    @property
    def name(self) -> str:
        """What messages call it; without credentials."""
        if self.path:
            return f"Qdrant's local mode ({self.path})"
        parts = urlsplit(self.url)
        host, port = (parts.hostname, parts.port or self.port) if self.url else (self.host, self.port)
        return f"the vector index Qdrant at {host}:{self.grpc_port if self.prefer_grpc else port}"

    def open(self) -> Server:
        """A client of it; asks nothing yet. Raises `SettingsError` for a folder or a file that cannot be used."""
        concerns = []
        if self.path:
            concerns.append(_LOCAL_CONCERN)
        elif self.api_key and not self.encrypts:
            concerns.append(_PLAIN_CONCERN)
        return Server(
            self._open_local() if self.path else self._open_remote(),
            name=self.name,
            timeout_s=self.timeout_s,
            secrets=(self.api_key,),
            is_local=bool(self.path),
            concerns=tuple(concerns),
        )

    def _check_url(self) -> None:
        try:
            parts = urlsplit(self.url)
            _ = parts.port
        except ValueError:
            raise SettingsError("url of Qdrant has no form of an address: give https://host:port") from None
        if parts.username is not None or parts.password is not None:
            raise SettingsError(
                "url of Qdrant holds a user or password: give https://host:port, and the key in api_key"
            )
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise SettingsError("url of Qdrant has no form of an address: give http or https, a host and a port")

    def _open_local(self) -> QdrantClient:
        try:
            if self.path == IN_MEMORY:
                return QdrantClient(location=IN_MEMORY)
            return QdrantClient(path=self.path, force_disable_check_same_thread=True)
        except RuntimeError:  # its lock is held
            raise SettingsError(
                f"{self.name} is used by another process: stop that one, or run a Qdrant server and give its url"
            ) from None
        except (OSError, ValueError, KeyError) as fault:
            raise SettingsError(
                f"{self.name} cannot be opened ({type(fault).__name__}): give a folder that may be written to"
            ) from None

    def _open_remote(self) -> QdrantClient:
        trust, certificates = self._read_certificates()
        with warnings.catch_warnings():  # that a key goes over plain HTTP is one of the concerns
            warnings.simplefilter("ignore", UserWarning)
            client = QdrantClient(
                url=self.url or None,
                host=self.host or None,
                port=self.port,
                grpc_port=self.grpc_port,
                prefer_grpc=self.prefer_grpc,
                https=self.encrypts,
                api_key=self.api_key or None,
                timeout=ceil(self.timeout_s),
                grpc_options={**RECONNECT_MS, **({"root_certificates": certificates} if certificates else {})},
                check_compatibility=False,
                verify=trust,
            )
        if self.prefer_grpc:  # now, since threads that ask at once would each make them
            _ = client.grpc_points, client.grpc_collections
        return client

    def _read_certificates(self) -> tuple[ssl.SSLContext | bool, bytes]:
        """The authorities that are trusted in place of the usual ones, for REST, and as bytes for gRPC."""
        if not self.ca_file:
            return True, b""
        try:
            return ssl.create_default_context(cafile=self.ca_file), Path(self.ca_file).read_bytes()
        except OSError as fault:  # of which an SSLError is one
            raise SettingsError(
                f"ca_file of Qdrant, {self.ca_file}, cannot be used ({type(fault).__name__}): give a PEM file"
            ) from None
