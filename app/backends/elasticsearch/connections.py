"""The connection to the server: addresses, credentials, time limits, and what is tried again."""

import logging
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Any, TypeAlias, TypeVar
from urllib.parse import urlsplit

from elasticsearch import Elasticsearch
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, stop_any, stop_before_delay
from tenacity.wait import wait_random_exponential

from app.backends.elasticsearch.faults import CONFLICT, Setback, judge, name_kind, translated
from app.errors import SettingsError

T = TypeVar("T")
Operation: TypeAlias = Sequence[Mapping[str, Any]]
"""The lines of a bulk request that belong together: what to do, and the document where there is one."""

ATTEMPTS = 3
WRITE_ATTEMPTS = 6
"""A search is given up early, because the store can answer it; a write waits for a server that is overloaded."""
FIRST_WAIT_S, LONGEST_WAIT_S = 0.1, 4.0
"""Waits grow twofold, with full jitter: a random part of each, so that many callers do not come back at once."""
CONNECTIONS = 32
"""To each node; more callers at once wait for one another."""
BODY_LOGGER = "elastic_transport.node"
"""The client writes what it sends and receives there, memories' words among it, wherever DEBUG is asked for."""
_LEAST_S = 0.1
_backoff = wait_random_exponential(multiplier=FIRST_WAIT_S, max=LONGEST_WAIT_S)


class Server:
    """One cluster, reached through any of its nodes. May be used from any thread; connects at the first call.

    Every call ends within `timeout_s`, its repetitions included. Raises `SettingsError` for addresses or credentials
    that cannot be used.
    """

    def __init__(
        self,
        hosts: Sequence[str],
        *,
        api_key: str = "",
        username: str = "",
        password: str = "",
        ca_certs: str = "",
        verify_certs: bool = True,
        timeout_s: float = 30.0,
    ) -> None:
        self.place = _name_hosts(hosts)
        if ca_certs and not Path(ca_certs).is_file():
            raise SettingsError(
                f"ca_certs of the vector index is {ca_certs!r}, which is no file: name one of certificates"
            )
        logging.getLogger(BODY_LOGGER).setLevel(logging.INFO)
        self._timeout_s = timeout_s
        options: dict[str, Any] = {}
        if api_key and username:
            raise SettingsError("the vector index has both an api_key and a user: give one of them")
        if api_key:
            options["api_key"] = api_key
        if username:
            # The client takes ASCII alone; the server reads UTF-8.
            options["headers"] = {"authorization": f"Basic {b64encode(f'{username}:{password}'.encode()).decode()}"}
        if any(host.startswith("https:") for host in hosts):
            options |= {"verify_certs": verify_certs, "ssl_show_warn": False}
            if ca_certs:
                options["ca_certs"] = ca_certs
        try:
            self._client = Elasticsearch(list(hosts), max_retries=0, connections_per_node=CONNECTIONS, **options)
        except (ValueError, TypeError, OSError) as fault:
            raise SettingsError(
                f"the vector index at {self.place} cannot be opened ({type(fault).__name__}): hosts are addresses such "
                "as https://es.example.com:9200, and ca_certs is a file of certificates"
            ) from None

    def ask(self, work: Callable[[Elasticsearch], T], *, attempts: int = ATTEMPTS, timeout_s: float | None = None) -> T:
        """What `work` returns, tried again where the server was not reached or is overloaded.

        `work` must be safe to repeat. Raises a `StoreError`, mostly `IndexUnavailable`.
        """
        limit_s = self._timeout_s if timeout_s is None else min(timeout_s, self._timeout_s)
        until = monotonic() + limit_s

        def attempt() -> T:
            with translated(self.place, timeout_s=limit_s):
                return work(self._client.options(request_timeout=max(until - monotonic(), _LEAST_S)))

        retrying = Retrying(
            retry=retry_if_exception_type(Setback),
            wait=_backoff,
            stop=stop_any(stop_after_attempt(attempts), stop_before_delay(limit_s)),
            reraise=True,
        )
        try:
            return retrying(attempt)
        except Setback as setback:
            raise setback.error from None

    def write(self, alias: str, operations: Sequence[Operation]) -> None:
        """Have all operations done through an alias, which must be there; those that were refused for now again.

        An operation whose version is older than what is there is passed over. Durable when this returns: the server
        syncs its log at each request (`index.translog.durability`, request by default).
        """
        waiting = list(operations)

        def attempt(client: Elasticsearch) -> None:
            nonlocal waiting
            answer = client.bulk(
                index=alias,
                operations=[line for operation in waiting for line in operation],
                require_alias=True,
                filter_path="errors,items.*.status,items.*.error.type",
            )
            if answer["errors"]:
                waiting, setback = self._pick_refused(waiting, answer["items"])
                if setback is not None:
                    raise setback

        self.ask(attempt, attempts=WRITE_ATTEMPTS)

    def _pick_refused(
        self, operations: Sequence[Operation], items: Sequence[Mapping[str, Any]]
    ) -> tuple[list[Operation], Setback | None]:
        """The operations that were refused for now, and why; raises for the first that was refused for good."""
        refused: list[Operation] = []
        setback = None
        for operation, item in zip(operations, items, strict=True):
            (outcome,) = item.values()
            kind = name_kind(outcome)
            if not kind or kind == CONFLICT:
                continue
            fault = judge(self.place, outcome["status"], kind)
            if not isinstance(fault, Setback):
                raise fault
            setback = fault
            refused.append(operation)
        return refused, setback

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()


def _name_hosts(hosts: Sequence[str]) -> str:
    """The addresses as host:port, without the credentials that may stand in them."""
    names = []
    for host in hosts:
        try:
            parts = urlsplit(host)
            name, port = parts.hostname, parts.port
        except ValueError:
            name, port = None, None
        if not name or parts.scheme not in ("http", "https"):
            raise SettingsError(
                "an address of the vector index does not read: give such as https://es.example.com:9200"
            )
        names.append(f"{name}:{port}" if port else name)
    if not names:
        raise SettingsError("the vector index has no address: give hosts, such as https://es.example.com:9200")
    return ", ".join(names)
