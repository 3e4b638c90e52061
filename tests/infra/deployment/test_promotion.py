"""New versions on stacks of the real engine: what a stack's file says at every step, and how it ends."""

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from uuid import uuid4

import pytest

from infra.deployment.engine import start_engine
from infra.deployment.errors import DeploymentError, RolledBack
from infra.deployment.plans import read_stack_settings
from infra.deployment.projects import open_project
from infra.deployment.promotion import Promotion
from infra.deployment.rollout import HealthSample, RolloutPolicy
from tests.emulated_aws.stage import Stage
from tests.infra.deployment.clocks import SteppedClock
from tests.infra.deployment.conftest import Deployer, write_project

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("emulated-aws")]

STACK = "global-us-east-1"
PAPER = """
import json
from pathlib import Path

import pulumi

service = pulumi.Config("reme-cloud").get_object("service") or {}
if not pulumi.runtime.is_dry_run():
    made = [service.get("version", "0.1.0"), service.get("green_version", ""), service.get("canary_percent", 0)]
    with Path("deployed").open("a") as file:
        file.write(json.dumps(made) + "\\n")
pulumi.export("target_groups", ["blue", "green"])
pulumi.export("health_url", "http://memory.example.test/health")
"""
GOOD, SICK = HealthSample(healthy=True), HealthSample(healthy=False)
FAILING = HealthSample(healthy=True, requests=100, errors=5)


@pytest.fixture
def paper(stage: Stage, tmp_path: Path) -> Deployer:
    """A project without resources, which notes what it was told at each update."""
    return write_project(stage, tmp_path, name="reme-cloud", program=PAPER)


