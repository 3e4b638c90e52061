"""A server of another make: started when it answers, stopped, killed, paused and restarted on the same port and data."""

import os
import signal
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from tests.servers.accounts import find_account, give, group_of
from tests.servers.ports import PortLease
from tests.servers.processes import (
    ProcessKey,
    continue_tree,
    find_process,
    kill_tree,
    list_tree,
    stop_tree,
    wait_for_end,
)
from tests.servers.waiting import PATIENCE_S, NeverHappened, wait_until
from tests.servers.warden import find_warden

HOST = "127.0.0.1"
_TAIL_LINES = 40
_STOP_S = 60.0
"""How long a server may take to stop by itself before it is killed."""


class ServerFailed(Exception):
    """A server did not start; the message ends with the last lines of its log."""


class Server(ABC):
    """One process, or tree of processes, with its data in a folder of its own below the machine's temporary one.

    A subclass says how it is started and when it answers. As a context manager it starts, and is removed at the end.
    `host` and `port` are its address, which it keeps over restarts.
    """

    name: ClassVar[str]
    refuses_root: ClassVar[bool] = False
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self) -> None:
        self.account = find_account() if self.refuses_root else None
        self.folder = Path(tempfile.mkdtemp(prefix=f"reme-{self.name}-")).resolve()
        find_warden().watch_path(self.folder)
        give(self.folder, self.account)
        self.log_path = self.folder / "server.log"
        self._leases: list[PortLease] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._key: ProcessKey | None = None
        self._prepared = False
        self.host = HOST
        self.port = self.lease_port()

    # -- what a subclass says

    @abstractmethod
    def command(self) -> Sequence[str | Path]:
        """The program and its arguments."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it serves requests now; must not raise while it does not."""

    def prepare(self) -> None:  # noqa: B027  there may be nothing to make
        """Make its files before the first start."""

    def environment(self) -> Mapping[str, str]:
        """Variables beside PATH, HOME and the language."""
        return {}

    # -- what tests do

    def start(self) -> Self:
        """Start it and wait until it answers. Raises ServerFailed with the tail of its log."""
        if not self._prepared:
            self.prepare()
            self._prepared = True
        self.launch()
        self.wait_until_ready()
        return self

    def launch(self) -> None:
        """Start it without waiting for an answer."""
        assert not self.runs(), f"{self.name} runs already"
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [str(part) for part in self.command()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={**self._variables(), **self.environment()},
                process_group=0,
                **self.identity(),
            )
        self._key = find_process(self._process.pid)
        if self._key is not None:
            find_warden().watch(self._key)

    def wait_until_ready(self, *, patience_s: float = PATIENCE_S) -> None:
        """Wait until it answers. Raises ServerFailed when it has ended, or does not answer in time."""

        def answers_or_ended() -> bool:
            return not self.runs() or self.answers()

        try:
            wait_until(answers_or_ended, "an answer", patience_s=patience_s)
        except NeverHappened as never:
            raise ServerFailed(f"{self.name}: {never}; its log ends with:\n{self.log_tail()}") from None
        if not self.runs():
            status = self._process.returncode if self._process else None
            raise ServerFailed(f"{self.name} ended with status {status}; its log ends with:\n{self.log_tail()}")

    def runs(self) -> bool:
        """Whether its process is there, paused or not."""
        return self._process is not None and self._process.poll() is None

    def processes(self) -> list[ProcessKey]:
        """Its process and all that descend from it."""
        return list_tree(self._key) if self._key is not None else []

    def stop(self) -> None:
        """Ask it to stop and wait for the end; what does not stop in a minute is killed."""
        if self._process is None or self._key is None:
            return
        self.resume()
        if self.runs():
            self._process.send_signal(self.stop_signal)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_S)
        self.kill()

    def kill(self) -> None:
        """End it and its children by SIGKILL, as a lost machine would, and wait until they are gone."""
        if self._process is None or self._key is None:
            return
        killed = kill_tree(self._key)
        self._process.wait(PATIENCE_S)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        wait_for_end(killed)
        find_warden().forget(self._key)
        self._process = self._key = None

    def pause(self) -> None:
        """Let it stand still (SIGSTOP): connections are accepted by the kernel, and nothing answers."""
        if self._key is not None:
            stopped = stop_tree(self._key)
            wait_until(lambda: all(each.stands() for each in stopped), f"{self.name} to stand still")

    def resume(self) -> None:
        """Let it go on after a pause."""
        if self._key is not None:
            continue_tree(self._key)

    def restart(self) -> None:
        """Stop it and start it on the same port and data."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Kill it and remove its data."""
        self.kill()
        find_warden().remove(self.folder)
        for lease in self._leases:
            lease.close()

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- what subclasses use

    def lease_port(self) -> int:
        """A further port that is free and stays this server's."""
        self._leases.append(PortLease())
        return self._leases[-1].number

    def make_folder(self, name: str) -> Path:
        """A new folder below its own, of the user that it runs as."""
        made = self.folder / name
        made.mkdir()
        give(made, self.account)
        return made

    def run(self, *command: str | Path) -> None:
        """Run a program to its end as the server's user. Raises ServerFailed with what it printed."""
        done = subprocess.run(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.folder,
            env={**self._variables(), **self.environment()},
            check=False,
            **self.identity(),
        )
        if done.returncode:
            shown = done.stdout.decode(errors="replace")
            raise ServerFailed(f"{Path(command[0]).name} failed with status {done.returncode}:\n{shown}")

    def log_tail(self) -> str:
        """The last lines of its log."""
        if not self.log_path.exists():
            return "(no log)"
        return "\n".join(self.log_path.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:])

    def identity(self) -> dict[str, Any]:
        """The arguments of subprocess that make a program run as the server's user."""
        if self.account is None:
            return {}
        return {"user": self.account, "group": group_of(self.account), "extra_groups": []}

    def _variables(self) -> dict[str, str]:
        return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self.folder), "LANG": "C.UTF-8"}
