"""Pages as programs: the files and commands that a page shows, run in its order."""

import contextlib
import io
import json
import os
import re
import shlex
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Any

import click

from sizing.commands.main import cli, run
from tools.service_shell import ServiceShell
from tools.steady_text import lay_out, steady_value

TODAY = date(2026, 11, 22)
"""The day on which every command of a page runs, so that its output changes only when the product does."""

_FENCE = re.compile(r"^```(?P<lang>[\w+-]*)(?P<info>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_EXITS = re.compile(r"#\s*exits (\d+)")
_PLANNER = re.compile(r"reme-size(\s|$)")
_SERVICE = re.compile(r"(?:[A-Z_]+=\$\()?(?:reme|curl)(\s|$)")


@dataclass(frozen=True)
class Command:
    """A command of a page, the exit code that the page says, and where the block that holds it ends."""

    line: str
    exit_code: int
    end: int

    @property
    def is_for_service(self) -> bool:
        """Whether the command is one of the memory service, or asks it over HTTP."""
        return _SERVICE.match(self.line) is not None


def page_steps(text: str) -> Iterator[Command | tuple[str, str]]:
    """Yield what a page does, in order: a command, or name and content of a file that it shows.

    Commands are the lines of ``sh`` and ``console`` blocks that start with ``reme-size``, ``reme`` or ``curl``, or
    keep what one of these prints, as ``KEY=$(reme …)``; ``# exits 3`` names an exit code other than 0. A block such
    as ```` ```csv file=prices.csv ```` is a file.
    """
    for block in _FENCE.finditer(text):
        name = re.search(r"\bfile=(\S+)", block["info"])
        if name is not None:
            yield name[1], block["body"]
        elif block["lang"] in ("sh", "console"):
            for line in block["body"].replace("\\\n", " ").splitlines():
                if _PLANNER.match(line) or _SERVICE.match(line):
                    stated = _EXITS.search(line)
                    yield Command(line, int(stated[1]) if stated else 0, block.end())


class PageRunner:
    """Runs the commands of one page in the current folder, those of the service in one shell."""

    def __init__(self) -> None:
        self._shell: ServiceShell | None = None

    def __enter__(self) -> "PageRunner":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._shell is not None:
            self._shell.__exit__(kind, error, traceback)

    def run(self, command: Command) -> tuple[int, str]:
        """Run a command and return its exit code and what it printed."""
        if not command.is_for_service:
            return run_command(command)
        if self._shell is None:
            self._shell = ServiceShell(Path.cwd())
        return self._shell.run(command.line)


def run_command(command: Command) -> tuple[int, str]:
    """Run a command of the planner in the current folder and return its exit code and what it printed."""
    arguments = shlex.split(command.line, comments=True)[1:]
    target = None
    if len(arguments) > 2 and arguments[-2] == ">":
        target, arguments = arguments[-1], arguments[:-2]
    if "--today" not in arguments and dated(arguments):
        arguments += ["--today", TODAY.isoformat()]
    printed, complaints = io.StringIO(), io.StringIO()
    status = 0
    # One stream for a page, two where a file takes the output.
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(complaints if target else printed):
        try:
            run(arguments)
        except SystemExit as stop:
            status = stop.code if isinstance(stop.code, int) else 0
    text = printed.getvalue()
    if target is not None:
        Path(target).write_text(text, encoding="utf-8")
        text = complaints.getvalue()
    return status, "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def dated(arguments: list[str]) -> bool:
    """Tell whether a command's output depends on the day: a report, or the check of prices."""
    first = next((name for name in arguments if name in cli.list_commands(click.Context(cli))), None)
    informs = {"-h", "--help", "--version"} & set(arguments)
    return bool(arguments) and not informs and (first is None or arguments[:2] == ["prices", "check"])


def run_page(text: str, before: int) -> dict[int, str]:
    """Run a page's commands whose block ends before a position; return the last output of every block by its end."""
    outputs: dict[int, str] = {}
    home = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            with PageRunner() as runner:
                for step in page_steps(text):
                    if isinstance(step, Command):
                        if step.end > before:
                            break
                        outputs[step.end] = runner.run(step)[1]
                    else:
                        Path(step[0]).write_text(step[1], encoding="utf-8")
        finally:
            os.chdir(home)
    return outputs


def shorten(text: str, wanted: str) -> str:
    """Keep the sections whose first line starts with one of the wanted words (``head`` is the first section).

    What is left out is shown as one line with an ellipsis. ``lines WORD`` keeps the lines that start with WORD.
    ``json`` lays out JSON; ``json a, b.c`` keeps only these fields of it, of every element where there are several.
    """
    if not wanted:
        return text
    if wanted.split(maxsplit=1)[0] == "json":
        document = steady_value("", json.loads(text))
        paths = [path.strip().split(".") for path in wanted.removeprefix("json").split(",") if path.strip()]
        return lay_out(pick_fields(document, paths) if paths else document) + "\n"
    if wanted.startswith("lines "):
        word = wanted.removeprefix("lines ")
        return "".join(f"{line}\n" for line in text.splitlines() if line.startswith(word))
    words = [word.strip() for word in wanted.split(",")]
    sections = [section.strip("\n") for section in re.split(r"\n\n+", text.strip("\n"))]
    kept: list[str] = []
    for index, section in enumerate(sections):
        if any(section.startswith(word) or (word == "head" and index == 0) for word in words):
            kept.append(section)
        elif kept and kept[-1] != "…":
            kept.append("…")
    return "\n\n".join(kept) + "\n"


def pick_fields(value: Any, paths: list[list[str]]) -> Any:
    """The part of a document that some paths name; a list is taken element by element."""
    if isinstance(value, list):
        return [pick_fields(each, paths) for each in value]
    if not isinstance(value, dict) or [] in paths:
        return value
    picked = {}
    for name in dict.fromkeys(path[0] for path in paths):
        picked[name] = pick_fields(value[name], [path[1:] for path in paths if path[0] == name])
    return picked
