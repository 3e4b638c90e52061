"""moto, an emulator of AWS for the services that ministack answers otherwise than AWS."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from tests.servers.installation import PLACE, find_tree
from tests.servers.server import HOST, Server
from tests.servers.web import read_status


class MotoServer(Server):
    """An own server; it keeps everything in memory."""

    name: ClassVar[str] = "moto"

    def __init__(self) -> None:
        self._program = find_tree(self.name, PLACE / "aws-plugin" / "bin" / "moto_server")
        super().__init__()

    def prepare(self) -> None:
        """Nothing to make: it keeps no files."""

    def command(self) -> Sequence[str | Path]:
        """The server in the foreground."""
        return [self._program, "-H", HOST, "-p", str(self.port)]

    def environment(self) -> Mapping[str, str]:
        """Accounts are ministack's, so that the ARNs of both are of one."""
        return {"MOTO_ACCOUNT_ID": "000000000000"}

    def answers(self) -> bool:
        """Whether it answers."""
        return read_status(f"http://{HOST}:{self.port}/moto-api/data.json") == 200
