"""The stage itself: a small program is refused, created, found unchanged, changed, refreshed and destroyed."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulated_aws.stage import ROOT, Stage
from tests.servers.installation import ServerMissing

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("emulated-aws")]

_PROJECT = """
name: small
runtime: {{name: python, options: {{virtualenv: {venv}}}}}
"""
_PROGRAM = """
import pulumi
import pulumi_aws as aws
import pulumi_random as random

config = pulumi.Config()
password = random.RandomPassword("password", length=24, special=False)
secret = aws.secretsmanager.Secret("secret", name="small", recovery_window_in_days=0)
aws.secretsmanager.SecretVersion("version", secret_id=secret.id, secret_string=password.result)
vpc = aws.ec2.Vpc("main", cidr_block="10.0.0.0/16", tags={"size": config.get("size") or "one"})
group = aws.ec2.SecurityGroup("group", name=config.get("group") or "small", vpc_id=vpc.id)
zones = aws.get_availability_zones(state="available")
pulumi.export("zone", zones.names[0])
"""


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    try:
        made = Stage()
    except ServerMissing as missing:
        pytest.skip(str(missing))
    with made:
        yield made


@pytest.fixture(scope="module")
def project(stage: Stage) -> Path:
    folder = stage.folder / "small"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text(_PROJECT.format(venv=ROOT / ".venv"), encoding="utf-8")
    (folder / "__main__.py").write_text(_PROGRAM, encoding="utf-8")
    stage.run("stack", "init", "small", project=folder)
    stage.run("config", "set", "aws:region", "eu-west-1", project=folder)
    return folder


def test_a_stack_lives_its_whole_life(stage: Stage, project: Path) -> None:
    stage.run("config", "set", "group", "sg-wrong", project=project)
    assert "cannot begin with sg-" in stage.run("preview", project=project, fails=True)
    stage.run("config", "rm", "group", project=project)
    stage.run("up", "--yes", "--skip-preview", project=project)
    assert stage.run("stack", "output", "zone", project=project).strip() == "eu-west-1a"
    stage.run("preview", "--expect-no-changes", project=project)
    state = stage.export("small", project=project)
    kept = {each["type"]: each for each in state["deployment"]["resources"]}
    assert set(kept["random:index/randomPassword:RandomPassword"]["outputs"]["result"]) >= {"ciphertext"}
    assert "ciphertext" in kept["aws:secretsmanager/secretVersion:SecretVersion"]["outputs"]["secretString"]
    stage.run("config", "set", "size", "two", project=project)
    preview = json.loads(stage.run("preview", "--json", project=project))
    assert [step["op"] for step in preview["steps"] if step["op"] != "same"] == ["update"]
    stage.run("up", "--yes", "--skip-preview", project=project)
    stage.run("refresh", "--yes", "--expect-no-changes", project=project)
    stage.run("destroy", "--yes", project=project)
    assert len([line for line in stage.log() if line.startswith("DELETED")]) == 4
