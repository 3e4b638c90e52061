"""A program of its own that looks for a pattern in a text, so that a search that takes too long can be ended.

Run by its path, without this package. Standard input is one line of JSON with `pattern`, `ignore_case`, `limit`,
`characters` and `cpu_s`, then the text in UTF-8. Standard output is one line of JSON: {"matches": [[line number,
beginning of the line], ...]}, or {"error": why the pattern cannot be used}.
"""

import json
import os
import re
import resource
import sys

MEMORY_BYTES = 2 * 2**30
"""A text of 100 MiB takes some 500 MB here."""

NICE = 5
"""Requests that wait for nobody's pattern go first."""


def main() -> None:
    """Search, and write what was found."""
    wanted = json.loads(sys.stdin.buffer.readline())
    for kind, most in ((resource.RLIMIT_CPU, int(wanted["cpu_s"])), (resource.RLIMIT_AS, MEMORY_BYTES)):
        resource.setrlimit(kind, (most, most))
    os.nice(NICE)
    try:
        pattern = re.compile(wanted["pattern"], re.IGNORECASE if wanted["ignore_case"] else 0)
    except (re.error, RecursionError, OverflowError, MemoryError) as error:
        answer: dict[str, object] = {"error": str(error) or type(error).__name__}
    else:
        answer = {"matches": find(pattern, wanted["limit"], wanted["characters"])}
    sys.stdout.write(json.dumps(answer))


def find(pattern: "re.Pattern[str]", limit: int, characters: int) -> list[tuple[int, str]]:
    """Number, from 1, and beginning of the first lines that match."""
    matches = []
    for number, line in enumerate(sys.stdin.buffer, start=1):
        text = line.decode("utf-8", "replace").rstrip("\n")
        if pattern.search(text):
            matches.append((number, text[:characters]))
            if len(matches) == limit:
                break
    return matches


if __name__ == "__main__":
    main()