@pytest.fixture
def inside(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stage's engine for this process."""
    for name, value in stage.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{_make_folder(stage)}")


def _make_folder(stage: Stage) -> Path:
    folder = stage.folder / f"state-{uuid4().hex}"
    folder.mkdir()
    return folder


def read_deployed(deployer: Deployer) -> list[list[object]]:
    """What each update was told: version, green version, percent of the traffic."""
    return [json.loads(line) for line in (deployer.project / "deployed").read_text(encoding="utf-8").splitlines()]


def promote(deployer: Deployer, version: str, *, green: Sequence[HealthSample], blue: HealthSample = GOOD) -> None:
    """Promote with these samples of green, of which the last stays, and this one of blue."""
    project = open_project(deployer.project)
    (file,) = project.find(STACK)
    looks: dict[str, Callable[[], HealthSample]] = {"green": partial(_take, list(green)), "blue": lambda: blue}

    def connect(arn: str, region: str) -> Callable[[], HealthSample]:
        assert region == "us-east-1"
        return looks[arn]

    promotion = Promotion(
        stack=start_engine(project.folder, print).open(STACK),
        settings=read_stack_settings(file),
        say=print,
        clock=SteppedClock(),
        connect=connect,
    )
    promotion.check(version, watched=True)
    promotion.bring_in(version, RolloutPolicy(steps=(10, 100)), watched=True)


def _take(samples: list[HealthSample]) -> HealthSample:
    return samples.pop(0) if len(samples) > 1 else samples[0]


@pytest.mark.usefixtures("inside")
def test_a_canary_takes_over_and_becomes_the_stack_s_own(paper: Deployer) -> None:
    paper.write_stack(STACK, service={"strategy": "canary"})
    start_engine(paper.project, print).create(STACK).up()
    promote(paper, "0.2.0", green=[SICK, GOOD])
    assert read_deployed(paper) == [
        ["0.1.0", "", 0],
        ["0.1.0", "0.2.0", 0],
        ["0.1.0", "0.2.0", 10],
        ["0.1.0", "0.2.0", 100],
        ["0.2.0", "0.2.0", 100],
        ["0.2.0", "0.2.0", 0],
        ["0.2.0", "", 0],
    ]


@pytest.mark.usefixtures("inside")
def test_a_failing_canary_is_taken_out(paper: Deployer) -> None:
    paper.write_stack(STACK, service={"strategy": "canary"})
    start_engine(paper.project, print).create(STACK).up()
    with pytest.raises(RolledBack, match=r"0\.2\.0 was rolled back at 10 % of the traffic: 5 of 100 requests failed"):
        promote(paper, "0.2.0", green=[*[GOOD] * 31, FAILING])
    assert read_deployed(paper)[2:] == [["0.1.0", "0.2.0", 10], ["0.1.0", "0.2.0", 0], ["0.1.0", "", 0]]


@pytest.mark.usefixtures("inside")
def test_what_was_cut_off_after_the_switch_goes_on_from_there(paper: Deployer) -> None:
    paper.write_stack(STACK, service={"strategy": "blue-green"})
    start_engine(paper.project, print).create(STACK).up()
    with pytest.raises(DeploymentError, match="blue is not healthy after 900 s.*the same command again goes on"):
        promote(paper, "0.2.0", green=[GOOD], blue=SICK)
    assert read_deployed(paper)[-1] == ["0.2.0", "0.2.0", 100]
    promote(paper, "0.2.0", green=[SICK])
    assert read_deployed(paper)[5:] == [["0.2.0", "0.2.0", 100], ["0.2.0", "0.2.0", 0], ["0.2.0", "", 0]]


class _Service(BaseHTTPRequestHandler):
    """Answers for the version that was deployed last; one whose name says "bad" is sick."""

    deployed: Path

    def do_GET(self) -> None:
        version = json.loads(self.deployed.read_text(encoding="utf-8").splitlines()[-1])[0]
        self.send_response(503 if "bad" in version else 200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def served(paper: Deployer) -> Iterator[Deployer]:
    """The project with a service that the command reaches as if it were elsewhere: by way of a proxy."""
    paper.write_stack(STACK)
    handler = type("Handler", (_Service,), {"deployed": paper.project / "deployed"})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        paper.variables = {
            "http_proxy": f"http://127.0.0.1:{server.server_port}",
            "no_proxy": "127.0.0.1,localhost",
            "PULUMI_BACKEND_URL": f"file://{_make_folder(paper.stage)}",
        }
        yield paper
        server.shutdown()
        thread.join()


def test_the_command_replaces_a_version_takes_a_bad_one_back_and_returns_by_hand(served: Deployer) -> None:
    quick = ("--yes", "--check-minutes", "0", "--watch-minutes", "0.1", "--start-minutes", "0.1")
    assert served("up", STACK, "--yes", "--no-image").code == 0
    good = served("promote", STACK, "--version", "0.2.0", *quick)
    assert good.code == 0, good.err
    assert "version 0.1.0 → 0.2.0, rolling" in good.out
    bad = served("promote", STACK, "--version", "0.3.0-bad", *quick)
    assert bad.code == 3
    assert "version 0.3.0-bad was rolled back at 100 % of the traffic" in bad.err
    assert json.loads(served("status", STACK, "--json").out)["stacks"][0]["health"] == "healthy"
    back = served("rollback", STACK, "--yes")
    assert back.code == 0, back.err
    assert f"{STACK}: would replace version 0.2.0 by 0.1.0" in back.out
    assert [version for version, *_ in read_deployed(served)] == ["0.1.0", "0.2.0", "0.3.0-bad", "0.2.0", "0.1.0"]
    refused = served("rollback", STACK, "--yes")
    assert (refused.code, len(read_deployed(served))) == (2, 5)
    assert "no version before 0.1.0" in refused.err
    for arguments, words in (
        (("--version", "0.1.0"), "runs version 0.1.0 already"),
        (("--version", "a b"), "version 'a b'"),
        (("--version", "2"), "write it as 2.0 or v2"),
        (("--version", "0.2.0", "--steps", "10,100"), "rolling, which has no steps"),
        (("--version", "0.2.0", "--steps", "10,50"), "end with 100"),
    ):
        refused = served("promote", STACK, "--yes", *arguments)
        assert refused.code == 2
        assert words in refused.err
    assert len(read_deployed(served)) == 5
