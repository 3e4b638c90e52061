"""Every command that a page shows works, in the order of the page."""

from pathlib import Path

import pytest

from tests.docs.pages import IN_ONE_SHELL, RUNNABLE, read
from tools.page_commands import Command, PageRunner, page_steps, run_command, shorten
from tools.steady_text import ID, steady

SAMPLE = """
```csv file=teams.csv
name,users
small,50
```

```sh
make setup
reme-size batch teams.csv \\
  -o out.csv
reme-size --users 500 --budget 1   # exits 3
KEY=$(reme keys issue laptop --role reader)
curl -sf http://127.0.0.1:8002/health
remember this
```

```text
reme-size is not a command here
```
"""


def slow(name: str) -> object:
    """Mark the pages that write HTML (each takes a simulation and charts) and those that start the service."""
    text = read(name)
    takes_long = "--format html" in text or is_for_service(text)
    return pytest.param(name, marks=[pytest.mark.slow] if takes_long else [])


def is_for_service(text: str) -> bool:
    """Whether a page asks the service, which then has to be started."""
    return any(isinstance(step, Command) and step.is_for_service for step in page_steps(text))


@pytest.mark.parametrize("name", [slow(name) for name in RUNNABLE if name not in IN_ONE_SHELL])
def test_the_commands_of_a_page_end_as_it_says(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with PageRunner() as runner:
        for step in page_steps(read(name)):
            if isinstance(step, Command):
                status, printed = runner.run(step)
                assert status == step.exit_code, f"{name}: {step.line}\n{printed[-2000:]}"
            else:
                Path(step[0]).write_text(step[1], encoding="utf-8")


def test_a_page_is_read_as_files_and_commands() -> None:
    steps = list(page_steps(SAMPLE))
    assert steps[0] == ("teams.csv", "name,users\nsmall,50\n")
    commands = [step for step in steps if isinstance(step, Command)]
    assert [command.line.split()[1] for command in commands] == ["batch", "--users", "keys", "-sf"]
    assert [command.exit_code for command in commands] == [0, 3, 0, 0]
    assert [command.is_for_service for command in commands] == [False, False, True, True]
    assert "out.csv" in commands[0].line


def test_output_can_be_shortened_to_sections_or_lines() -> None:
    text = "head\n\nWhy\n• one\n\nCost\n1\n\nTotal 1\nNext\n"
    assert shorten(text, "head, Cost, Total") == "head\n\n…\n\nCost\n1\n\nTotal 1\nNext\n"
    assert shorten(text, "lines •") == "• one\n"
    assert shorten(text, "") == text


def test_of_json_only_some_fields_can_be_kept() -> None:
    text = '{"hits": [{"score": 0.97654, "memory": {"id": "x", "content": "y"}}], "took_ms": 7.5}'
    assert shorten(text, "json") == (
        '{"hits": [{"score": 0.977, "memory": {"id": "x", "content": "y"}}], "took_ms": 1.2}\n'
    )
    assert shorten(text, "json hits.score, hits.memory.content") == (
        '{"hits": [{"score": 0.977, "memory": {"content": "y"}}]}\n'
    )
    with pytest.raises(KeyError):
        shorten(text, "json hits.missing")


def test_what_differs_from_run_to_run_is_replaced() -> None:
    first = "0123456789abcdef0123456789abcdef at 2026-01-02 03:04:05, /v1/fedcba9876543210fedcba9876543210"
    second = first.replace("0123456789abcdef", "fedcba9876543210").replace("2026-01-02 03:04", "2027-11-12 13:14")
    assert steady(first) == steady(second) == f"{ID} at 2026-11-22 11:52:21, /v1/{ID}"


@pytest.mark.slow
def test_commands_of_the_service_share_a_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with PageRunner() as runner:
        assert runner.run(Command("KEY=$(reme keys issue laptop --role reader)", 0, 0))[0] == 0
        status, printed = runner.run(Command("reme serve embedding.backend=hashing", 0, 0))
        assert (status, "http://127.0.0.1:8002" in printed) == (0, True)
        assert "with an API key" in printed
        listing = "curl -sf http://127.0.0.1:8002/v1/workspaces"
        assert runner.run(Command(listing, 22, 0))[0] == 22
        assert runner.run(Command(f'{listing} -H "X-API-Key: $KEY"', 0, 0)) == (0, '{"items":[],"next_cursor":""}\n')


@pytest.mark.slow
def test_a_service_that_does_not_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with PageRunner() as runner:
        status, printed = runner.run(Command("reme serve no.such=1", 2, 0))
    assert status == 2
    assert "no.such" in printed


def test_output_can_go_to_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command(Command("reme-size schema plan > plan.json", 0, 0)) == (0, "\n")
    assert Path("plan.json").read_text().startswith("{")
