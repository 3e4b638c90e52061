"""The guides of the service as a reader follows them: every command, in the order of the page, in one shell."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.app.commands.test_command_line import COMMANDS
from tests.servers.waiting import PATIENCE_S

ROOT = Path(__file__).parents[3]
GUIDES = (
    "run-the-service",
    "api-keys",
    "back-up-and-restore",
    "change-the-embedding",
    "keep-model-weights",
    "keep-user-profiles",
)
FENCE = re.compile(r"^```(?P<lang>\w*)(?P<info>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)

SHELL = """
set -u
service=
fail() { echo "FAILED: $*" >&2; cat service.log >&2; exit 1; }
stop() { [ -z "$service" ] || { kill "$service"; wait "$service" || fail "the service ended with $?"; service=; }; }
ready() {
  for _ in $(seq 900); do
    curl -sf "http://127.0.0.1:$REME_HTTP__PORT/readyz" >ready.json && return
    kill -0 "$service" || fail "$1"
    sleep 0.2
  done
  fail "$1 is not ready"
}
expect() { [ "$2" = "$1" ] || fail "$3 ended with $2, the page says $1"; }
"""


def read(guide: str) -> str:
    (page,) = (ROOT / "docs").glob(f"*/{guide}.md")
    return page.read_text(encoding="utf-8")


def commands(guide: str) -> Iterator[str]:
    for block in FENCE.finditer(read(guide)):
        if block["lang"] == "sh":
            yield from block["body"].replace("\\\n", " ").splitlines()


def write_script(guide: str) -> str:
    """The page as a shell script: a service that is started runs until another one is, or until it must be stopped."""
    lines = [SHELL]
    for number, line in enumerate(commands(guide)):
        stated = re.search(r"# exits (\d+)", line)
        name = f"command {number + 1}"
        if re.search(r"\breme serve\b", line) and not stated:
            lines += ["stop", f"{line} >service.txt 2>service.log & service=$!", f"ready '{name}'"]
            continue
        if "with the service stopped" in line:
            lines.append("stop")
        lines += [line, f"expect {stated[1] if stated else 0} $? '{name}'"]
    return "\n".join([*lines, "stop", "echo followed", ""])


@pytest.mark.slow
@pytest.mark.parametrize("guide", GUIDES)
def test_the_commands_of_a_guide_end_as_it_says(
    guide: str, place: Path, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    bash = shutil.which("bash")
    assert bash is not None
    assert shutil.which("curl") is not None, "the guides use curl: install it"
    port = str(free_port)
    for block in FENCE.finditer(read(guide)):
        name = re.search(r"file=(\S+)", block["info"])
        if name:
            (place / name[1]).write_text(block["body"].replace("8002", port), encoding="utf-8")
    monkeypatch.delenv("REME_EMBEDDING__BACKEND")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "REME_HTTP__PORT": port}
    done = subprocess.run(
        [bash, "-c", write_script(guide).replace("8002", port)],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=5 * PATIENCE_S,
    )
    assert done.stdout.endswith("followed\n"), done.stdout[-2000:] + done.stderr[-3000:]


def test_every_command_is_used_in_a_guide() -> None:
    text = "".join(read(guide) for guide in GUIDES)
    for name, command in COMMANDS.items():
        if not isinstance(command, click.Group):
            assert re.search(rf"\breme {name}\b", text), f"no guide uses reme {name}"


def test_every_option_that_a_guide_shows_exists() -> None:
    known = {flag for command in COMMANDS.values() for option in command.params for flag in option.opts}
    for guide in GUIDES:
        for line in commands(guide):
            if line.startswith("reme "):
                assert set(re.findall(r"(?<=\s)--[a-z-]+", line)) <= known, line
