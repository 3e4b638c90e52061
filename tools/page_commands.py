"""Pages as programs: the files and commands that a page shows, run in its order."""

import contextlib
import io
import os
import re
import shlex
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import click

from sizing.commands.main import cli, run

TODAY = date(2026, 11, 22)
"""The day on which every command of a page runs, so that its output changes only when the product does."""

_FENCE = re.compile(r"^```(?P<lang>[\w+-]*)(?P<info>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_EXITS = re.compile(r"#\s*exits (\d+)")


@dataclass(frozen=True)
class Command:
    """A command of a page, the exit code that the page says, and where the block that holds it ends."""

    line: str
    exit_code: int
    end: int


def page_steps(text: str) -> Iterator[Command | tuple[str, str]]:
    """Yield what a page does, in order: a command, or name and content of a file that it shows.

    Commands are the lines of ``sh`` and ``console`` blocks that start with ``reme-size``; ``# exits 3``
    names an exit code other than 0. A block such as ```` ```csv file=prices.csv ```` is a file.
    """
    for block in _FENCE.finditer(text):
        name = re.search(r"\bfile=(\S+)", block["info"])
        if name is not None:
            yield name[1], block["body"]
        elif block["lang"] in ("sh", "console"):
            for line in block["body"].replace("\\\n", " ").splitlines():
                if re.match(r"reme-size(\s|$)", line):
                    stated = _EXITS.search(line)
                    yield Command(line, int(stated[1]) if stated else 0, block.end())


def run_command(command: Command) -> tuple[int, str]:
    """Run a command in the current folder and return its exit code and what it printed."""
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
            for step in page_steps(text):
                if isinstance(step, Command):
                    if step.end > before:
                        break
                    outputs[step.end] = run_command(step)[1]
                else:
                    Path(step[0]).write_text(step[1], encoding="utf-8")
        finally:
            os.chdir(home)
    return outputs


def shorten(text: str, wanted: str) -> str:
    """Keep the sections whose first line starts with one of the wanted words (``head`` is the first section).

    What is left out is shown as one line with an ellipsis. ``lines WORD`` keeps the lines that start with WORD.
    """
    if not wanted:
        return text
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
