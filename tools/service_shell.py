"""A shell in which the commands of a page run one after the other, against a service that the page starts."""

import os
import shlex
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from types import TracebackType

from tools.steady_text import steady

PAGES_PORT = "8002"
"""The port that pages write; a run takes a free one in its place."""
PATIENCE_S = 180.0
"""How long a service may take to start, and to end; it takes about two seconds, longer on a busy machine."""
SHOWN = 3000


class ServiceShell:
    """One shell, so that a page's variables live on. A service runs beside it until another starts or the page ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # Bound but not listening, it keeps the port from everybody but the services, which may listen there meanwhile.
        self._claim = socket.socket()
        self._claim.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._claim.bind(("127.0.0.1", 0))
        self._port = str(self._claim.getsockname()[1])
        self._service: subprocess.Popen[bytes] | None = None
        scripts = folder / ".commands"
        scripts.mkdir()
        # The commands of this interpreter, whether or not an installation has put them on the path.
        for name, module in (("reme", "app"), ("reme-size", "sizing")):
            script = scripts / name
            script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m {module} "$@"\n', encoding="utf-8")
            script.chmod(0o700)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("REME_", "FLOW_", "LLM_"))}
        interpreter = Path(sys.executable).parent
        self._environment = {
            **kept,
            "PATH": f"{scripts}:{interpreter}:{os.environ['PATH']}",
            "REME_HTTP__PORT": self._port,
            "COLUMNS": "110",
        }
        self._shell = subprocess.Popen(
            ["/bin/bash"],
            cwd=folder,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )

    def __enter__(self) -> "ServiceShell":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop()
        self._claim.close()
        self._shell.communicate("exit\n", timeout=PATIENCE_S)

    def run(self, line: str) -> tuple[int, str]:
        """Run a command and return its exit code and what it printed on either stream, steadied."""
        words = line.split()
        if words[0] == "reme" and (words[1] == "serve" or "=" in words[1]):
            return self._serve(line.replace(PAGES_PORT, self._port))
        assert self._shell.stdin is not None  # noqa: S101
        assert self._shell.stdout is not None  # noqa: S101
        mark = "--end-of-command--"
        own = line.replace(f":{PAGES_PORT}", f":{self._port}")
        self._shell.stdin.write(f"{own}\nprintf '\\n{mark}%d\\n' $?\n")
        self._shell.stdin.flush()
        printed: list[str] = []
        for each in self._shell.stdout:
            if each.startswith(mark):
                return int(each.removeprefix(mark)), self._steady("".join(printed).removesuffix("\n"))
            printed.append(each)
        raise AssertionError(f"the shell ended at: {line}\n{''.join(printed)[-SHOWN:]}")

    def _serve(self, line: str) -> tuple[int, str]:
        self._stop()
        out, log = self._folder / "service.txt", self._folder / "service.log"
        with out.open("wb") as printed, log.open("wb") as logged:
            self._service = subprocess.Popen(
                shlex.split(line, comments=True),
                cwd=self._folder,
                env=self._environment,
                stdout=printed,
                stderr=logged,
                executable=str(self._folder / ".commands" / "reme"),
            )
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and self._service.poll() is None:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/readyz", timeout=PATIENCE_S):
                    return 0, self._steady(out.read_text(encoding="utf-8"))
            except OSError:
                time.sleep(0.1)
        status = self._service.poll()
        self._stop()
        return (1 if status is None else status), log.read_text(encoding="utf-8")[-SHOWN:]

    def _stop(self) -> None:
        service, self._service = self._service, None
        if service is not None:
            service.terminate()
            service.wait(timeout=PATIENCE_S)

    def _steady(self, text: str) -> str:
        plain = steady(text.replace(f":{self._port}", f":{PAGES_PORT}"))
        return "\n".join(line.rstrip() for line in plain.splitlines()) + "\n"
