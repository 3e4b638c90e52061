"""A cluster's first deployment by one command: the registry, the image, then the rest. The engine is the real one."""

import re
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import boto3
import pytest

from tests.emulated_aws.stage import ANYTHING, Stage
from tests.infra.deployment.conftest import Deployer, write_project
from tests.infra.deployment.image_registry import ImageRegistry, serve_registry
from tests.servers.certificates import make_certificates

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("emulated-aws")]
STACK = "global-us-east-1"
PROGRAM = """
import pulumi

from infra.program import deploy_registry

deploy_registry()
pulumi.export("deployed", "all of it")
"""
EMULATED_PASSWORD = "ministack-auth-token"  # noqa: S105 - what the emulated ECR hands out


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[ImageRegistry]:
    """What the emulated ECR has no part of: the registry that images are pushed to."""
    (tmp_path / "tls").mkdir()
    _, certificate = make_certificates(tmp_path / "tls")
    with serve_registry(certificate, EMULATED_PASSWORD) as served:
        yield served


@pytest.fixture
def cluster(stage: Stage, tmp_path: Path, registry: ImageRegistry) -> Deployer:
    """A project of a cluster that has nothing but its registry, on a machine with the stand-in for podman."""
    deployer = write_project(stage, tmp_path, name="reme-cloud", program=PROGRAM)
    deployer.write_stack(STACK, protect=False)
    for name in ("bin", "state"):
        (tmp_path / name).mkdir()
    tool = tmp_path / "bin" / "podman"
    shutil.copy(Path(__file__).with_name("standing_podman.py"), tool)
    tool.chmod(0o755)
    deployer.variables = {
        "PATH": f"{tmp_path / 'bin'}:{stage.environment()['PATH']}",
        "PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}",
        "STANDING_PODMAN": str(tmp_path),
        "STANDING_REGISTRY": registry.host,
        "SSL_CERT_FILE": str(tmp_path / "tls/authority.pem"),
    }
    return deployer


def know_image(stage: Stage, repository: str, tag: str) -> None:
    """Let the emulated ECR know of an image, as the real one does after a push."""
    client = boto3.client(
        "ecr",
        endpoint_url=stage.environment()["AWS_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id=ANYTHING,
        aws_secret_access_key=ANYTHING,
    )
    with closing(client):
        client.put_image(repositoryName=repository, imageTag=tag, imageManifest='{"schemaVersion": 2}')


def test_one_command_makes_the_registry_pushes_and_goes_on(cluster: Deployer, registry: ImageRegistry) -> None:
    refused = cluster("up", STACK, "--yes")
    assert (refused.code, "has no Containerfile" in refused.err) == (2, True)
    (cluster.project / "Containerfile").write_text("FROM scratch\n", encoding="utf-8")
    dry = cluster("up", STACK, "--dry-run")
    assert dry.code == 0, dry.err
    assert f"{STACK}: image 0.1.0, which its registry lacks, would be built and pushed" in dry.out
    assert not registry.manifests

    made = cluster("up", STACK, "--yes")
    assert made.code == 0, made.err
    assert registry.refused == 0
    ((repository, _),) = [name for name in registry.manifests if name[1] == "0.1.0"]
    assert registry.read_settings(repository, "0.1.0")["architecture"] in ("amd64", "arm64")
    steps = ("making the registry first", "created aws:ecr/repository:Repository", "building", "pushing")
    places = [made.err.index(step) for step in steps]
    assert places == sorted(places)
    assert made.out.index("image 0.1.0 pushed") < made.out.index(f"{STACK}: deployed")
    assert EMULATED_PASSWORD not in made.out + made.err
    know_image(cluster.stage, repository, "0.1.0")

    again = cluster("up", STACK, "--yes")
    assert (again.code, "image" in again.out, "nothing to change" in again.out) == (0, False, True), again.err
    assert cluster("image", STACK).out == f"{STACK}: image 0.1.0 there already\n"
    missing = cluster("promote", STACK, "--version", "0.2.0", "--yes", "--no-watch")
    assert missing.code == 2
    assert f"its registry has no image 0.2.0: `reme-deploy image {STACK} --version 0.2.0` pushes one" in missing.err
    (cluster.project / "image.tar").write_text("arm64", encoding="utf-8")
    pushed = cluster("image", STACK, "--version", "0.2.0", "--from-archive", "image.tar")
    assert pushed.out == f"{STACK}: image 0.2.0 pushed\n", pushed.err
    assert registry.tags(repository) == ["0.1.0", "0.2.0"]


def test_with_an_image_of_ones_own_nothing_is_built(cluster: Deployer, registry: ImageRegistry) -> None:
    cluster.write_stack(STACK, protect=False, service={"image": "registry.test/reme@sha256:" + "1" * 64})
    dry = cluster("up", STACK, "--dry-run")
    assert (dry.code, "image" in dry.out) == (0, False), dry.err
    assert not registry.manifests


def test_without_a_tool_nothing_is_touched(cluster: Deployer, tmp_path: Path) -> None:
    (cluster.project / "Containerfile").write_text("FROM scratch\n", encoding="utf-8")
    (tmp_path / "bin/podman").write_text("#!/bin/sh\necho 'no user namespaces' >&2\nexit 125\n", encoding="utf-8")
    before = cluster.stage.log()
    failed = cluster("up", STACK, "--yes")
    assert failed.code == 1
    assert re.search(r"podman does not work \(no user namespaces\).*--no-image", failed.err)
    assert cluster.stage.log() == before
    dry = cluster("up", STACK, "--no-image", "--dry-run")
    assert (dry.code, "image" in dry.out) == (0, False), dry.err
