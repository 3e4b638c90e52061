"""The pages under test, and how they are read."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]

GUIDES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs" / "howto").glob("*.md"))
RUNNABLE = ("README.md", "README.zh-CN.md", "docs/quickstart.md", *GUIDES)
"""Pages whose commands must work."""
IN_ONE_SHELL = (
    "docs/howto/run-the-service.md",
    "docs/howto/api-keys.md",
    "docs/howto/change-the-embedding.md",
    "docs/howto/keep-model-weights.md",
)
"""Guides that tests/app/commands/test_guides.py follows as one shell script, since their lines depend on each other."""

FENCE = re.compile(r"^```(?P<lang>[\w+-]*)(?P<info>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]\n]*(?:\n[^\]\n]*)?\]\(([^)\s]+)\)")


def read(name: str) -> str:
    """Return a file of the repository."""
    return (ROOT / name).read_text(encoding="utf-8")


def files() -> tuple[str, ...]:
    """Return every file that is tracked or about to be, by path from the root."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return tuple(name for name in done.stdout.splitlines() if (ROOT / name).is_file())


def prose(text: str) -> str:
    """Return a page without its code blocks."""
    return FENCE.sub("", text)


def links(text: str) -> Iterator[str]:
    """Yield the targets of a page's links, those to other hosts left out."""
    for target in _LINK.findall(prose(text)):
        if not re.match(r"[a-z]+:", target):
            yield target


def headings(text: str) -> list[tuple[int, str]]:
    """Return level and text of a page's headings."""
    return [(len(marks), title.strip()) for marks, title in re.findall(r"^(#+) (.+)$", prose(text), re.MULTILINE)]


def anchors(text: str) -> set[str]:
    """Return the anchors that a page's headings get: lower case, hyphens for spaces, no punctuation."""
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for _, title in headings(text)}
