"""An emulated AWS with the engine before it: what tests run stacks on."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Self

import boto3

from tests.emulated_aws.moto import MotoServer
from tests.infra.wheel import ensure_wheel
from tests.servers.installation import ENVIRONMENT, PLACE, ServerMissing
from tests.servers.ministack import MinistackServer
from tests.servers.server import HOST
from tests.servers.warden import find_warden

ROOT = Path(__file__).parents[2]
_REMEDY = "run `bash tools/install-pulumi.sh`"
ANYTHING = "test"
"""The emulators check no keys."""
_LIMIT_S = 1200
_SECOND = ("cloudwatch",)
"""Services of the second emulator: the first leaves out half of what it is told of alarms."""
_PLUGINS = {
    "pulumi-resource-aws": "tests.emulated_aws.plugin",
    "pulumi-resource-random": "tests.emulated_aws.random_plugin",
}


class EngineFailed(AssertionError):
    """A command of the engine ended with another exit code than 0; the message has its output."""


def find_engine() -> Path:
    """The folder of an official `pulumi` on PATH, or of the one that is built. Raises ServerMissing."""
    official = shutil.which("pulumi")
    if official is not None:
        return Path(official).parent
    built = PLACE / "pulumi" / "bin"
    if not (built / "pulumi").exists():
        raise ServerMissing(f"pulumi is not installed: {_REMEDY}")
    return built


def find_provider() -> Path:
    """Terraform's AWS provider. Raises ServerMissing."""
    # The version's folder may be a link into a mirror, which `**` does not follow.
    place = PLACE / "aws-plugin" / "terraform" / ".terraform" / "providers"
    found = sorted(place.glob("*/hashicorp/aws/*/*/terraform-provider-aws_v*"))
    if not found:
        raise ServerMissing(f"Terraform's AWS provider is not installed: {_REMEDY}")
    return found[-1].resolve()


class RememberingMinistack(MinistackServer):
    """ministack that answers a repeated call as it answered the first (`remembering`)."""

    def command(self) -> Sequence[str | Path]:
        """The server in the foreground."""
        program = ("-m", "uvicorn", "tests.emulated_aws.remembering:app", "--no-access-log")
        return [ENVIRONMENT / "bin" / "python", *program, "--host", HOST, "--port", str(self.port)]

    def environment(self) -> Mapping[str, str]:
        """Where this package is, too."""
        return {**super().environment(), "PYTHONPATH": str(ROOT)}


