"""`reme add` and `reme search`."""

import json
from pathlib import Path

import pytest

from tests.app.commands.conftest import Runner


def test_what_is_added_is_found(reme: Runner) -> None:
    added = reme("add", "Ada prefers coffee without sugar", "--user", "ada", "--tag", "drinks")
    assert added.code == 0
    state, memory_id = added.out.split()
    assert state == "created"
    found = reme("search", "coffee")
    assert found.code == 0
    assert "Ada prefers coffee without sugar" in found.out
    assert memory_id in found.out


def test_the_same_text_is_not_stored_twice(reme: Runner) -> None:
    first = reme("add", "The office closes at six")
    again = reme("add", "The office closes at six")
    assert again.out == first.out.replace("created", "duplicate")


def test_json_of_add_and_search_is_that_of_the_api(reme: Runner) -> None:
    added = json.loads(reme("add", "Lisbon is home", "--json").out)
    assert added["states"] == {"created": 1}
    found = json.loads(reme("search", "Lisbon", "--json", "--explain").out)
    hit = found["hits"][0]
    assert hit["memory"]["id"] == added["outcomes"][0]["id"]
    assert hit["explanation"]["keyword_rank"] == 1
    assert found["mode"] == "hybrid"


def test_every_field_can_be_given(reme: Runner) -> None:
    reme(
        *("add", "Lower the number of workers", "--kind", "task", "--when-to-use", "the build runs out of memory"),
        *("--author", "ci", "--user", "ada", "--tag", "a", "--tag", "b", "--workspace", "team"),
        *("--metadata", "priority=2", "--metadata", "done=true", "--metadata", "who=Ada=x", "--metadata", "list=[1]"),
    )
    memory = json.loads(reme("search", "build memory", "--workspace", "team", "--json").out)["hits"][0]["memory"]
    assert memory["type"] == "task"
    assert memory["when_to_use"] == "the build runs out of memory"
    assert (memory["author"], memory["user_id"], sorted(memory["tags"])) == ("ci", "ada", ["a", "b"])
    assert memory["metadata"] == {"priority": 2, "done": True, "who": "Ada=x", "list": "[1]"}
    assert memory["workspace_id"] == "team"


def test_a_text_comes_from_a_file_or_from_standard_input(reme: Runner, place: Path) -> None:
    (place / "note.txt").write_text("Meet at the old harbour", encoding="utf-8")
    assert reme("add", "--file", "note.txt").code == 0
    assert reme("add", stdin="小林不喝咖啡".encode()).code == 0
    assert reme("add", "-", stdin=b"From a pipe").code == 0
    for words in ("harbour", "小林", "pipe"):
        assert words in reme("search", words).out


@pytest.mark.parametrize(
    ("arguments", "stdin", "words"),
    [
        (["text", "--file", "note.txt"], None, "not both"),
        (["--file", "missing.txt"], None, "missing.txt cannot be read: No such file"),
        (["--file", "."], None, "cannot be read"),
        ([], b"\xff\xfe", "no UTF-8 text"),
        ([], b"", "content"),
        ([], b"x" * 1_000_001, "over 1,000,000 bytes"),
        (["x" * 40_000], None, "32,768"),
    ],
)
def test_a_text_that_cannot_be_kept_is_refused(
    reme: Runner, arguments: list[str], stdin: bytes | None, words: str
) -> None:
    done = reme("add", *arguments, stdin=stdin)
    assert (done.code, done.out) == (2, "")
    assert words in done.err


def test_a_terminal_is_not_waited_for(reme: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    assert "Give a text" in reme("add").err
    assert "Give a file" in reme("import").err


def test_searches_can_be_narrowed(reme: Runner) -> None:
    reme("add", "coffee for Ada", "--user", "ada", "--tag", "drinks")
    reme("add", "coffee for Bob", "--user", "bob", "--kind", "task")
    assert "Bob" not in reme("search", "coffee", "--user", "ada").out
    assert "Ada" not in reme("search", "coffee", "--kind", "task").out
    assert "Bob" not in reme("search", "coffee", "--tag", "drinks").out
    assert len(json.loads(reme("search", "coffee", "--top-k", 1, "--json").out)["hits"]) == 1
    explained = reme("search", "coffee", "--explain", "--mode", "keyword")
    assert "#1" in explained.out
    assert explained.err.startswith("keyword: ")


def test_nothing_found_is_said_and_no_failure(reme: Runner) -> None:
    reme("add", "coffee")
    done = reme("search", "coffee", "--workspace", "other")
    assert (done.code, done.out) == (0, "")
    assert "nothing found in workspace other" in done.err


def test_tenants_are_kept_apart(reme: Runner) -> None:
    reme("add", "a secret recipe", "--tenant", "one")
    assert "recipe" in reme("search", "recipe", "--tenant", "one").out
    assert "recipe" not in reme("search", "recipe", "--tenant", "two").out
    assert reme("search", "recipe", "--tenant", "no tenant").code == 2


def test_a_stored_text_does_not_steer_the_terminal(reme: Runner) -> None:
    reme("add", "red \x1b[31malarm [bold]x[/bold] \u202edrowssap")
    shown = reme("search", "alarm").out
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "[bold]x[/bold]" in shown


def test_the_store_is_where_it_is_told(reme: Runner, place: Path) -> None:
    reme("add", "elsewhere", "--working-dir", place / "deep" / "down")
    assert (place / "deep" / "down" / ".reme" / "memory.db").is_file()
    (place / "reme.toml").write_text(f'working_dir = "{place / "deep" / "down"}"\n')
    assert "elsewhere" in reme("search", "elsewhere", "--config", "reme.toml").out
