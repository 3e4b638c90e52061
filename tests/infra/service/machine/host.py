"""A host in namespaces of its own: user data are carried out on it as cloud-init would."""

import base64
import gzip
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from infra.service import host_start
from tests.servers.ports import PortLease
from tests.servers.waiting import PATIENCE_S

HERE = Path(__file__).parent
BASH = shutil.which("bash") or "bash"
NAMESPACES = (
    shutil.which("unshare") or "unshare",
    "--mount",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
    "--propagation=private",
)
DISK_BYTES = 512 * 2**20
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CARRIED = ("PIP_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE")
LEFT_HERE = "PIP_FIND_LINKS"
"""What a machine knows of its network and where packages come from, but for folders that it does not have."""
RUN_S = 1_800
"""Limit of a command: a first start installs some 90 packages, which takes five minutes and more on a busy machine."""
SHOWN = 8_000
"""Characters of a log's end that a failed assertion shows."""


def lacking() -> str:
    """Why no such machine can be made here; empty where it can."""
    if os.geteuid() != 0:
        return "a machine of its own needs root"
    if sys.base_prefix == "/usr":
        return "Python has no prefix of its own, which a clean root needs"
    programs = ("unshare", "nsenter", "setpriv", "chroot", "losetup", "mkfs.ext4", "blkid", "useradd", "curl")
    missing = [name for name in programs if shutil.which(name) is None]
    if missing:
        return f"{missing[0]} is missing"
    probes = {
        "this machine allows no namespaces": [NAMESPACES[0], "--mount", "--pid", "--fork", "true"],
        "this machine allows no loop devices": [str(shutil.which("losetup")), "--find"],
    }
    for reason, probe in probes.items():
        if subprocess.run(probe, capture_output=True, check=False).returncode:
            return reason
    return ""


@dataclass(frozen=True)
class Host:
    """`root` is the machine's root as seen from here; `keeper` is its process number 1."""

    root: Path
    keeper: int

    def run(self, *command: str, patience_s: float = RUN_S) -> "subprocess.CompletedProcess[str]":
        """Run a command of root's on the machine."""
        carried = [
            f"{name}={value}"
            for name, value in os.environ.items()
            if name.upper().startswith(CARRIED) and name != LEFT_HERE
        ]
        inside = ["nsenter", f"--target={self.keeper}", "--mount", "--pid", "chroot", str(self.root)]
        return subprocess.run(
            [*inside, "/usr/bin/env", "-i", PATH, "HOME=/tmp", *carried, *command],
            capture_output=True,
            text=True,
            check=False,
            timeout=patience_s,
        )

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file from inside, where folders are mounted that are not seen from here."""
        script = 'mkdir -p "$(dirname "$1")" && cat >"$1" && chmod "$2" "$1"'
        inside = ["nsenter", f"--target={self.keeper}", "--mount", "--pid", "chroot", str(self.root)]
        command = [*inside, "/bin/sh", "-c", script, "sh", path, f"{mode:o}"]
        subprocess.run(command, input=text, text=True, check=True)

    def carry_out(self, user_data: str) -> "subprocess.CompletedProcess[str]":
        """Write the files of a cloud-config and run its commands; packages are taken to be there."""
        document = yaml.safe_load(user_data)
        for file in document["write_files"]:
            self.write(file["path"], read_content(file), int(file["permissions"], 8))
        [command] = document["runcmd"]
        done = self.run(*command)
        self.write("/run/fake/finished", "")
        return done

    def put_secrets(self, values: Mapping[str, str]) -> None:
        """What the cloud keeps, by ARN."""
        self.write("/etc/fake/secrets.json", json.dumps(dict(values)), 0o600)

    def read_log(self, unit: str = "reme") -> str:
        """What a unit wrote."""
        path = self.root / "var/log/reme" / f"{unit}.log"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def explain(self, done: "subprocess.CompletedProcess[str]") -> str:
        """What a command said, and the ends of the logs that tell why it ended so."""
        logs = (f"--- log of {unit}:\n{self.read_log(unit)[-SHOWN:]}" for unit in ("reme-trial", "reme"))
        return "\n".join((f"--- ended with {done.returncode}:", done.stdout, done.stderr, *logs))


def read_content(file: Mapping[str, str]) -> str:
    """A file's text, unpacked as cloud-init does."""
    if file.get("encoding") != "gz+b64":
        return file["content"]
    return gzip.decompress(base64.b64decode(file["content"])).decode()


@contextmanager
def share_machine() -> Iterator[int]:
    """Hosts that are written for this machine, which others use as well: yields a port for the service.

    Another is for its trials, since the network is that of all others, and a release gets longer to answer.
    """
    with closing(PortLease()) as own, closing(PortLease()) as trial, pytest.MonkeyPatch.context() as patch:
        patch.setattr(host_start, "TRIAL_PORT", trial.number)
        patch.setattr(host_start, "PATIENCE_S", RUN_S // 3)
        yield own.number


@contextmanager
def boot(folder: Path) -> Iterator[Host]:
    """A machine with an empty data volume."""
    root, disk = folder / "root", folder / "disk"
    root.mkdir(parents=True)
    with disk.open("wb") as file:
        file.truncate(DISK_BYTES)
    keeper = subprocess.Popen(
        [*NAMESPACES, BASH, str(HERE / "root.sh"), str(root), sys.base_prefix, str(disk)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert keeper.stdin is not None
    assert keeper.stdout is not None
    try:
        assert keeper.stdout.readline() == "ready\n"
        children = Path(f"/proc/{keeper.pid}/task/{keeper.pid}/children").read_text(encoding="ascii").split()
        yield Host(root, int(children[0]))
    finally:
        keeper.stdin.close()
        keeper.stdout.close()
        try:
            keeper.wait(PATIENCE_S)
        finally:
            keeper.kill()
            keeper.wait()
