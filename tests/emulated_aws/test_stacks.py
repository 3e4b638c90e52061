"""Stacks of the repository, applied by the real engine under Terraform's real provider: a whole life each.

Created, found unchanged, refreshed, brought to another version, destroyed; nothing is left. What the emulators do otherwise
than AWS is in `differences.csv`, and each row of it must be needed.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulated_aws.stage import Stage
from tests.servers.installation import ServerMissing

pytestmark = [pytest.mark.slow]


@pytest.fixture
def stage() -> Iterator[Stage]:
    """An emulated AWS of the test's own."""
    try:
        made = Stage()
    except ServerMissing as missing:
        pytest.skip(str(missing))
    with made:
        yield made


def known_differences() -> set[str]:
    with (Path(__file__).parent / "differences.csv").open(encoding="utf-8", newline="") as file:
        return {f"{row['type']} {row['attribute']}" for row in csv.DictReader(file)}


@pytest.mark.parametrize("stack", ["aws-staging", "aws-team"])
def test_a_stack_lives_its_whole_life(stage: Stage, stack: str) -> None:
    project = stage.copy_project(stack)
    if stack == "aws-staging":
        stage.prepare_zone(project, stack)

    def run(*arguments: str) -> str:
        return stage.run(*arguments, "--stack", stack, project=project)

    run("up", "--yes", "--skip-preview")
    made = [line for line in stage.log() if line.startswith("CREATED")]
    assert len(made) > 80
    run("preview", "--expect-no-changes")
    run("refresh", "--yes", "--expect-no-changes")
    assert run("stack", "output", "health_url").strip().endswith("/health")
    run("config", "set", "--path", "alerts.emails[0]", "ops@example.com")
    run("up", "--yes", "--skip-preview")
    assert [line for line in stage.log() if line.startswith("CREATED")][len(made) :], "the new reader was not made"
    run("destroy", "--yes")
    assert not stage.export(stack, project)["deployment"].get("resources")
    met = {line.removeprefix("EMULATED ") for line in stage.log() if line.startswith("EMULATED")}
    assert met <= known_differences()
    refused = [line for line in stage.log() if line.startswith("REFUSED")]
    assert not refused
