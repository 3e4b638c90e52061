"""`reme export` and `reme import`."""

import io
import json
from pathlib import Path

import pytest

from app.commands.exporting import export_memories
from app.commands.reading import read_lines
from tests.app.commands.conftest import Runner


def test_an_export_can_be_imported_elsewhere(reme: Runner, place: Path) -> None:
    for text in ("one", "two", "三只猫"):
        reme("add", text, "--workspace", "team")
    done = reme("export", "team.jsonl", "--workspace", "team")
    assert (done.code, done.out) == (0, "")
    assert "exported 3 memories" in done.err
    lines = [json.loads(line) for line in (place / "team.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {line["content"] for line in lines} == {"one", "two", "三只猫"}
    read = reme("import", "team.jsonl", "--workspace", "copy", "--working-dir", "other")
    assert (read.code, read.err) == (0, "")
    assert read.out == "team.jsonl: 3 read, 3 created, 0 there already, 0 rejected\n"
    assert "三只猫" in reme("search", "三只猫", "--workspace", "copy", "--working-dir", "other").out


def test_an_import_can_be_repeated(reme: Runner) -> None:
    reme("add", "one")
    exported = reme("export").out
    assert reme("import", stdin=exported.encode()).out == (
        "standard input: 1 read, 0 created, 1 there already, 0 rejected\n"
    )


def test_lines_that_cannot_be_used_are_a_finding(reme: Runner, place: Path) -> None:
    good = '{"memory_type": "personal", "content": "good"}'
    (place / "mixed.jsonl").write_bytes(
        f"{good}\nno json\n\n".encode() + b'{"memory_type": "personal", "content": "\xff"}\n' + b'{"content": "x"}\n'
    )
    done = reme("import", "mixed.jsonl")
    assert done.code == 3
    assert done.out == "mixed.jsonl: 4 read, 1 created, 0 there already, 3 rejected\n"
    for line in (2, 4, 5):
        assert f"mixed.jsonl, line {line}: " in done.err
    described = json.loads(reme("import", "mixed.jsonl", "--json").out)
    assert described[0]["duplicates"] == 1
    assert [entry["line"] for entry in described[0]["rejected"]] == [2, 4, 5]


def test_many_rejected_lines_are_counted_not_listed(reme: Runner) -> None:
    done = reme("import", stdin=b"nonsense\n" * 30)
    assert done.code == 3
    assert done.err.count("standard input, line ") == 20
    assert "10 more; --json lists all" in done.err


def test_several_files_are_read_in_turn(reme: Runner, place: Path) -> None:
    for name in ("a", "b"):
        (place / f"{name}.jsonl").write_text(
            f'\ufeff{{"memory_type": "task", "content": "{name}"}}\n', encoding="utf-8"
        )
    done = reme("import", "a.jsonl", "b.jsonl")
    assert done.code == 0
    assert done.out.count("1 created") == 2


def test_a_missing_file_or_workspace_is_refused(reme: Runner, place: Path) -> None:
    assert "cannot be read" in reme("import", "missing.jsonl").err
    reme("add", "one")
    done = reme("export", "out.jsonl", "--workspace", "never-made")
    assert done.code == 2
    assert "never-made" in done.err
    assert not (place / "out.jsonl").exists()
    assert "cannot be written" in reme("export", "no/such/folder.jsonl").err


def test_a_failed_export_leaves_the_old_file(reme: Runner, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reme("add", "one")
    (place / "out.jsonl").write_text("old")

    def fail(*arguments: object, **options: object) -> str:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("app.commands.exporting.json.dumps", fail)
        done = reme("export", "out.jsonl")
    assert done.code == 2
    assert "No space left" in done.err
    assert (place / "out.jsonl").read_text() == "old"
    assert [path.name for path in place.iterdir() if path.name != ".reme"] == ["out.jsonl"]
    assert export_memories.name == "export"


def test_a_line_without_end_is_cut() -> None:
    counted: list[int] = []
    content = b"x" * 100 + b"\nshort\n" + b"y" * 30
    lines = list(read_lines(io.BytesIO(content), most=10, advance=counted.append))
    assert lines == ["x" * 11, "short\n", "y" * 11]
    assert sum(counted) == len(content)


def test_files_of_other_software_are_recognised_and_what_is_left_out_is_told(reme: Runner, place: Path) -> None:
    exported = {"results": [{"id": "1", "memory": "Ana likes tea", "user_id": "ana"}, {"id": "2", "memory": ""}]}
    (place / "mem0.json").write_text(json.dumps(exported, indent=2), encoding="utf-8")
    done = reme("import", "mem0.json")
    assert (done.code, done.out) == (0, "mem0.json: 1 read, 1 created, 0 there already, 0 rejected\n")
    assert "left out of mem0: 1 without a text" in done.err
    assert "Ana likes tea" in reme("search", "tea").out
    again = json.loads(reme("import", "mem0.json", "--json").out)
    assert (again[0]["format"], again[0]["duplicates"], again[0]["left_out"]) == ("mem0", 1, {"without a text": 1})


def test_a_dry_run_stores_nothing(reme: Runner, place: Path) -> None:
    (place / "notes.txt").write_text('"green tea"\n"black tea"\n', encoding="utf-8")
    done = reme("import", "notes.txt", "--format", "plain", "--user", "ana", "--dry-run")
    assert (done.code, done.out) == (0, "notes.txt: 2 would be read, 0 rejected\n")
    assert json.loads(reme("import", "notes.txt", "--user", "ana", "--json").out)[0]["created"] == 2


def test_a_file_that_nobody_knows_is_one_line(reme: Runner, place: Path) -> None:
    (place / "odd.json").write_text('{"rows": [1, 2]}', encoding="utf-8")
    done = reme("import", "odd.json")
    assert done.code == 2
    assert "odd.json: the format of the file is not known: say it with --format" in done.err
