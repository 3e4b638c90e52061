"""Ends the servers of a test session that itself was ended, by whatever means.

One warden runs beside each session that starts servers, and reads from a pipe which processes, folders and files there are.
The pipe closes when the session's process ends, even by SIGKILL: then the warden kills what is left, and removes it.
"""

import signal
import subprocess
import sys
from functools import cache
from pathlib import Path
from threading import Lock
from typing import IO

from tests.servers.processes import ProcessKey, kill_tree, remove_path, wait_for_end

_ROOT = Path(__file__).parents[2]


class Warden:
    """The session's side of the pipe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.servers.warden"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            cwd=_ROOT,
            start_new_session=True,
        )

    def watch_path(self, path: Path) -> None:
        """From now on the folder or file goes when this process does."""
        self._tell(f"path + {path}")

    def remove(self, path: Path) -> None:
        """Remove a folder or file now."""
        remove_path(path)
        self._tell(f"path - {path}")

    def watch(self, process: ProcessKey) -> None:
        """From now on the process and its descendants end when this process does."""
        self._tell(f"process + {process.pid} {process.started}")

    def forget(self, process: ProcessKey) -> None:
        """The process has ended."""
        self._tell(f"process - {process.pid} {process.started}")

    def _tell(self, line: str) -> None:
        pipe = self._process.stdin
        assert pipe is not None
        with self._lock:
            pipe.write(f"{line}\n".encode())
            pipe.flush()


@cache
def find_warden() -> Warden:
    """The warden of this process, started at the first use."""
    return Warden()


def keep_watch(lines: IO[str]) -> None:
    """Read what there is until the pipe closes, then end all of it."""
    processes: set[ProcessKey] = set()
    paths: set[Path] = set()
    for line in lines:
        kind, sign, name = line.rstrip("\n").split(" ", 2)
        if kind == "path":
            (paths.add if sign == "+" else paths.discard)(Path(name))
        else:
            pid, started = map(int, name.split())
            (processes.add if sign == "+" else processes.discard)(ProcessKey(pid, started))
    wait_for_end([each for root in processes for each in kill_tree(root)])
    for path in paths:
        remove_path(path)


if __name__ == "__main__":
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    keep_watch(sys.stdin)
