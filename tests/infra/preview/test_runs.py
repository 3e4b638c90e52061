"""Stacks of two sides, run by the real engine offline."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from infra.preview.checkouts import Checkout, check_out
from infra.preview.engine import Engine
from infra.preview.errors import InvalidProject
from infra.preview.isolation import isolate
from infra.preview.projects import find_interpreter, read_project
from infra.preview.runs import StackRun, run_live, run_offline
from tests.emulated_aws.stage import find_engine
from tests.infra.preview.test_checkouts import commit, git
from tests.servers.installation import ServerMissing
from tests.servers.waiting import PATIENCE_S

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("preview-runs")]

_PROJECT = "name: shop\nruntime: {name: python, options: {virtualenv: .venv}}\nstackConfigDir: stacks\n"
_PROGRAM = """
import pulumi
import pulumi_alicloud as alicloud
import pulumi_aws as aws
import pulumi_random as random

from infra.sizes import CIDR

config = pulumi.Config()
key = config.require_secret("key")
if config.get_bool("broken"):
    raise ValueError("broken is set")
if config.get("cloud") == "alicloud":
    network = alicloud.vpc.Network("main", cidr_block=CIDR)
    zone = alicloud.get_zones(available_resource_creation="VSwitch").zones[0].id
    alicloud.vpc.Switch("a", vpc_id=network.id, cidr_block="10.0.0.0/24", zone_id=zone)
else:
    password = random.RandomPassword("password", length=16)
    vpc = aws.ec2.Vpc("main", cidr_block=CIDR)
    zone = aws.get_availability_zones(state="available").names[0]
    aws.ec2.Subnet("a", vpc_id=vpc.id, cidr_block="10.0.0.0/24", availability_zone=zone)
    image = aws.ec2.get_ami(owners=["amazon"], most_recent=True).id
    aws.ssm.Parameter("key", type="SecureString", value=pulumi.Output.concat(key, password.result))
    pulumi.export("image", image)
    pulumi.export("arn", vpc.arn.apply(lambda arn: arn.upper()))
"""
_CONFIG = {
    "kept": "config: {'aws:region': eu-west-1, 'shop:key': {secure: 'v1:AAAA:unreadable'}}\nencryptionsalt: v1:x:v1:y:z\n",
    "gone": "config: {'aws:region': us-east-1, 'shop:key': plain}\n",
    "china": "config: {'alicloud:region': cn-beijing, 'shop:cloud': alicloud, 'shop:key': plain}\n",
    "broken": "config: {'aws:region': us-east-1, 'shop:key': plain, 'shop:broken': 'true'}\n",
}


def write(folder: Path, cidr: str, stacks: tuple[str, ...]) -> None:
    """Write the project's files; its own package is called as ours."""
    for name in ("infra", "stacks"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "Pulumi.yaml").write_text(_PROJECT, encoding="utf-8")
    (folder / "__main__.py").write_text(_PROGRAM, encoding="utf-8")
    (folder / "infra" / "__init__.py").write_text("", encoding="utf-8")
    (folder / "infra" / "sizes.py").write_text(f"CIDR = {cidr!r}\n", encoding="utf-8")
    for path in (folder / "stacks").iterdir():
        path.unlink()
    for stack in stacks:
        (folder / "stacks" / f"Pulumi.{stack}.yaml").write_text(_CONFIG[stack], encoding="utf-8")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A repository whose working tree changes a network, takes a stack away and adds two; the engine is on PATH."""
    try:
        engine = find_engine()
    except ServerMissing as missing:
        pytest.skip(str(missing))
    folder = tmp_path_factory.mktemp("preview") / "shop"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    write(folder, "10.0.0.0/16", ("kept", "gone"))
    commit(folder, "base")
    write(folder, "10.1.0.0/16", ("kept", "china", "broken"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{engine}{os.pathsep}{os.environ['PATH']}")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "must not be seen")
        yield folder


@pytest.fixture(scope="module")
def runs(repository: Path) -> Iterator[Mapping[str, StackRun]]:
    """Every stack of both sides."""
    with check_out(repository, "HEAD") as both, run_offline(both) as found:
        yield {each.name: each for each in found}


def steps(run: StackRun) -> dict[str, dict[str, Any]]:
    """The steps of a preview by the resources' names."""
    assert run.preview is not None, run.errors
    found = json.loads(run.preview.read_text(encoding="utf-8"))["steps"]
    return {each["urn"].rpartition("::")[2]: each for each in found}


