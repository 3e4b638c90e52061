"""Trees of processes: found by their parents, stopped, continued and ended together. Linux only, by way of /proc."""

import os
import shutil
import signal
import subprocess
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.servers.waiting import wait_until

_GONE = {"Z", "X"}
_STOPPED = {"T", "t"}
_PARENT, _STARTED = 1, 19
"""The positions of a process's parent and start in /proc/PID/stat behind the name (proc(5), fields 4 and 22)."""


@dataclass(frozen=True, slots=True)
class ProcessKey:
    """A process that no other can be taken for: its number and the tick of the machine's clock at which it started."""

    pid: int
    started: int

    def runs(self) -> bool:
        """Whether it is there still, stopped ones included."""
        fields = _read_stat(self.pid)
        return fields is not None and fields[0] not in _GONE and int(fields[_STARTED]) == self.started

    def stands(self) -> bool:
        """Whether it has been stopped, with each of its threads, or is gone."""
        states = [fields[0] for fields in map(_read_stat_of, self._threads()) if fields is not None]
        return not self.runs() or all(state in _STOPPED | _GONE for state in states)

    def _threads(self) -> list[Path]:
        try:
            return list(Path(f"/proc/{self.pid}/task").iterdir())
        except (FileNotFoundError, ProcessLookupError):
            return []

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if it still runs."""
        with suppress(ProcessLookupError):
            if self.runs():
                os.kill(self.pid, number)


def find_process(pid: int) -> ProcessKey | None:
    """The key of a process that runs; None when there is none of this number."""
    fields = _read_stat(pid)
    return None if fields is None else ProcessKey(pid, int(fields[_STARTED]))


def list_tree(root: ProcessKey) -> list[ProcessKey]:
    """A process and all that descend from it, parents first; those whose parent has ended are not found."""
    children: dict[int, list[ProcessKey]] = defaultdict(list)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _read_stat(int(entry.name))) is not None:
            children[int(fields[_PARENT])].append(ProcessKey(int(entry.name), int(fields[_STARTED])))
    tree = [root] if root.runs() else []
    for each in tree:
        tree += children[each.pid]
    return tree


def stop_tree(root: ProcessKey) -> list[ProcessKey]:
    """Stop a process and its descendants (SIGSTOP), so that none can start another; returns them."""
    stopped: list[ProcessKey] = []
    while fresh := [each for each in list_tree(root) if each not in stopped]:
        for each in fresh:
            each.send(signal.SIGSTOP)
        stopped += fresh
    return stopped


def continue_tree(root: ProcessKey) -> None:
    """Let a stopped process and its descendants go on."""
    for each in reversed(list_tree(root)):
        each.send(signal.SIGCONT)


def kill_tree(root: ProcessKey) -> list[ProcessKey]:
    """Send SIGKILL to a process and its descendants, of which none gets to know of another's end; returns them."""
    killed = stop_tree(root)
    for each in killed:
        each.send(signal.SIGKILL)
    return killed


def wait_for_end(processes: list[ProcessKey]) -> None:
    """Wait until none of these runs any more."""
    wait_until(lambda: not any(each.runs() for each in processes), "killed processes to end")


def remove_path(path: Path) -> None:
    """Remove a file, or a folder with everything in it and the file systems that are mounted below."""
    for line in reversed(Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()):
        place = Path(line.split(" ")[1])
        if place.is_relative_to(path):
            subprocess.run(["umount", "--lazy", str(place)], check=False, capture_output=True)  # noqa: S607
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _read_stat(pid: int) -> list[str] | None:
    """The fields behind the name, which may hold blanks and brackets: state, parent, ..."""
    return _read_stat_of(Path(f"/proc/{pid}"))


def _read_stat_of(place: Path) -> list[str] | None:
    try:
        text = (place / "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()
