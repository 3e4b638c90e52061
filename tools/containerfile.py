"""Writes the steps of the Containerfile as calls of shell functions, for tools/container-root.sh.

    FROM python:3.12 AS build           begin build python:3.12
    RUN pip install x                   run_shell 'pip install x'
    RUN ["install", "-d", "/data"]      run_exec install -d /data
    COPY --from=build /opt/a /opt/b     copy_from build /opt/b /opt/a
    COPY app app                        copy app app
    ENV A=1 B=2                         set_env A 1 ...

An instruction, a flag or a pattern that is not known here is an error, so that nothing is left out unnoticed.
"""

import json
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
DESCRIPTIVE = {"LABEL", "EXPOSE", "STOPSIGNAL", "VOLUME"}
"""Instructions that change nothing in the root."""


class UnknownStep(Exception):
    """The Containerfile says something that this program does not know."""


@dataclass(frozen=True)
class Instruction:
    """One instruction: its keyword in capitals, the text after it, and its first line."""

    keyword: str
    text: str
    line: int


def read_instructions(text: str) -> Iterator[Instruction]:
    """Yield the instructions of a Containerfile; comments are left out and continued lines joined."""
    pending, start = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        start = start if pending else number
        pending += stripped.removesuffix("\\")
        if stripped.endswith("\\"):
            continue
        keyword, _, rest = pending.partition(" ")
        yield Instruction(keyword.upper(), rest.strip(), start)
        pending = ""
    if pending:
        raise UnknownStep(f"line {start}: the file ends inside an instruction")


def read_ignored(text: str) -> tuple[set[str], list[str]]:
    """What .containerignore lets through, and the patterns that it leaves out at any depth.

    It must leave out everything first, then let names through, as ours does.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines or lines[0] != "*":
        raise UnknownStep(".containerignore must begin with *")
    allowed, patterns = set(), []
    for line in lines[1:]:
        if line.startswith("!"):
            allowed.add(line[1:])
        elif line.startswith("**/"):
            patterns.append(line[3:])
        else:
            raise UnknownStep(f".containerignore: {line!r} is not understood")
    return allowed, patterns


def write_steps(containerfile: str, ignore: str) -> Iterator[str]:
    """Yield one call of a shell function a step; raises UnknownStep."""
    allowed, patterns = read_ignored(ignore)
    yield _call("leave_out", *patterns)
    arguments: dict[str, str] = {}
    for instruction in read_instructions(containerfile):
        keyword, text = instruction.keyword, instruction.text
        if keyword == "ARG":
            name, _, value = text.partition("=")
            arguments[name] = value
        elif keyword == "FROM":
            words = [_fill(word, arguments) for word in text.split()]
            if len(words) not in (1, 3) or (len(words) == 3 and words[1].upper() != "AS"):
                raise _unknown(instruction)
            yield _call("begin", words[2] if len(words) == 3 else "final", words[0])
        elif keyword in ("RUN", "ENTRYPOINT", "CMD"):
            yield _write_command(instruction)
        elif keyword == "COPY":
            yield _write_copy(instruction, allowed)
        elif keyword == "ENV":
            pairs = [word.partition("=") for word in shlex.split(text)]
            if not all(equals for _, equals, _ in pairs):
                raise _unknown(instruction)
            yield _call("set_env", *(part for name, _, value in pairs for part in (name, value)))
        elif keyword in ("WORKDIR", "USER"):
            yield _call(f"set_{keyword.lower()}", text)
        elif keyword == "HEALTHCHECK":
            yield _call("set_health", *_read_exec(instruction, text.partition("CMD ")[2]))
        elif keyword not in DESCRIPTIVE:
            raise _unknown(instruction)


def _write_command(instruction: Instruction) -> str:
    if instruction.text.startswith("["):
        names = {"RUN": "run_exec", "ENTRYPOINT": "set_entrypoint", "CMD": "set_command"}
        return _call(names[instruction.keyword], *_read_exec(instruction, instruction.text))
    if instruction.keyword != "RUN" or instruction.text.startswith("--"):
        raise _unknown(instruction)
    return _call("run_shell", instruction.text)


def _write_copy(instruction: Instruction, allowed: set[str]) -> str:
    words = instruction.text.split()
    flags = [word for word in words if word.startswith("--")]
    *sources, target = words[len(flags) :]
    if flags:
        stage = flags[0].removeprefix("--from=")
        if len(flags) > 1 or stage == flags[0]:
            raise _unknown(instruction)
        return _call("copy_from", stage, target, *sources)
    for source in sources:
        if source.split("/")[0] not in allowed:
            raise UnknownStep(f"line {instruction.line}: .containerignore leaves out {source}")
    return _call("copy", target, *sources)


def _read_exec(instruction: Instruction, text: str) -> Sequence[str]:
    try:
        words = json.loads(text)
    except ValueError:
        raise _unknown(instruction) from None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise _unknown(instruction)
    return words


def _fill(text: str, arguments: dict[str, str]) -> str:
    return _VARIABLE.sub(lambda found: arguments.get(found[1] or found[2], ""), text)


def _call(name: str, *words: str) -> str:
    return shlex.join([name, *words])


def _unknown(instruction: Instruction) -> UnknownStep:
    return UnknownStep(f"line {instruction.line}: {instruction.keyword} {instruction.text!r} is not understood")


def main() -> int:
    """Print the steps of the Containerfile in a folder."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path()
    try:
        for step in write_steps((folder / "Containerfile").read_text(), (folder / ".containerignore").read_text()):
            print(step)
    except UnknownStep as error:
        print(f"containerfile: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
