"""Lives of the stacks under the real engine, with the offline plugins in place of the vendor's."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra.preview.engine import Engine
from infra.preview.isolation import isolate
from infra.preview.projects import find_interpreter, read_project
from tests.emulated_aws.stage import ROOT, find_engine
from tests.emulated_aws.steps import NEXT
from tests.infra.stacks import ALICLOUD_CLUSTERS, ALICLOUD_STACKS
from tests.infra.wheel import ensure_wheel
from tests.servers.installation import ServerMissing

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("alicloud-engine")]

_LIMIT_S = 600.0
DISK, INSTANCE = "host-data", "host-instance"
ROUTINE = {"changes-run", "releases-arguments"}
"""What each change of a release or of settings does: another run of the command, and what a new host would be told."""

NEW_VERSION = {f"service-blue-{part}" for part in ("digits", "group", "start", "configuration", "cpu", "wait")}
"""What another version of the image makes anew: a group of nodes beside the old one, which then goes."""


@dataclass(frozen=True, kw_only=True)
class Life:
    """A stack in a folder of its own."""

    engine: Engine
    project: Path
    stack: str

    def run(self, *arguments: str) -> str:
        """Run a command of the engine on the stack and return what it printed."""
        done = self.engine.run(arguments[0], self.project, *arguments, "--stack", self.stack)
        assert not done.errors, (arguments, _find_errors(done.output), done.errors)
        return done.output

    def configure(self, key: str, value: str) -> None:
        """Set a value in the stack's file; dots lead into an object."""
        self.run("config", "set", "--path", f"reme-cloud:{key}", value)

    def preview(self) -> Mapping[str, str]:
        """What an update would do, by logical name; nothing of what stays the same."""
        steps = json.loads(self.run("preview", "--json"))["steps"]
        found = {each["urn"].rpartition("::")[2]: each["op"] for each in steps if each["op"] not in ("same", "read")}
        return {name: op for name, op in found.items() if not name.startswith("reme-cloud-")}

    def up(self) -> None:
        """Update."""
        self.run("up", "--yes", "--skip-preview")

    def resources(self) -> Mapping[str, Mapping[str, Any]]:
        """The state's resources by logical name."""
        document = json.loads(self.run("stack", "export"))["deployment"].get("resources") or ()
        return {each["urn"].rpartition("::")[2]: each for each in document}


def _find_errors(output: str) -> list[str]:
    """What went wrong, of an output that may be JSON of every step."""
    return [line.strip() for line in output.splitlines() if "error" in line.lower()][-20:]


@pytest.fixture(scope="module")
def engine() -> Iterator[tuple[Engine, Path]]:
    """The engine on a state of its own, and a project of the same program whose files may be changed."""
    try:
        command = find_engine() / "pulumi"
    except ServerMissing as missing:
        pytest.skip(str(missing))
    ensure_wheel()
    folder = Path(tempfile.mkdtemp(prefix="reme-alicloud-"))
    try:
        project = folder / "project"
        (project / "stacks").mkdir(parents=True)
        text = (ROOT / "Pulumi.yaml").read_text(encoding="utf-8")
        text = text.replace("virtualenv: .venv", f"virtualenv: {ROOT / '.venv'}")
        (project / "Pulumi.yaml").write_text(text.replace("infra/stacks", "stacks"), encoding="utf-8")
        shutil.copy(ROOT / "__main__.py", project)
        for stack in ALICLOUD_STACKS:
            shutil.copy(ROOT / "infra" / "stacks" / f"Pulumi.{stack}.yaml", project / "stacks")
        read = read_project(project, project)
        assert read is not None
        environment = isolate(folder, command, find_interpreter(read, project), project)
        # a life has many runs, each of which starts from the state that the last one left
        kept = {name: value for name, value in environment.items() if name != "PULUMI_SKIP_CHECKPOINTS"}
        yield Engine(command=command, environment={**kept, "PYTHONPATH": str(ROOT)}, limit_s=_LIMIT_S), project
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def begin(engine: tuple[Engine, Path], stack: str) -> Life:
    """A stack that is not made yet, with its secrets."""
    life = Life(engine=engine[0], project=engine[1], stack=stack)
    life.run("stack", "init")
    for name in ("llm-api-key", "embedding-api-key", "edge-secret"):
        life.run("config", "set", "--secret", f"reme-cloud:{name}", "of the tests")
    return life


@pytest.mark.parametrize("stack", [name for name in ALICLOUD_STACKS if name not in ALICLOUD_CLUSTERS])
def test_a_host_lives(engine: tuple[Engine, Path], stack: str) -> None:
    """Made, found unchanged, given another release, given another tier, and destroyed with nothing left."""
    life = begin(engine, stack)
    life.up()
    made = life.resources()
    assert {DISK, INSTANCE, "credentials-admin-secret", "monitoring-cpu"} <= made.keys() and len(made) > 80
    assert "of the tests" not in life.run("stack", "export")
    assert life.run("stack", "output", "health_url").strip().endswith("/health")
    life.run("preview", "--expect-no-changes")

    wheel = life.project / f"reme_cloud-{NEXT}-py3-none-any.whl"
    shutil.copy(ensure_wheel(), wheel)
    life.configure("service.version", NEXT)
    life.configure("service.wheel", str(wheel))
    change = life.preview()
    assert change.keys() >= ROUTINE
    assert all(name in ROUTINE or name.startswith("releases-") for name in change), change
    life.up()
    life.run("preview", "--expect-no-changes")

    if stack == "alicloud-dev":
        life.configure("tier", "single-host-qdrant")
        change = life.preview()
        assert change[DISK] == "update", "a larger disk is the same disk"
        assert "replace" in change[INSTANCE], "cloud-init would not install Qdrant on the old machine"
        assert change["credentials-qdrant-secret"] == "create"
        assert "host-address" not in change and "network-vpc" not in change
        life.up()
        assert life.resources()[DISK]["inputs"]["size"] > made[DISK]["inputs"]["size"]
        life.run("preview", "--expect-no-changes")

    life.run("destroy", "--yes", "--skip-preview")
    assert not life.resources()


@pytest.mark.parametrize("stack", ALICLOUD_CLUSTERS if os.environ.get("REME_STACKS") == "all" else ["alicloud-prod"])
def test_a_cluster_lives(engine: tuple[Engine, Path], stack: str) -> None:
    """Made, found unchanged, given another version, grown, freed of its protection, and destroyed with nothing left."""
    life = begin(engine, stack)
    life.up()
    made = life.resources()
    assert {"database-instance", "cache-nodes", "balancer-alb", "service-blue-group"} <= made.keys(), sorted(made)
    assert "of the tests" not in life.run("stack", "export")
    life.run("preview", "--expect-no-changes")

    life.configure("service.version", NEXT)
    change = life.preview()
    assert change.keys() == NEW_VERSION and all("replace" in op for op in change.values()), change
    life.up()
    life.run("preview", "--expect-no-changes")

    if stack == "alicloud-prod":
        life.configure("service.strategy", "canary")
        life.configure("service.green_version", "0.3.0")
        life.configure("service.canary_percent", "10")
        change = life.preview()
        assert change["service-green-group"] == "create" and "service-blue-group" not in change
        life.up()
        life.run("preview", "--expect-no-changes")
        life.configure("workload.users", "700")
        grown = life.preview()
        assert grown["database-instance"] == "update" and "replace" not in " ".join(grown.values()), grown
        life.up()

    life.configure("protect", "false")
    life.up()
    life.run("destroy", "--yes", "--skip-preview")
    assert not life.resources()
