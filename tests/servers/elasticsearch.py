"""Elasticsearch of one node, without security."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import ClassVar

from tests.servers.accounts import give
from tests.servers.installation import PLACE, ServerMissing, find_tree, make_reachable
from tests.servers.server import HOST, Server
from tests.servers.web import read_status

HEAP_MB = 512
_PROPERTIES = Path(__file__).with_suffix(".properties")


class ElasticsearchServer(Server):
    """An own server, with a heap of 512 MB; it takes 780 MB in all, and up to a minute to start on a busy machine."""

    name: ClassVar[str] = "elasticsearch"
    refuses_root: ClassVar[bool] = True

    def __init__(self) -> None:
        wanted = read_properties()
        installed = find_tree(self.name, PLACE / wanted["folder"])
        self._java = find_java(int(wanted["java"]))
        super().__init__()
        name = installed.name
        self._home = make_reachable(installed.parent, [name], self.account, self.folder) / name
        self._transport_port = self.lease_port()
        self.url = f"http://{HOST}:{self.port}"

    def prepare(self) -> None:
        """Write its settings."""
        settings = self.folder / "config"
        shutil.copytree(self._home / "config", settings)
        lines = {
            "discovery.type": "single-node",
            "network.host": HOST,
            "http.port": self.port,
            "transport.port": self._transport_port,
            "path.data": self.make_folder("data"),
            "path.logs": self.make_folder("logs"),
            "xpack.security.enabled": "false",
            "cluster.routing.allocation.disk.threshold_enabled": "false",
        }
        text = "".join(f"{name}: {value}\n" for name, value in lines.items())
        (settings / "elasticsearch.yml").write_text(text, encoding="utf-8")
        give(settings, self.account)
        self.make_folder("tmp")

    def command(self) -> Sequence[str | Path]:
        """The launcher, which starts the server as its child and goes with it."""
        return [self._home / "bin" / "elasticsearch"]

    def environment(self) -> Mapping[str, str]:
        """Where Java and the settings are, and how large the heap is."""
        return {
            "ES_JAVA_HOME": str(self._java),
            "ES_PATH_CONF": str(self.folder / "config"),
            "ES_TMPDIR": str(self.folder / "tmp"),
            "ES_JAVA_OPTS": f"-Xms{HEAP_MB}m -Xmx{HEAP_MB}m -XX:-AlwaysPreTouch",
        }

    def answers(self) -> bool:
        """Whether every primary shard is there."""
        return read_status(f"{self.url}/_cluster/health?wait_for_status=yellow&timeout=1s") == 200


def read_properties() -> Mapping[str, str]:
    """Which distribution is wanted; the script that installs the servers reads the same file."""
    lines = _PROPERTIES.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


@cache
def find_java(version: int) -> Path:
    """The home of a Java of this version or newer: JAVA_HOME, or that of the `java` on the path. Raises ServerMissing."""
    named = os.environ.get("JAVA_HOME")
    program = str(Path(named) / "bin" / "java") if named else shutil.which("java")
    lacks = f"elasticsearch needs Java {version} or newer, which is not here: install it, or name it with JAVA_HOME"
    if program is None or not Path(program).exists():
        raise ServerMissing(lacks)
    shown = subprocess.run([program, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', shown)
    if found is None or int(found[1]) < version:
        raise ServerMissing(lacks)
    return Path(program).resolve().parents[1]
