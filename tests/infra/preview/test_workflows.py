"""The workflows: pinned, with the least rights, and nothing of a stranger's in a script."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
WORKFLOWS = {path.name: path for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))}
PINNED = re.compile(r"^[\w.-]+/[\w./-]+@[0-9a-f]{40}$")


def load(name: str) -> dict[str, Any]:
    """A workflow; YAML reads its key `on` as true."""
    document = yaml.safe_load(WORKFLOWS[name].read_text(encoding="utf-8"))
    assert isinstance(document, dict)
    return {str(key): value for key, value in document.items()}


def steps(name: str) -> list[dict[str, Any]]:
    return [step for job in load(name)["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_actions_are_pinned_by_their_commit(name: str) -> None:
    used = [step["uses"] for step in steps(name) if "uses" in step]
    assert used
    assert all(PINNED.match(each) for each in used)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_rights_are_given_by_the_job_alone(name: str) -> None:
    assert load(name)["permissions"] == {}
    assert all(job["permissions"] for job in load(name)["jobs"].values())


@pytest.mark.parametrize("name", WORKFLOWS)
def test_the_token_stays_out_of_the_checkout(name: str) -> None:
    checkouts = [step for step in steps(name) if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_no_script_has_an_expression_in_it(name: str) -> None:
    assert not [step["run"] for step in steps(name) if "${{" in step.get("run", "")]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_each_job_ends(name: str) -> None:
    assert all(job["timeout-minutes"] <= 60 for job in load(name)["jobs"].values())


def test_a_pull_request_gets_no_secret_and_writes_nothing() -> None:
    text = WORKFLOWS["preview.yml"].read_text(encoding="utf-8")
    assert "secrets." not in text
    assert load("preview.yml")["True"] == {"pull_request": None}
    assert all(job["permissions"] == {"contents": "read"} for job in load("preview.yml")["jobs"].values())


def test_the_comment_is_posted_by_the_code_of_the_default_branch() -> None:
    workflow = load("preview-comment.yml")
    assert workflow["True"]["workflow_run"]["workflows"] == [load("preview.yml")["name"]]
    (checkout,) = [
        step for step in steps("preview-comment.yml") if step.get("uses", "").startswith("actions/checkout@")
    ]
    assert "ref" not in checkout["with"]


def test_credentials_wait_for_an_approval() -> None:
    assert all(job["environment"] == "preview" for job in load("preview-live.yml")["jobs"].values())
    assert "pull_request" not in load("preview-live.yml")["True"]


def test_the_example_for_gitlab_has_a_job_without_a_token() -> None:
    jobs = yaml.safe_load((ROOT / "docs" / "examples" / "gitlab-preview.yml").read_text(encoding="utf-8"))
    assert "TOKEN" not in str(jobs["preview"])
    assert jobs["preview-comment"]["needs"] == [{"job": "preview", "artifacts": True}]
