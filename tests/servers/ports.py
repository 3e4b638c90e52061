"""Ports that no other test takes, as long as the process that asked for them lives."""

import socket
from pathlib import Path
from random import SystemRandom

_LOWEST, _HIGHEST = 20_000, 32_000
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


class NoPort(Exception):
    """Every port that tests may use is taken."""


class PortLease:
    """A port of 127.0.0.1, kept for a server even while that is down.

    Two processes never hold the same one: each is claimed by the name of an abstract socket, which the kernel frees when
    the process ends. It lies below the ports that the kernel gives to outgoing connections, so none of these takes it.
    """

    def __init__(self) -> None:
        below = int(_EPHEMERAL.read_text(encoding="ascii").split()[0]) if _EPHEMERAL.exists() else _HIGHEST
        candidates = range(_LOWEST, min(_HIGHEST, below) if below > _LOWEST else _HIGHEST)
        for number in SystemRandom().sample(candidates, len(candidates)):
            claim = socket.socket(socket.AF_UNIX)
            try:
                claim.bind(f"\0reme-test-port-{number}")
                socket.create_server(("", number)).close()
            except OSError:
                claim.close()
                continue
            self.number = number
            self._claim = claim
            return
        raise NoPort(f"no port from {_LOWEST} to {_HIGHEST} is free: stop some of the servers that hold them")

    def close(self) -> None:
        """Give it back."""
        self._claim.close()