class Stage:
    """An own emulator, and an own folder for the engine's state, its plugins and its logs."""

    def __init__(self) -> None:
        self._engine, self._provider = find_engine(), find_provider()
        self.emulator, self.second = RememberingMinistack(), MotoServer()
        self.folder = Path(tempfile.mkdtemp(prefix="reme-stage-"))
        find_warden().watch_path(self.folder)
        self.log_path = self.folder / "aws.log"
        self._opened = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            opening.callback(shutil.rmtree, self.folder, ignore_errors=True)
            for server in (self.emulator, self.second):
                opening.callback(server.close)
                server.start()
            for name in ("plugins", "state", "home", "terraform", "tmp"):
                (self.folder / name).mkdir()
            for name, module in _PLUGINS.items():
                self._write_plugin(self.folder / "plugins" / name, module)
            self._opened = opening.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def environment(self) -> dict[str, str]:
        """What the engine and its plugins see."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PULUMI_", "AWS_", "TF_"))}
        paths = (self.folder / "plugins", self._engine, *kept.get("PATH", "").split(os.pathsep))
        return kept | {
            "PATH": os.pathsep.join(str(path) for path in paths),
            "PULUMI_BACKEND_URL": f"file://{self.folder / 'state'}",
            "PULUMI_HOME": str(self.folder / "home"),
            "PULUMI_CONFIG_PASSPHRASE": "of the tests",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "AWS_ENDPOINT_URL": f"http://{HOST}:{self.emulator.port}",
            "AWS_ACCESS_KEY_ID": ANYTHING,
            "AWS_SECRET_ACCESS_KEY": ANYTHING,
            "AWS_EMULATED_ROUTES": ",".join(f"{service}=http://{HOST}:{self.second.port}" for service in _SECOND),
            "AWS_EMULATED_LOG": str(self.log_path),
            "AWS_EMULATED_STATE": str(self.folder / "terraform"),
            "TF_AWS_PROVIDER": str(self._provider),
            "TMPDIR": str(self.folder / "tmp"),
        }

    def run(self, *arguments: str, project: Path = ROOT, fails: bool = False) -> str:
        """Run a command of the engine in a project; returns what it printed, of one that `fails` its errors too.

        Raises EngineFailed.
        """
        command = [str(self._engine / "pulumi"), *arguments, "--non-interactive", "--color", "never"]
        done = subprocess.run(
            command,
            cwd=project,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            check=False,
        )
        said = done.stdout + done.stderr
        if (done.returncode != 0) != fails:
            raise EngineFailed(f"pulumi {' '.join(arguments)}: exit code {done.returncode}\n{said[-8000:]}")
        return said if fails else done.stdout

    def copy_project(self, *stacks: str) -> Path:
        """A project of the same program whose stacks' files a test may change, with these stacks, and keys for them."""
        ensure_wheel()
        folder = Path(tempfile.mkdtemp(dir=self.folder, prefix="project-"))
        (folder / "stacks").mkdir()
        project = (ROOT / "Pulumi.yaml").read_text(encoding="utf-8")
        project = project.replace("virtualenv: .venv", f"virtualenv: {ROOT / '.venv'}")
        project = project.replace("stackConfigDir: infra/stacks", "stackConfigDir: stacks")
        (folder / "Pulumi.yaml").write_text(project, encoding="utf-8")
        shutil.copy(ROOT / "__main__.py", folder)
        for stack in stacks:
            shutil.copy(ROOT / "infra" / "stacks" / f"Pulumi.{stack}.yaml", folder / "stacks")
            self.run("stack", "init", stack, project=folder)
            for name in ("llm-api-key", "embedding-api-key", "edge-secret"):
                self.run("config", "set", "--secret", "--stack", stack, name, f"{name} of the tests", project=folder)
        return folder

    def connect(self, service: str, region: str = "us-east-1") -> Any:
        """A client of a service, at the emulator that has it."""
        server = self.second if service in _SECOND else self.emulator
        return boto3.client(
            service,
            endpoint_url=f"http://{HOST}:{server.port}",
            region_name=region,
            aws_access_key_id=ANYTHING,
            aws_secret_access_key=ANYTHING,
        )

    def prepare_zone(self, project: Path, stack: str) -> str:
        """Make a Route 53 zone, as a user has one, and name it in a stack's file; returns its id."""
        with closing(self.connect("route53")) as client:
            made = client.create_hosted_zone(Name="example.com", CallerReference=stack)
        zone_id = str(made["HostedZone"]["Id"]).rpartition("/")[2]
        self.run("config", "set", "--stack", stack, "zone-id", zone_id, project=project)
        return zone_id

    def export(self, stack: str, project: Path = ROOT) -> Any:
        """The stack's state."""
        return json.loads(self.run("stack", "export", "--stack", stack, project=project))

    def log(self) -> Sequence[str]:
        """What the provider created, changed, deleted and refused, and the differences that it found."""
        return self.log_path.read_text(encoding="utf-8").splitlines() if self.log_path.exists() else []

    def _write_plugin(self, path: Path, module: str) -> None:
        python = PLACE / "aws-plugin" / "bin" / "python"
        if not python.exists():
            raise ServerMissing(f"the AWS plugin's environment is not installed: {_REMEDY}")
        found: Mapping[str, str] = {"PYTHONPATH": f"{ROOT}{os.pathsep}{PLACE / 'aws-plugin' / 'generated'}"}
        lines = ["#!/bin/sh", *(f"export {name}='{value}'" for name, value in found.items())]
        path.write_text("\n".join([*lines, f"exec '{python}' -m {module}", ""]), encoding="utf-8")
        path.chmod(0o755)
