"""A cluster's registry and image on Alibaba Cloud by one command. The engine is the real one, its plugins are offline."""

import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from infra.preview.isolation import isolate
from infra.preview.projects import find_interpreter, read_project
from tests.emulated_aws.stage import ROOT, find_engine
from tests.infra.deployment.alicloud_server import KEY_ID, KEY_SECRET, PASSWORD, USER, AlicloudServer, serve_alicloud
from tests.infra.deployment.image_registry import ImageRegistry, serve_registry
from tests.servers.certificates import make_certificates
from tests.servers.installation import ServerMissing

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("alicloud-engine")]
STACK = "prod"
PROGRAM = """
import pulumi

from infra.program import deploy_registry

deploy_registry()
pulumi.export("deployed", "all of it")
"""
CONFIG = {
    "alicloud:region": "ap-southeast-1",
    "reme-cloud:cloud": "alicloud",
    "reme-cloud:environment": "prod",
    "reme-cloud:protect": False,
    "reme-cloud:workload": {"users": 500, "clouds": ["alicloud"], "overrides": {"tier": "ha"}},
}


@pytest.fixture
def cloud() -> Iterator[AlicloudServer]:
    """What knows the tags and gives a sign-in."""
    with serve_alicloud() as server:
        yield server


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[ImageRegistry]:
    """What images are pushed to."""
    (tmp_path / "tls").mkdir()
    _, certificate = make_certificates(tmp_path / "tls")
    with serve_registry(certificate, PASSWORD, user=USER) as served:
        yield served


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of a cluster that has nothing but its registry."""
    folder = tmp_path / "project"
    folder.mkdir()
    runtime = f"{{name: python, options: {{virtualenv: {ROOT / '.venv'}}}}}"
    (folder / "Pulumi.yaml").write_text(f"name: reme-cloud\nruntime: {runtime}\n", encoding="utf-8")
    (folder / "__main__.py").write_text(PROGRAM, encoding="utf-8")
    (folder / "Containerfile").write_text("FROM scratch\n", encoding="utf-8")
    (folder / f"Pulumi.{STACK}.yaml").write_text(yaml.safe_dump({"config": CONFIG}), encoding="utf-8")
    return folder


@pytest.fixture
def environment(project: Path, tmp_path: Path, cloud: AlicloudServer, registry: ImageRegistry) -> Mapping[str, str]:
    """The engine with offline plugins, the stand-in for podman, and the account's key."""
    try:
        command = find_engine() / "pulumi"
    except ServerMissing as missing:
        pytest.skip(str(missing))
    read = read_project(project, project)
    assert read is not None
    run = tmp_path / "run"
    run.mkdir()
    isolated = dict(isolate(run, command, find_interpreter(read, project), project))
    del isolated["PULUMI_SKIP_CHECKPOINTS"]
    tool = tmp_path / "podman"
    shutil.copy(Path(__file__).with_name("standing_podman.py"), tool)
    tool.chmod(0o755)
    return isolated | {
        "PATH": f"{tmp_path}:{isolated['PATH']}",
        "PYTHONPATH": str(ROOT),
        "STANDING_PODMAN": str(tmp_path),
        "STANDING_REGISTRY": registry.host,
        "SSL_CERT_FILE": str(tmp_path / "tls/authority.pem"),
        "CR_ENDPOINT": cloud.address,
        "ALICLOUD_ACCESS_KEY": KEY_ID,
        "ALICLOUD_SECRET_KEY": KEY_SECRET,
    }


def deploy(project: Path, environment: Mapping[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "infra.deployment", *arguments],
        cwd=project,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def test_one_command_makes_the_registry_pushes_and_goes_on(
    project: Path, environment: Mapping[str, str], cloud: AlicloudServer, registry: ImageRegistry
) -> None:
    made = deploy(project, environment, "up", STACK, "--yes")
    assert made.returncode == 0, made.stderr
    ((repository, _),) = [name for name in registry.manifests if name[1] == "0.1.0"]
    assert registry.read_settings(repository, "0.1.0")["architecture"] in ("amd64", "arm64")
    assert registry.refused == 0
    steps = (
        "making the registry first",
        "created alicloud:cr/repo:Repo",
        "building registry.ap-southeast-1",
        "pushing",
    )
    places = [made.stderr.index(step) for step in steps]
    assert places == sorted(places)
    assert made.stdout.index("image 0.1.0 pushed") < made.stdout.index(f"{STACK}: deployed")
    assert not [secret for secret in (PASSWORD, KEY_SECRET) if secret in made.stdout + made.stderr]

    cloud.tags = registry.tags(repository)
    again = deploy(project, environment, "image", STACK)
    assert again.stdout == f"{STACK}: image 0.1.0 there already\n", again.stderr
    assert cloud.repository == repository
    missing = deploy(project, environment, "promote", STACK, "--version", "0.2.0", "--yes", "--no-watch")
    assert missing.returncode == 2
    assert f"its registry has no image 0.2.0: `reme-deploy image {STACK} --version 0.2.0` pushes one" in missing.stderr
