"""The tools of this machine that build images and push them: podman, buildah or docker, whichever works."""

import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from infra.deployment.errors import BadRequest, ImageFailed, NoImageTool
from infra.deployment.registries import SignIn

TOOLS = ("podman", "buildah", "docker")
CONTAINERFILE = "Containerfile"
LOADED = "Loaded image"
"""How podman and docker begin the line with the name of what they read from an archive."""
_CHECK_S = 60
"""Ours: a tool that does not say within this time that it works does not."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Builder:
    """One of TOOLS, by its name and its path. Methods raise ImageFailed; what the tool says goes to stderr."""

    name: str
    program: str

    def build(self, image: str, folder: Path, architecture: str) -> None:
        """Build an image of a folder's Containerfile for machines of an architecture."""
        # Docker's format keeps the health check; docker writes no other.
        form = [] if self.name == "docker" else ["--format", "docker"]
        place = ["--tag", image, "--file", str(folder / CONTAINERFILE), str(folder)]
        self._show("build", image, ["build", *form, "--platform", f"linux/{architecture}", *place])

    def load(self, image: str, archive: Path) -> None:
        """Take the one image of an archive, of OCI's or docker's form, under this name."""
        if self.name == "buildah":
            found = self._read("reading the archive", image, ["pull", "--quiet", f"{_name_form(archive)}:{archive}"])
            loaded = found.strip().splitlines()[-1:]
        else:
            found = self._read("reading the archive", image, ["load", "--input", str(archive)])
            loaded = [line.partition(": ")[2].strip() for line in found.splitlines() if line.startswith(LOADED)]
        if len(loaded) != 1 or not loaded[0]:
            raise BadRequest(f"{archive} has {len(loaded)} images; valid: an archive of one image")
        self._show("naming", image, ["tag", loaded[0], image])

    def push(self, image: str, sign_in: SignIn) -> None:
        """Push an image. The sign-in is kept in a folder of its own, which is gone afterwards."""
        with tempfile.TemporaryDirectory(prefix="reme-registry-") as folder:
            kept = self._keep_in(Path(folder))
            login = ["login", "--username", sign_in.user, "--password-stdin", sign_in.host]
            self._read("the sign-in", image, login, given=sign_in.password, more=kept)
            self._show("push", image, ["push", image], more=kept)

    def _keep_in(self, folder: Path) -> Mapping[str, str]:
        """The variables by which a tool keeps its sign-ins in a folder."""
        if self.name != "docker":
            return {"REGISTRY_AUTH_FILE": str(folder / "auth.json")}
        # The folder of docker's sign-ins says as well which engine it talks to.
        engine = os.environ.get("DOCKER_HOST") or self._read(
            "looking for the engine", "", ["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
        )
        return {"DOCKER_CONFIG": str(folder), "DOCKER_HOST": engine.strip()}

    def _show(
        self, action: str, image: str, arguments: Sequence[str], *, more: Mapping[str, str] | None = None
    ) -> None:
        # A list of platforms with attestations is more than a cluster pulls.
        variables = {**os.environ, "BUILDX_NO_DEFAULT_ATTESTATIONS": "1", **(more or {})}
        done = subprocess.run(
            [self.program, *arguments], env=variables, stdin=subprocess.DEVNULL, stdout=2, check=False
        )
        if done.returncode:
            raise ImageFailed(image, action, f"{self.name} ended with {done.returncode}")

    def _read(
        self,
        action: str,
        image: str,
        arguments: Sequence[str],
        *,
        given: str = "",
        more: Mapping[str, str] | None = None,
    ) -> str:
        done = subprocess.run(
            [self.program, *arguments],
            env={**os.environ, **(more or {})},
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ImageFailed(image, action, f"{self.name}: {_last_line(done.stderr)}")
        return done.stdout


def find_builder() -> Builder:
    """The first of TOOLS that works here. Raises NoImageTool, which says of each why it does not."""
    wrong = []
    for name in TOOLS:
        program = shutil.which(name)
        if program is None:
            wrong.append(f"{name} is not on PATH")
            continue
        said = _try(program)
        if not said:
            return Builder(name=name, program=program)
        wrong.append(f"{name} does not work ({said})")
    raise NoImageTool(wrong)


def _try(program: str) -> str:
    """Why a tool does not work; nothing where it does. docker on the path is no engine yet."""
    try:
        done = subprocess.run(
            [program, "info"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_CHECK_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return type(error).__name__
    return _last_line(done.stderr) or f"exit code {done.returncode}" if done.returncode else ""


def _name_form(archive: Path) -> str:
    """The form of an archive, as buildah calls it."""
    with suppress(OSError, tarfile.TarError), tarfile.open(archive) as file:
        return "oci-archive" if "oci-layout" in file.getnames() else "docker-archive"
    raise BadRequest(f"{archive} is no archive of an image")


def _last_line(said: str) -> str:
    return (said.strip().splitlines() or [""])[-1].strip()
