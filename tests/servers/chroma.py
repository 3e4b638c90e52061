"""Chroma: one process with its collections in a folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from tests.servers.installation import find_program
from tests.servers.server import HOST, Server
from tests.servers.web import read_status


class ChromaServer(Server):
    """An own server; clients must be of the same version."""

    name: ClassVar[str] = "chroma"

    def __init__(self) -> None:
        self._program = find_program(self.name)
        super().__init__()

    def command(self) -> Sequence[str | Path]:
        """The server in the foreground."""
        return [self._program, "run", "--host", HOST, "--port", str(self.port), "--path", self.folder / "data"]

    def environment(self) -> Mapping[str, str]:
        """Nothing is told to anybody."""
        return {"ANONYMIZED_TELEMETRY": "false"}

    def answers(self) -> bool:
        """Whether its heart beats."""
        return read_status(f"http://{HOST}:{self.port}/api/v2/heartbeat") == 200
