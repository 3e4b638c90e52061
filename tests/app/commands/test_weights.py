"""`reme weights`."""

import json
from pathlib import Path

import pytest

from tests.app.commands.conftest import Runner

CONTENT = b"0123456789" * 1_000


@pytest.fixture
def model(place: Path) -> Path:
    folder = place / "model"
    (folder / "inner").mkdir(parents=True)
    (folder / "config.json").write_bytes(b"{}")
    (folder / "inner" / "weights.bin").write_bytes(CONTENT)
    return folder


def test_weights_from_beginning_to_end(reme: Runner, model: Path, place: Path) -> None:
    assert "no weights are there yet" in reme("weights", "list").err
    pushed = json.loads(reme("weights", "push", model, "--name", "tiny", "--json").out)
    assert (pushed["files"], pushed["bytes"], pushed["parts_sent"], pushed["parts_there"]) == (2, 10_002, 2, 0)
    assert "0 parts sent, 2 were there" in reme("weights", "push", model, "--name", "tiny").out
    (listed,) = json.loads(reme("weights", "list", "--json").out)["items"]
    assert (listed["name"], listed["is_whole"], listed["digest"]) == ("tiny", True, pushed["digest"])
    assert "tiny" in reme("weights", "list").out
    done = reme("weights", "pull", "tiny", "pulled")
    assert (done.code, done.out) == (0, "tiny: 2 files, 10,002 bytes in pulled\n")
    assert (place / "pulled" / "inner" / "weights.bin").read_bytes() == CONTENT
    assert reme("weights", "delete", "tiny").code == 0
    assert "no weights are there yet" in reme("weights", "list").err


def test_parts_are_as_large_as_files_may_be(
    reme: Runner, model: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REME_STORAGE__MAX_FILE_BYTES", "4096")
    assert "4 parts sent" in reme("weights", "push", model, "--name", "tiny").out
    assert max(file.stat().st_size for file in (place / ".reme" / "storage").rglob("*") if file.is_file()) == 4096
    assert reme("weights", "pull", "tiny", "pulled").code == 0
    assert (place / "pulled" / "inner" / "weights.bin").read_bytes() == CONTENT


def test_what_an_interrupted_push_left_is_shown(reme: Runner, model: Path, place: Path) -> None:
    reme("weights", "push", model, "--name", "tiny")
    (place / ".reme" / "storage" / "weights" / "tiny" / "manifest").unlink()
    assert "not whole" in reme("weights", "list").out
    assert json.loads(reme("weights", "list", "--json").out)["items"][0]["is_whole"] is False
    assert reme("weights", "pull", "tiny", "pulled").code == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["pull", "none", "there"], ["'none'", "reme weights list"]),
        (["delete", "none"], ["'none'", "reme weights list"]),
        (["pull", "tiny", "model"], ["model", "is there already"]),
        (["push", "missing", "--name", "tiny"], ["missing"]),
        (["push", "model", "--name", "Tiny"], ["'Tiny'", "small letter"]),
        (["push", "model"], ["--name"]),
    ],
)
def test_bad_input(reme: Runner, model: Path, arguments: list[str], words: list[str]) -> None:
    reme("weights", "push", model, "--name", "tiny")
    done = reme("weights", *arguments)
    assert (done.code, done.out) == (2, "")
    for word in words:
        assert word in done.err


def test_a_damaged_part_is_a_failure(reme: Runner, model: Path, place: Path) -> None:
    reme("weights", "push", model, "--name", "tiny")
    for file in (place / ".reme" / "storage" / "weights" / "tiny").iterdir():
        if file.name != "manifest":
            file.write_bytes(file.read_bytes()[:-1])
    done = reme("weights", "pull", "tiny", "pulled")
    assert (done.code, done.out) == (1, "")
    assert "is damaged: push them again" in done.err
    assert not (place / "pulled").exists()


def test_a_store_that_forgets_takes_no_weights(reme: Runner, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REME_STORAGE__TYPE", "memory")
    done = reme("weights", "push", model, "--name", "tiny")
    assert (done.code, done.out) == (2, "")
    assert "storage.type=memory" in done.err
