"""The image of a cluster: built by a tool of the machine, pushed to a registry that speaks the real protocol."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from infra.deployment.builders import TOOLS, Builder, find_builder
from infra.deployment.errors import BadRequest, DeploymentError, ImageFailed, NoImageTool
from infra.deployment.registries import EcrRepository, find_repository
from tests.infra.deployment.image_registry import PASSWORD, ImageRegistry, serve_registry
from tests.servers.certificates import make_certificates

pytestmark = pytest.mark.slow

STANDING = Path(__file__).with_name("standing_podman.py")
CONTAINERFILE = 'FROM scratch\nCOPY text /text\nCMD ["/text"]\n'


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ImageRegistry]:
    """An empty registry, which is ECR's to boto3; its authority is the one that programs here trust."""
    authority, certificate = make_certificates(tmp_path)
    with serve_registry(certificate) as served:
        monkeypatch.setenv("AWS_ENDPOINT_URL_ECR", f"https://{served.host}")
        for name in ("AWS_CA_BUNDLE", "SSL_CERT_FILE"):
            monkeypatch.setenv(name, authority)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "test")
        yield served


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder to build an image of."""
    made = tmp_path / "context"
    made.mkdir()
    (made / "Containerfile").write_text(CONTAINERFILE, encoding="utf-8")
    # Tools keep layers from build to build, of an image without a base even across architectures.
    (made / "text").write_text(uuid4().hex, encoding="utf-8")
    return made


def put_standing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the stand-in before all else on PATH."""
    place.mkdir()
    shutil.copy(STANDING, place / "podman")
    (place / "podman").chmod(0o755)
    monkeypatch.setenv("STANDING_PODMAN", str(place))
    monkeypatch.setenv("PATH", str(place), prepend=os.pathsep)


@dataclass(frozen=True)
class Tool:
    """A tool, and whether it is the real one."""

    builder: Builder
    real: bool


@pytest.fixture(params=["stand-in", *TOOLS])
def tool(
    request: pytest.FixtureRequest, registry: ImageRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Tool:
    """The stand-in, and every real tool that works on this machine."""
    if request.param == "stand-in":
        put_standing(tmp_path / "bin", monkeypatch)
        return Tool(find_builder(), real=False)
    program = shutil.which(request.param)
    if program is None or subprocess.run([program, "info"], capture_output=True, check=False).returncode:
        pytest.skip(f"{request.param} does not work here")
    return Tool(Builder(name=request.param, program=program), real=True)


def test_an_image_is_built_and_pushed_by_its_own_sign_in(
    tool: Tool, registry: ImageRegistry, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    repository = EcrRepository(f"{registry.host}/images", "us-east-1")
    assert not repository.has("0.1.0")
    image = f"{registry.host}/images:0.1.0"
    tool.builder.build(image, folder, "arm64")
    sign_in = repository.sign_in()
    assert (sign_in.password, PASSWORD in repr(sign_in)) == (PASSWORD, False)
    tool.builder.push(image, sign_in)
    assert repository.has("0.1.0")
    assert registry.read_settings("images", "0.1.0")["architecture"] == "arm64"
    assert list(temporary.glob("reme-registry-*")) == [], "the sign-in is gone"
    if tool.real:
        assert registry.read_settings("images", "0.1.0")["config"]["Cmd"] == ["/text"]


def test_an_archive_is_pushed_under_the_versions_name(
    tool: Tool, registry: ImageRegistry, folder: Path, tmp_path: Path
) -> None:
    archive, image = tmp_path / "image.tar", f"{registry.host}/images:0.2.0"
    if tool.real:
        tool.builder.build("localhost/other:1", folder, "amd64")
        target = f"oci-archive:{archive}:localhost/other:1"
        save = ["push", "localhost/other:1", target] if tool.builder.name != "docker" else ["save", "-o", archive]
        subprocess.run([tool.builder.program, *save], check=True)
    else:
        archive.write_text("amd64", encoding="utf-8")
    tool.builder.load(image, archive)
    repository = EcrRepository(f"{registry.host}/images", "us-east-1")
    tool.builder.push(image, repository.sign_in())
    assert registry.tags("images") == ["0.2.0"]
    assert registry.read_settings("images", "0.2.0")["architecture"] == "amd64"


def test_a_tag_is_never_moved_and_a_failure_names_the_step(
    tool: Tool, registry: ImageRegistry, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    image = f"{registry.host}/images:0.1.0"
    sign_in = EcrRepository(f"{registry.host}/images", "us-east-1").sign_in()
    tool.builder.build(image, folder, "amd64")
    tool.builder.push(image, sign_in)
    (folder / "text").write_text(uuid4().hex, encoding="utf-8")
    tool.builder.build(image, folder, "arm64")
    with pytest.raises(ImageFailed, match=r"images:0.1.0: push failed: \w+ ended with"):
        tool.builder.push(image, sign_in)
    (folder / "Containerfile").unlink()
    with pytest.raises(ImageFailed, match="build failed"):
        tool.builder.build(image, folder, "amd64")
    said = "".join(capfd.readouterr())
    assert PASSWORD not in said
    assert registry.read_settings("images", "0.1.0")["architecture"] == "amd64"


def test_a_tool_that_does_not_work_is_named_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "docker").write_text("#!/bin/sh\necho 'no daemon is running' >&2\nexit 1\n", encoding="utf-8")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoImageTool, match=r"podman is not on PATH; .*docker does not work \(no daemon.*service.image"):
        find_builder()


def test_an_archive_of_nothing_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "nothing.tar"
    archive.write_bytes(b"")
    with pytest.raises(BadRequest, match="no archive of an image"):
        Builder(name="buildah", program="buildah").load("images:1", archive)


def test_a_registry_that_does_not_answer_is_named(registry: ImageRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECR", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(DeploymentError, match=f"the registry {registry.host}/images cannot be asked"):
        EcrRepository(f"{registry.host}/images", "us-east-1").has("0.1.0")


def test_the_repository_is_found_in_the_state() -> None:
    kind = "aws:ecr/repository:Repository"
    state: list[dict[str, Any]] = [
        {"type": "pulumi:pulumi:Stack"},
        {"type": kind, "outputs": {"repositoryUrl": "registry.test/images"}},
    ]
    assert find_repository(state) == "registry.test/images"
    assert find_repository([{"type": kind, "outputs": {}}]) == ""
