"""`reme-deploy` as a process, and a small project whose two regions are up in seconds on the emulated AWS."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.emulated_aws.stage import ROOT, Stage
from tests.servers.installation import ServerMissing

NETWORK = """
from pathlib import Path

import pulumi
import pulumi_aws as aws

config = pulumi.Config("reme-cloud")
size = (config.get_object("tags") or {}).get("size", "one")
protect = config.get_bool("protect")
options = pulumi.ResourceOptions(protect=config.require("environment") == "global" if protect is None else protect)
vpc = aws.ec2.Vpc("main", cidr_block="10.0.0.0/16", tags={"size": size}, opts=options)
if size != "no secret":
    # its name stays taken when it is deleted
    aws.secretsmanager.Secret("secret", name=f"{pulumi.get_stack()}-{Path.cwd().name}", recovery_window_in_days=7)
if size == "too large" and not pulumi.runtime.is_dry_run():
    raise pulumi.RunError("the account's quota is reached")
pulumi.export("password", pulumi.Output.secret("not to be shown"))
"""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


class Deployer:
    """Runs `reme-deploy` in a project as a user does, on a stage."""

    def __init__(self, stage: Stage, project: Path) -> None:
        self.stage, self.project = stage, project
        self.variables: dict[str, str] = {}

    def __call__(self, *arguments: str, stdin: str = "") -> Ended:
        done = subprocess.run(
            [sys.executable, "-m", "infra.deployment", *arguments],
            cwd=self.project,
            env=self.stage.environment() | {"PYTHONPATH": str(ROOT)} | self.variables,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert "defect of reme-deploy" not in done.stderr, done.stderr
        return Ended(done.returncode, done.stdout, done.stderr)

    def write_stack(self, name: str, **more: object) -> None:
        """Write a stack's file: an environment `global` of two regions, with other keys over it."""
        region = name.partition("-")[2]
        regions = [{"cloud": "aws", "region": each} for each in ("us-east-1", "eu-west-1")]
        workload = {"users": 50, "clouds": ["aws"], "regions": regions}
        config = {"environment": "global", "workload": workload} | more
        document = {f"{config.get('cloud', 'aws')}:region": region} | {
            f"reme-cloud:{key}": value for key, value in config.items()
        }
        text = yaml.safe_dump({"config": document}, sort_keys=False)
        (self.project / f"Pulumi.{name}.yaml").write_text(text, encoding="utf-8")


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    """The emulated AWS."""
    try:
        made = Stage()
    except ServerMissing as missing:
        pytest.skip(str(missing))
    with made:
        yield made


def write_project(stage: Stage, folder: Path, *, name: str, program: str) -> Deployer:
    """A project in a folder, without stacks."""
    project = f"name: {name}\nruntime: {{name: python, options: {{virtualenv: {ROOT / '.venv'}}}}}\n"
    (folder / "Pulumi.yaml").write_text(project, encoding="utf-8")
    (folder / "__main__.py").write_text(program, encoding="utf-8")
    return Deployer(stage, folder)


@pytest.fixture
def small(stage: Stage, tmp_path: Path) -> Deployer:
    """A project of a network and a secret in two regions."""
    deployer = write_project(stage, tmp_path, name="reme-cloud", program=NETWORK)
    for region in ("eu-west-1", "us-east-1"):
        deployer.write_stack(f"global-{region}")
    return deployer
