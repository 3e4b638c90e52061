"""SeaweedFS as an object store: S3 with signatures, versions, object lock and encryption at rest."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from secrets import token_hex
from typing import ClassVar

from botocore.exceptions import BotoCoreError, ClientError

from tests.servers.buckets import Buckets
from tests.servers.installation import find_program
from tests.servers.server import HOST, Server
from tests.servers.warden import find_warden
from tests.servers.web import read_status

_SOCKETS = Path("/tmp")  # noqa: S108  the server puts its own there, wherever its data are
_PARTS = ("master", "volume", "filer")
_ACTIONS = ["Admin", "Read", "Write", "List", "Tagging"]


class SeaweedServer(Server, Buckets):
    """An own server, every part of it in one process. To stop takes 15 s, which it waits for its own clients."""

    name: ClassVar[str] = "seaweed"

    def __init__(self) -> None:
        self._program = find_program("weed")
        Server.__init__(self)
        Buckets.__init__(self, f"http://{HOST}:{self.port}", token_hex(8), token_hex(16))
        self._encryption_key = token_hex(32)
        self._ports = {"s3": self.port, **{part: self.lease_port() for part in _PARTS}}
        self._inner_ports = {part: self.lease_port() for part in self._ports}
        for part, port in self._inner_ports.items():
            find_warden().watch_path(_SOCKETS / f"seaweedfs-{part}-grpc-{port}.sock")

    def prepare(self) -> None:
        """Write who may do what."""
        self.make_folder("data")
        credentials = [{"accessKey": self.access_key, "secretKey": self.secret_key}]
        identity = {"name": "tests", "credentials": credentials, "actions": _ACTIONS}
        (self.folder / "s3.json").write_text(json.dumps({"identities": [identity]}), encoding="utf-8")

    def command(self) -> Sequence[str | Path]:
        """Master, volumes, filer and S3 in the foreground; volumes are small, since each bucket takes its own."""
        options = {
            "dir": self.folder / "data",
            "ip": HOST,
            "ip.bind": HOST,
            "filer": "true",
            "s3": "true",
            "s3.config": self.folder / "s3.json",
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "master.telemetry": "false",
            "master.electionTimeout": "1s",
            "volume.preStopSeconds": 0,
            "master.volumeSizeLimitMB": 64,
            "volume.max": 1000,
            **{f"{part}.port": port for part, port in self._ports.items()},
            **{f"{part}.port.grpc": port for part, port in self._inner_ports.items()},
            **{f"{part}.localSocket": self.folder / f"{part}.sock" for part in ("s3", "filer")},
        }
        return [self._program, "server", *(f"-{name}={value}" for name, value in options.items())]

    def environment(self) -> Mapping[str, str]:
        """The key that encrypts what buckets ask to be encrypted; a bucket begins with one volume."""
        return {"WEED_S3_SSE_KEK": self._encryption_key, "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"}

    def answers(self) -> bool:
        """Whether S3 answers, which needs the filer, and the master knows of volumes."""
        assigning = f"http://{HOST}:{self._ports['master']}/dir/assign"
        if read_status(f"{self.endpoint}/healthz") != 200 or read_status(assigning) != 200:
            return False
        try:
            self.client.list_buckets()
        except (BotoCoreError, ClientError):
            return False
        return True

    def close(self) -> None:
        """Remove its sockets too."""
        self.disconnect()
        super().close()
        for part, port in self._inner_ports.items():
            find_warden().remove(_SOCKETS / f"seaweedfs-{part}-grpc-{port}.sock")