def test_each_side_runs_its_own_code(runs: Mapping[str, StackRun]) -> None:
    found = steps(runs["kept"])
    assert found["main"]["oldState"]["inputs"]["cidrBlock"] == "10.0.0.0/16"
    assert found["main"]["newState"]["inputs"]["cidrBlock"] == "10.1.0.0/16"


def test_a_replacement_goes_on_to_what_depends_on_it(runs: Mapping[str, StackRun]) -> None:
    found = steps(runs["kept"])
    assert runs["kept"].status == "compared"
    assert found["main"]["replaceReasons"] == ["cidrBlock"]
    assert found["a"]["replaceReasons"] == ["vpcId"]
    assert found["key"]["op"] == found["password"]["op"] == "same"


def test_the_state_of_base_is_an_export(runs: Mapping[str, StackRun]) -> None:
    state = runs["kept"].base_state
    assert state is not None
    document = json.loads(state.read_text(encoding="utf-8"))
    types = {each["type"] for each in document["deployment"]["resources"]}
    assert {"aws:ec2/vpc:Vpc", "random:index/randomPassword:RandomPassword"} <= types


def test_a_secret_that_cannot_be_read_is_replaced_and_named(runs: Mapping[str, StackRun]) -> None:
    assert runs["kept"].placeholders == ("shop:key",)
    assert runs["china"].placeholders == ()


def test_made_up_look_ups_are_counted_once(runs: Mapping[str, StackRun]) -> None:
    assert [each.about for each in runs["kept"].made_up] == ["aws:ec2/getAmi:getAmi"]
    assert not runs["kept"].unsure


def test_a_new_stack_has_no_base_and_a_removed_one_no_preview(runs: Mapping[str, StackRun]) -> None:
    new, gone = runs["china"], runs["gone"]
    assert (new.status, new.base_state) == ("new", None)
    assert {each["op"] for each in steps(new).values()} == {"create"}
    assert (gone.status, gone.preview) == ("removed", None)
    assert gone.base_state is not None


def test_a_program_that_fails_is_an_error_of_its_stack(runs: Mapping[str, StackRun]) -> None:
    assert runs["broken"].status == "failed"
    assert runs["broken"].errors == ("head: ValueError: broken is set",)


def test_nothing_changes_in_the_working_tree(runs: Mapping[str, StackRun], repository: Path) -> None:
    assert "unreadable" in (repository / "stacks" / "Pulumi.kept.yaml").read_text(encoding="utf-8")
    changed = {line.split()[-1] for line in git(repository, "status", "--short").splitlines()}
    assert not {each for each in changed if "__pycache__" not in each and not each.startswith(("stacks/", "infra/"))}


def test_a_stack_that_takes_too_long_is_stopped(repository: Path) -> None:
    with check_out(repository, "HEAD") as both, run_offline(both, ["gone"], limit_s=0.01) as (found,):
        assert found.status == "failed"
        assert "took more than" in found.errors[0]


def test_an_unknown_stack_is_refused(repository: Path) -> None:
    with (
        check_out(repository, "HEAD") as both,
        pytest.raises(InvalidProject, match="'nope'.*broken, china"),
        run_offline(both, ["nope"]),
    ):
        pass


def test_a_live_state_is_previewed(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    live = tmp_path / "live"
    live.mkdir()
    (live / ".venv").symlink_to(sys.prefix)
    write(live, "10.0.0.0/16", ("china", "gone"))
    project = read_project(live, live)
    assert project is not None
    (tmp_path / "run").mkdir()
    pulumi = find_engine() / "pulumi"
    environment = isolate(tmp_path / "run", pulumi, find_interpreter(project, project.folder), live)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    opened = Engine(command=pulumi, environment=environment, limit_s=PATIENCE_S).run(
        "open", live, "stack", "init", "china"
    )
    assert not opened.errors
    head = Checkout(root=live, project=live, name="working tree", commit="")
    with run_live(head, ["china", "gone"]) as (found, missing):
        assert {each["op"] for each in steps(found).values()} == {"create"}
        assert found.base_state is not None and "deployment" in json.loads(found.base_state.read_text())
        assert missing.status == "failed"
        assert "no stack named 'gone' found" in missing.errors[0]
