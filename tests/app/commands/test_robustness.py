"""Thousands of random command lines and files: never a traceback, always a fitting exit code."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from app.commands.main import SUBCOMMANDS
from tests.app.commands.conftest import Runner

WORDS = (
    *SUBCOMMANDS,
    *("issue", "list", "rotate", "revoke", "schema", "bash"),
    *("--json", "--workspace", "-w", "--tenant", "--kind", "--top-k", "--mode", "--explain", "--format", "--from"),
    *("--file", "--tag", "--user", "--metadata", "--when-to-use", "--role", "--days", "--batch", "--abandon", "--to"),
    *("--repair", "--min-score", "--working-dir", "--config", "--port", "--host", "--help", "--no-such", "-", "--"),
    *("coffee", "小林", "default", "team", "*", "a b", "../..", "", " ", "rk_" + "0" * 32, "0" * 32),
    *(
        "personal",
        "task",
        "keyword",
        "exact",
        "workload",
        "json",
        "admin",
        "reader",
        "hashing",
        "2026-11-22",
        "2026-13-45",
    ),
    *("1", "0", "-1", "1e400", "nan", "9" * 400, "k=v", "k=" + "[" * 2000, "=", "http.port=0", "http.port=x", "a=b"),
    *("lines.jsonl", "missing", ".", "x" * 5000),
)


@pytest.mark.parametrize("seed", range(4))
def test_random_command_lines(reme: Runner, place: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    monkeypatch.setattr("app.commands.serve.run_service", lambda settings: None)
    reme("add", "coffee")
    chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
    (place / "lines.jsonl").write_bytes(b'{"memory_type": "task", "content": "x"}\n' + chance.randbytes(200))
    codes = set()
    for _ in range(120):
        words = [chance.choice(tuple(SUBCOMMANDS)), *chance.choices(WORDS, k=chance.randrange(6))]
        done = reme(*words, stdin=chance.randbytes(chance.randrange(60)))
        assert done.code in (0, 1, 2, 3), words
        assert done.err or done.code == 0 or done.out, words
        codes.add(done.code)
    assert {0, 2} <= codes


@pytest.mark.parametrize("seed", range(3))
def test_random_lines_are_rejected_one_by_one(reme: Runner, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
    good = b'{"memory_type": "personal", "content": "kept %d"}'
    lines = [good % number for number in range(20)]
    for _ in range(60):
        line = bytearray(chance.choice(lines[:20]))
        line[chance.randrange(len(line))] = chance.choice(b'\x00\x0a\xff"{}[]9')
        lines.insert(chance.randrange(len(lines)), bytes(line))
    done = reme("import", stdin=b"\n".join(lines))
    assert done.code == 3
    assert " rejected" in done.out
    assert "kept 7" in reme("search", "kept 7", "--top-k", 200, "--mode", "keyword").out


@pytest.mark.slow
def test_bytes_that_are_no_text_are_refused(place: Path) -> None:
    reme = [sys.executable, "-m", "app"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    for arguments in (["add", b"caf\xe9"], ["add", "x", "--user", b"\xff"], [b"\xff"]):
        done = subprocess.run([*reme, *arguments], cwd=place, env=environment, capture_output=True, check=False)
        assert done.returncode == 2, done.stderr
        assert b"Traceback" not in done.stderr
