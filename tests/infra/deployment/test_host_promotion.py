"""A new version on a single host: the command waits for the host itself, which takes it or goes on as before."""

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from infra.deployment.errors import DeploymentError, NotHealthy
from infra.deployment.host_changes import HostChange
from tests.emulated_aws.stage import Stage
from tests.infra.deployment.clocks import SteppedClock
from tests.infra.deployment.conftest import Deployer, write_project
from tests.infra.deployment.systems_manager import ASSOCIATION, AssociatedHost, serving

REGION = "us-east-1"
STACK = f"global-{REGION}"
HOST = f"""
import json
from pathlib import Path

import pulumi

version = (pulumi.Config("reme-cloud").get_object("service") or {{}}).get("version", "0.1.0")
if not pulumi.runtime.is_dry_run():
    with Path("deployed").open("a") as file:
        file.write(json.dumps(version) + "\\n")
pulumi.export("target_groups", [])
pulumi.export("health_url", "http://127.0.0.1:8002/health")
pulumi.export("host_changes", "{ASSOCIATION}")
"""
QUICK = ("--yes", "--check-minutes", "0", "--watch-minutes", "5", "--start-minutes", "2")


def read_deployed(folder: Path) -> list[str]:
    """The version that each update brought."""
    return [json.loads(line) for line in (folder / "deployed").read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def hosted(stage: Stage, tmp_path: Path) -> Iterator[tuple[Deployer, AssociatedHost]]:
    """A stack of one host that answers on its own machine only, and the host."""
    deployer = write_project(stage, tmp_path, name="reme-cloud", program=HOST)
    deployer.write_stack(STACK, environment="dev", workload={"users": 1, "clouds": ["aws"]})
    state = tmp_path / f"state-{uuid4().hex}"
    state.mkdir()
    host = AssociatedHost(lambda: read_deployed(tmp_path))
    with serving(host) as address:
        deployer.variables = {"AWS_ENDPOINT_URL_SSM": address, "PULUMI_BACKEND_URL": f"file://{state}"}
        yield deployer, host


@pytest.mark.slow
@pytest.mark.xdist_group("emulated-aws")
def test_the_command_ends_when_the_host_serves_the_version_and_takes_back_what_it_refuses(
    hosted: tuple[Deployer, AssociatedHost],
) -> None:
    deployer, host = hosted
    assert deployer("up", STACK, "--yes").code == 0
    taken = deployer("promote", STACK, "--version", "0.2.0", *QUICK)
    assert taken.code == 0, taken.err
    assert host.serving == "0.2.0"
    assert "its host tells whether it takes the version, and no watch follows" in taken.err + taken.out
    refused = deployer("promote", STACK, "--version", "0.3.0-bad", *QUICK)
    assert refused.code == 3, refused.err
    assert (
        "version 0.3.0-bad was rolled back at 100 % of the traffic: the host gave version 0.3.0-bad up" in refused.err
    )
    assert host.serving == "0.2.0"
    assert read_deployed(deployer.project) == ["0.1.0", "0.2.0", "0.3.0-bad", "0.2.0"]


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")


@pytest.mark.usefixtures("credentials")
def test_a_host_that_says_nothing_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SteppedClock()
    host = AssociatedHost(lambda: ["0.1.0", "0.2.0"])
    host.describe_association_executions = lambda: {"AssociationExecutions": []}  # type: ignore[method-assign]
    with serving(host) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", address)
        with pytest.raises(NotHealthy, match="its host still tries, is not healthy after 60 s"):
            HostChange(ASSOCIATION, REGION).await_takeover("0.2.0", clock, limit_s=60, poll_s=10)
    assert clock.now_s() == 60


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize(
    ("association", "version", "words"),
    [
        (ASSOCIATION, "0.3.0", r"brings version '0\.2\.0', not '0\.3\.0'"),
        (ASSOCIATION.replace("8", "9"), "0.2.0", "cannot be read: .*no such association"),
    ],
)
def test_what_systems_manager_does_not_know_is_no_takeover(
    monkeypatch: pytest.MonkeyPatch, association: str, version: str, words: str
) -> None:
    with serving(AssociatedHost(lambda: ["0.1.0", "0.2.0"])) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", address)
        with pytest.raises(DeploymentError, match=words):
            HostChange(association, REGION).await_takeover(version, SteppedClock(), limit_s=60, poll_s=10)
