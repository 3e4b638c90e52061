"""A new version on a single host: the command waits for the host itself, which takes it or goes on as before."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pulumi.automation.events import EngineEvent

from infra.deployment.engine import DeployedStack
from infra.deployment.errors import DeploymentError, EngineFailed, NotHealthy, RolledBack
from infra.deployment.host_changes import HostChange
from infra.deployment.plans import read_stack_settings
from infra.deployment.progress import Progress
from infra.deployment.projects import StackFile
from infra.deployment.promotion import Promotion
from infra.deployment.rollout import RolloutPolicy
from infra.deployment.weights import GREEN_VERSION, HOST_RUN, NODES_RUN, VERSION
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


class PaperStack(DeployedStack):
    """A stack on Alibaba Cloud: its update waits for the run that brings a version, which refuses what says "bad"."""

    def __init__(self, *failed: str) -> None:
        self.name, self.failed = "alicloud-dev", failed or (HOST_RUN,)
        self.version, self.green, self.tried = "0.1.0", "", list[str]()

    def configure(self, key: str, value: str) -> None:
        if key == GREEN_VERSION:
            self.green = value
        elif key == VERSION:
            self.version = value

    def up(self, **_: Any) -> Mapping[str, int]:
        self.tried.append(self.green or self.version)
        if "bad" in self.tried[-1]:
            raise EngineFailed(self.name, "update", "the run ended with Failed", self.failed)
        return {}

    def outputs(self) -> Mapping[str, Any]:
        return {
            "health_url": "http://127.0.0.1:8002/health",
            "host_changes": "t-sg123",
            "target_groups": ["sgp-blue", "sgp-green"],
        }


class TestOnAlibabaCloud:
    """The update itself waits for the host, so nothing has to be followed."""

    def promote(self, stack: PaperStack, version: str, *, strategy: str = "rolling") -> None:
        service = json.dumps({"strategy": strategy})
        keys = {"cloud": "alicloud", "environment": "dev", "workload": '{"users": 5}', "service": service}
        config = {"alicloud:region": "cn-beijing"} | {f"reme-cloud:{key}": value for key, value in keys.items()}
        settings = read_stack_settings(StackFile(name=stack.name, environment="dev", config=config))
        promotion = Promotion(stack=stack, settings=settings, say=lambda _: None, clock=SteppedClock())
        promotion.check(version, watched=True)
        promotion.bring_in(version, RolloutPolicy(steps=(100,), check_s=0), watched=True)

    def test_a_version_that_the_host_takes_is_in_service_when_the_update_ends(self) -> None:
        stack = PaperStack()
        self.promote(stack, "0.2.0")
        assert stack.tried == ["0.2.0"]

    def test_what_the_host_gives_up_is_rolled_back(self) -> None:
        stack = PaperStack()
        with pytest.raises(RolledBack, match=r"the host gave version 0\.3\.0-bad up") as ended:
            self.promote(stack, "0.3.0-bad")
        assert (stack.tried, stack.version, ended.value.exit_code) == (["0.3.0-bad", "0.1.0"], "0.1.0", 3)

    def test_nodes_that_never_serve_are_rolled_back(self) -> None:
        stack = PaperStack(NODES_RUN)
        with pytest.raises(RolledBack, match=r"the group of machines gave version 0\.3\.0-bad up"):
            self.promote(stack, "0.3.0-bad")
        assert stack.version == "0.1.0"

    def test_a_candidate_whose_nodes_never_serve_is_taken_out_before_it_gets_traffic(self) -> None:
        stack = PaperStack(NODES_RUN)
        with pytest.raises(RolledBack, match=r"rolled back at 0 % of the traffic: the group of machines gave"):
            self.promote(stack, "0.3.0-bad", strategy="canary")
        assert (stack.tried, stack.version, stack.green) == (["0.3.0-bad", "0.1.0"], "0.1.0", "")

    def test_an_update_that_fails_elsewhere_is_a_failure_and_goes_back_as_well(self) -> None:
        stack = PaperStack(HOST_RUN, "alicloud:vpc/network:Network")
        with pytest.raises(EngineFailed, match="the run ended with Failed"):
            self.promote(stack, "0.3.0-bad")
        assert stack.version == "0.1.0"

    def test_the_engine_says_at_what_it_failed(self) -> None:
        step = {"op": "create", "urn": f"urn:pulumi:s::p::{HOST_RUN}::changes-run", "type": HOST_RUN, "provider": ""}
        progress = Progress("alicloud-dev", lambda _: None)
        progress(EngineEvent.from_json({"resOpFailedEvent": {"metadata": step}}))
        assert progress.failed == [HOST_RUN]
