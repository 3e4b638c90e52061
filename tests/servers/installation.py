"""Where the servers' programs are, and what to say where they are not."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.servers.accounts import give

PLACE = Path(__file__).parents[2] / ".envs"
ENVIRONMENT = PLACE / "servers"
_REMEDY = "run `bash tools/install-servers.sh`"


class ServerMissing(Exception):
    """A server cannot be started on this machine: the message names it and says why."""


def find_program(name: str) -> Path:
    """A program of the servers' environment. Raises ServerMissing."""
    return find_tree(name, ENVIRONMENT / "bin" / name)


def find_packaged(server: str, pattern: str) -> Path:
    """A file or folder in a package of the servers' environment, by a pattern below site-packages. Raises ServerMissing."""
    found = sorted(ENVIRONMENT.glob(f"lib/python3*/site-packages/{pattern}"))
    return find_tree(server, found[-1] if found else ENVIRONMENT / pattern)


def find_tree(server: str, path: Path) -> Path:
    """A folder or program that must be there. Raises ServerMissing."""
    if sys.platform != "linux":
        raise ServerMissing(f"{server} is started on Linux only")
    if not path.exists():
        raise ServerMissing(f"{server} is not installed: {_REMEDY}")
    return path


def make_reachable(place: Path, parts: Sequence[str], account: str | None, folder: Path) -> Path:
    """The place in which an account can read these parts: as it is, or a copy in a folder where parents are closed."""
    if account is None:
        return place
    asked = ["find", *(str(place / part) for part in parts), "-not", "-readable", "-print", "-quit"]
    answer = subprocess.run(asked, user=account, extra_groups=[], cwd="/", capture_output=True, text=True, check=False)
    if answer.returncode == 0 and not answer.stdout:
        return place
    copy = folder / "programs"
    for part in parts:
        shutil.copytree(place / part, copy / part, symlinks=True)
    give(copy, account)
    return copy
