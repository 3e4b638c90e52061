"""Every command that a page shows works, in the order of the page."""

from pathlib import Path

import pytest

from tests.docs.pages import RUNNABLE, read
from tools.page_commands import Command, page_steps, run_command, shorten

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
```

```text
reme-size is not a command here
```
"""


def slow(name: str) -> object:
    """Mark the pages that write HTML: each takes a simulation and charts."""
    return pytest.param(name, marks=[pytest.mark.slow] if "--format html" in read(name) else [])


@pytest.mark.parametrize("name", [slow(name) for name in RUNNABLE])
def test_the_commands_of_a_page_end_as_it_says(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for step in page_steps(read(name)):
        if isinstance(step, Command):
            status, printed = run_command(step)
            assert status == step.exit_code, f"{name}: {step.line}\n{printed[-2000:]}"
        else:
            Path(step[0]).write_text(step[1], encoding="utf-8")


def test_a_page_is_read_as_files_and_commands() -> None:
    steps = list(page_steps(SAMPLE))
    assert steps[0] == ("teams.csv", "name,users\nsmall,50\n")
    commands = [step for step in steps if isinstance(step, Command)]
    assert [command.line.split()[1] for command in commands] == ["batch", "--users"]
    assert [command.exit_code for command in commands] == [0, 3]
    assert "out.csv" in commands[0].line


def test_output_can_be_shortened_to_sections_or_lines() -> None:
    text = "head\n\nWhy\n• one\n\nCost\n1\n\nTotal 1\nNext\n"
    assert shorten(text, "head, Cost, Total") == "head\n\n…\n\nCost\n1\n\nTotal 1\nNext\n"
    assert shorten(text, "lines •") == "• one\n"
    assert shorten(text, "") == text


def test_output_can_go_to_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command(Command("reme-size schema plan > plan.json", 0, 0)) == (0, "\n")
    assert Path("plan.json").read_text().startswith("{")
