"""The command on the emulated AWS: the real engine, and Terraform's real AWS provider."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.emulated_aws.stage import ROOT
from tests.infra.deployment.conftest import Deployer

on_emulated_aws = [pytest.mark.slow, pytest.mark.xdist_group("emulated-aws")]
STACKS = tuple(sorted(path.name.split(".")[1] for path in (ROOT / "infra" / "stacks").glob("Pulumi.*.yaml")))
US, EU = "global-us-east-1", "global-eu-west-1"


def run(*arguments: str, path: str = "") -> "subprocess.CompletedProcess[str]":
    """The command in the repository, where no engine is needed."""
    return subprocess.run(
        [sys.executable, "-m", "infra.deployment", *arguments],
        cwd=ROOT,
        env={**os.environ, "PATH": path or os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_every_stack_is_planned_without_an_engine() -> None:
    environments = {"aws-dev": "dev", "aws-team": "team", "aws-staging": "staging", "aws-prod": "prod"}
    environments |= {"alicloud-dev": "dev", "alicloud-team": "team", "alicloud-prod": "prod", "alicloud-cn": "prod"}
    for stack in STACKS:
        done = run("plan", stack, "--json")
        assert done.returncode == 0, done.stderr
        document = json.loads(done.stdout)
        (found,) = document["stacks"]
        assert (found["stack"], found["environment"]) == (stack, environments.get(stack, "global"))
        assert float(found["monthly_usd"]["expected"]) > 10
        assert found["reasons"]


def test_an_environment_is_its_stacks_the_primary_region_first() -> None:
    done = run("plan", "global")
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == [
        US,
        EU,
        "global-ap-southeast-1",
        "global:",
    ]
    assert lines[0].endswith("aws:us-east-1): multi-region")
    assert lines[-1].endswith("USD a month in all")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("plan", "aws-pro"), "Did you mean aws-prod?"),
        (("plan", "dev", "--project", "/"), "no Pulumi.yaml"),
        (
            ("plan", "team"),
            "environment team has stacks that are not of one workload: name one of alicloud-team, aws-team",
        ),
        (("stauts", "dev"), "Did you mean: reme-deploy status"),
    ],
)
def test_bad_input_ends_with_2_and_a_remedy(arguments: tuple[str, ...], words: str) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_file_is_named_with_its_stack(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: reme-cloud\nruntime: python\n", encoding="utf-8")
    stack = "config: {'aws:region': us-east-1, 'reme-cloud:environment': dev, 'reme-cloud:workload': {userz: 5}}\n"
    (tmp_path / "Pulumi.one.yaml").write_text(stack, encoding="utf-8")
    done = run("plan", "one", "--project", str(tmp_path))
    assert done.returncode == 2
    assert "stack one: userz = 5 is not usable" in done.stderr
    assert "did you mean users" in done.stderr


def test_a_missing_engine_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: reme-cloud\nruntime: python\n", encoding="utf-8")
    (tmp_path / "Pulumi.one.yaml").write_bytes((ROOT / "infra/stacks/Pulumi.aws-dev.yaml").read_bytes())
    done = run("status", "one", "--project", str(tmp_path), path="/usr/bin")
    assert done.returncode == 1
    assert "neither on PATH nor in" in done.stderr
    assert "tools/install-pulumi.sh" in done.stderr


class TestRegions:
    """An environment of two regions from its first deployment to its end."""

    pytestmark = on_emulated_aws

    def test_one_after_the_other_and_gone_again(self, small: Deployer) -> None:
        before = small.stage.log()
        refused = small("up", "global", "--no-image")
        assert refused.code == 2
        assert "give --yes" in refused.err
        dry = small("up", "global", "--dry-run", "--no-image")
        assert dry.code == 0
        assert f"{US}: create" in dry.out
        assert small("status", "global").code == 3
        assert small.stage.log() == before

        made = small("up", "global", "--yes", "--no-image")
        assert made.code == 0, made.err
        assert made.out.index(f"{US}: deployed") < made.out.index(f"{EU}: deployed")
        assert f"{US}: created aws:ec2/vpc:Vpc main" in made.err
        assert small("up", "global", "--yes", "--no-image").out.count("nothing to change") == 2

        status = json.loads(small("status", "global", "--json").out)
        assert [each["last_update"]["result"] for each in status["stacks"]] == ["succeeded", "succeeded"]
        assert {each["outputs"]["password"] for each in status["stacks"]} == {"[secret]"}

        kept = (small.project / f"Pulumi.{US}.yaml").read_text(encoding="utf-8")
        refused = small("destroy", "global", "--yes", "--unprotect", US)
        assert refused.code == 2
        assert f"protected: {EU}. Add --unprotect {EU} if" in refused.err
        gone = small("destroy", "global", "--yes", "--unprotect", US, "--unprotect", EU)
        assert gone.code == 0, gone.err
        assert gone.out.count("  stays: the secret, for 7 more days") == 2
        assert gone.out.index(f"{EU}: removed") < gone.out.index(f"{US}: removed")
        assert (small.project / f"Pulumi.{US}.yaml").read_text(encoding="utf-8") == kept
        assert small("status", US).code == 3

    def test_a_failure_stops_before_the_next_region(self, small: Deployer) -> None:
        small.write_stack(US, tags={"size": "too large"}, protect=False)
        failed = small("up", "global", "--yes", "--no-image")
        assert failed.code == 1
        assert f"stopped. Done: none; failed: {US}; not touched: {EU}" in failed.err
        assert "the account's quota is reached" in failed.err
        assert json.loads(small("status", EU, "--json").out)["stacks"][0]["deployed"] is False
        small.write_stack(US, protect=False)
        assert small("up", US, "--yes", "--no-image").code == 0
        small.write_stack(US, tags={"size": "no secret"}, protect=False)
        dry = small("up", US, "--dry-run")
        assert "  would delete aws:secretsmanager/secret:Secret secret" in dry.out
        assert f"{US}: update 1, delete 1" in dry.out or f"{US}: delete 1, update 1" in dry.out
        declined = small("destroy", US, stdin="n\n")
        assert (declined.code, "removed," in declined.out) == (0, False)
        gone = small("destroy", US, stdin="y\n")
        assert (gone.code, f"{US}: removed, delete" in gone.out) == (0, True)
