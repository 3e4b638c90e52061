"""Who asks: the key in a header or in the path, or the local caller while no key exists."""

from collections.abc import Callable
from functools import lru_cache
from ipaddress import ip_address
from time import monotonic
from urllib.parse import urlsplit

from app.domain.access import EVERY_WORKSPACE, LOCAL_ADMIN, Permission, Principal, Role
from app.errors import Forbidden, SettingsError, Unauthenticated
from app.service.keys import Keys
from app.settings import Settings

KEY_PREFIX = "/k/"
"""Clients that cannot send a header are given a base address of `http://host:8002/k/<key>`."""
REMEMBER_S = 1.0
"""How long the answer to "does any key exist" is kept, so that the first key closes the door within a second."""


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Whether a host name or address can be reached from this machine only."""
    if host.casefold() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]").partition("%")[0]).is_loopback
    except ValueError:
        return False


class Doorkeeper:
    """Lets callers in. Called from the event loop; a key is looked up in the store each second anew at least."""

    def __init__(self, keys: Keys, settings: Settings, *, seconds: Callable[[], float] = monotonic) -> None:
        self._keys = keys
        self._mode = settings.access.mode
        self._allow_open = settings.http.allow_open
        self._local = is_loopback(settings.http.host)
        self._origins = frozenset(settings.http.cors_origins) - {EVERY_WORKSPACE}
        self._seconds = seconds
        self._keys_exist = (False, -REMEMBER_S)

    @property
    def open(self) -> bool:
        """Whether a caller without a key is let in: no key exists, and others cannot reach the address."""
        if self._mode == "required" or not (self._local or self._allow_open):
            return False
        exist, since = self._keys_exist
        if self._seconds() - since >= REMEMBER_S:
            exist = self._keys.exist()
            self._keys_exist = (exist, self._seconds())
        return not exist

    def check_start(self) -> None:
        """Raise `SettingsError` where the service would stand open to a network."""
        if self._local or self._allow_open or self._keys.exist():
            return
        raise SettingsError(
            "http.host is an address that others reach and no key exists: issue one with `reme keys issue`, "
            "bind to 127.0.0.1, or set http.allow_open=true where another gate stands in front"
        )

    def admit(self, secret: str, *, in_path: bool, client: str, host: str, origin: str) -> Principal:
        """The principal of a request, or `Unauthenticated`; `secret` is empty where no key was sent."""
        if secret:
            principal = self._keys.authenticate(secret)
            if in_path and principal.role is Role.ADMIN:
                raise Forbidden("an admin's key must not stand in an address: send it in the X-API-Key header")
            return principal
        if not self.open:
            raise Unauthenticated
        if not self._allow_open:
            self._check_local(client, host, origin)
        return LOCAL_ADMIN

    def admit_scraper(self, secret: str) -> None:
        """Let a collector of metrics in: anyone at a local address, else a key that reads every workspace."""
        if not secret and (self._local or self.open):
            return
        if not secret:
            raise Unauthenticated
        principal = self._keys.authenticate(secret)
        if not (principal.may(Permission.MEMORY_READ) and EVERY_WORKSPACE in principal.workspaces):
            raise Forbidden("metrics count all workspaces: use a key with the role reader and the workspaces *")

    def _check_local(self, client: str, host: str, origin: str) -> None:
        """Refuse what a web page or a proxy sends to a door that is open for this machine only."""
        name, _ = _split_address(f"//{host}")
        if not is_loopback(client) or not is_loopback(name):
            raise Unauthenticated(
                "without a key only callers on this machine are answered, at 127.0.0.1 or localhost: "
                "issue a key with `reme keys issue`"
            )
        if origin and origin not in self._origins and _split_address(origin)[1] != host:
            raise Unauthenticated(
                "a web page of another origin is not answered without a key: name it in http.cors_origins"
            )


def _split_address(address: str) -> tuple[str, str]:
    """The host name of an address, and the name with its port; both empty where it is no address."""
    try:
        parts = urlsplit(address)
        return parts.hostname or "", parts.netloc
    except ValueError:
        return "", ""


def secret_of(api_key: bytes, authorization: bytes) -> str:
    """The key that a request carries in X-API-Key, or as a Bearer token; empty for none."""
    if api_key:
        return api_key.decode("latin-1").strip()
    scheme, _, token = authorization.decode("latin-1").partition(" ")
    return token.strip() if scheme.casefold() == "bearer" else ""


def split_path(path: str) -> tuple[str, str]:
    """The key and the rest of a path such as `/k/rk_…/health`; an empty key where there is none."""
    if not path.startswith(KEY_PREFIX):
        return "", path
    secret, slash, rest = path[len(KEY_PREFIX) :].partition("/")
    return secret, f"{slash}{rest}" or "/"
