"""ministack, an emulator of AWS: it answers the calls of many services and checks no signatures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from tests.servers.buckets import REGION, Buckets
from tests.servers.installation import find_program
from tests.servers.server import HOST, Server
from tests.servers.web import read_status


class MinistackServer(Server, Buckets):
    """An own server. Objects survive its being killed; what else there is, only its being stopped."""

    name: ClassVar[str] = "ministack"

    def __init__(self) -> None:
        self._program = find_program(self.name)
        Server.__init__(self)
        Buckets.__init__(self, f"http://{HOST}:{self.port}", "test", "test")

    def prepare(self) -> None:
        """Make its folders."""
        for name in ("objects", "state", "tmp"):
            self.make_folder(name)

    def command(self) -> Sequence[str | Path]:
        """The server in the foreground."""
        return [self._program]

    def environment(self) -> Mapping[str, str]:
        """Where it listens and keeps its data."""
        return {
            "BIND_HOST": HOST,
            "MINISTACK_HOST": HOST,
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_REGION": REGION,
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(self.folder / "objects"),
            "PERSIST_STATE": "1",
            "STATE_DIR": str(self.folder / "state"),
            "TMPDIR": str(self.folder / "tmp"),
        }

    def answers(self) -> bool:
        """Whether its services are there."""
        return read_status(f"{self.endpoint}/_ministack/ready") == 200

    def close(self) -> None:
        """Close the client too."""
        self.disconnect()
        super().close()
