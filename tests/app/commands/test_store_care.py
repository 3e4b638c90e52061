"""`reme doctor` and `reme reembed`."""

import json
import re
from pathlib import Path
from typing import get_args

import apsw
import pytest

from app.backends.sqlite.schema import list_migrations
from app.commands import progress, reembed
from app.settings import EmbeddingSettings
from tests.app.commands.conftest import Runner

STORE = Path(".reme/memory.db")


def spoil_counts() -> None:
    connection = apsw.Connection(str(STORE))
    connection.execute("UPDATE tallies SET memories = memories + 7")
    connection.close()


def test_a_sound_store_is_called_sound(reme: Runner) -> None:
    reme("add", "one")
    done = reme("doctor")
    assert (done.code, done.err) == (0, "")
    assert done.out.rstrip().endswith(": sound")
    assert reme("doctor", "--repair").out.startswith("nothing to repair\n")


def test_a_finding_exits_with_3_and_is_repaired(reme: Runner, place: Path) -> None:
    reme("add", "one")
    spoil_counts()
    done = reme("doctor")
    assert done.code == 3
    assert "tallies" in done.out
    assert "reme doctor --repair" in done.err
    assert json.loads(reme("doctor", "--json").out)["findings"][0]["repairable"] is True
    mended = reme("doctor", "--repair", "--json")
    assert mended.code == 0
    assert json.loads(mended.out)["sound"] is True
    assert json.loads(mended.out)["repaired"][0]["check"] == "tallies"
    assert list((place / ".reme").glob("memory.db.*.bak"))
    assert "one" in reme("search", "one").out


def test_a_store_is_compacted(reme: Runner) -> None:
    reme("add", "one")
    done = reme("doctor", "--compact")
    assert done.code == 0
    assert re.search(r"compacted from [0-9.]+ to [0-9.]+ MiB", done.err)
    assert "one" in reme("search", "one").out


@pytest.mark.parametrize("options", [(), ("--json",), ("--repair",), ("--compact",)])
def test_a_store_of_a_newer_release_is_not_called_sound(reme: Runner, place: Path, options: tuple[str, ...]) -> None:
    reme("add", "one")
    known = list_migrations()[-1][0]
    connection = apsw.Connection(str(STORE))
    connection.execute("INSERT INTO migrations VALUES (9999, '9999_later.sql', 'x', 1)")
    connection.close()
    spoil_counts()
    before = STORE.read_bytes()
    done = reme("doctor", *options)
    assert (done.code, done.out) == (1, "")
    assert f"the store has schema version 9999, this release knows {known}: upgrade reme-cloud" in done.err
    assert STORE.read_bytes() == before
    assert not list((place / ".reme").glob("memory.db.*.bak"))


def test_a_file_that_is_no_store_is_a_failure(reme: Runner) -> None:
    STORE.parent.mkdir()
    STORE.write_bytes(b"this is no database at all" * 100)
    done = reme("doctor")
    assert done.code == 1
    assert "reme: error: " in done.err


def test_a_store_is_moved_to_another_embedding(reme: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        reme("add", f"memory {number}")
    monkeypatch.setattr("app.backends.embedders.hashing.HashingEmbedder.__init__.__kwdefaults__", {"dimensions": 128})
    refused = reme("add", "with the other embedding")
    assert refused.code == 1
    assert "64 dimensions" in refused.err
    moved = reme("reembed", "--batch", 2)
    assert (moved.code, moved.err) == (0, "")
    assert moved.out.startswith("5 memories embedded; the store now has hashed-words-and-trigrams-1 (128 dimensions")
    assert reme("add", "with the other embedding").code == 0
    assert "memory 3" in reme("search", "memory 3").out
    again = reme("reembed")
    assert again.code == 0


def test_a_move_that_was_interrupted_goes_on_or_is_given_up(reme: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        reme("add", f"memory {number}")
    monkeypatch.setattr("app.backends.embedders.hashing.HashingEmbedder.__init__.__kwdefaults__", {"dimensions": 128})
    with monkeypatch.context() as patched:

        def interrupt(done: int, total: int) -> None:
            if done == 2:
                raise KeyboardInterrupt

        class Interrupting:
            def __enter__(self) -> object:
                return interrupt

            def __exit__(self, *raised: object) -> None:
                pass

        patched.setattr(reembed, "track", lambda *titles: Interrupting())
        stopped = reme("reembed", "--batch", 2)
    assert stopped.code == 1
    assert "interrupted" in stopped.err
    assert reme("reembed", "--batch", 2).out.startswith("2 memories embedded")
    given_up = reme("reembed", "--abandon")
    assert given_up.code == 0
    assert given_up.out.startswith("the store stays with hashed-words-and-trigrams-1 (128 dimensions")


def test_the_setting_that_must_follow_a_move_is_named(reme: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    reme("add", "one")
    monkeypatch.setenv("REME_EMBEDDING__BACKEND", "local")
    done = reme("reembed", "--to", "hashing")
    assert done.code == 0
    assert "embedding.backend is still local: set it to hashing" in done.err


def test_every_embedding_of_the_settings_can_be_moved_to() -> None:
    assert get_args(EmbeddingSettings.model_fields["backend"].annotation) == reembed.BACKENDS


def test_progress_without_a_terminal_is_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.track("embedding", "memories", every_s=0.0) as show:
        show(1000, 2000)
        show(2500, 2000)
        show(5, 0)
    assert capsys.readouterr().err.splitlines() == [
        "reme: embedding: 1,000 of 2,000 memories",
        "reme: embedding: 2,500 of 2,500 memories",
        "reme: embedding: 5 memories",
    ]
    with progress.track("embedding", "memories") as show:
        show(1, 2)
    assert capsys.readouterr().err == ""


def test_progress_on_a_terminal_is_a_bar(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with progress.track("embedding", "memories") as show:
        show(1, 2)
        show(3, 2)
    assert "embedding" in capsys.readouterr().err
