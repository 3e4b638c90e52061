"""The project folder: its stacks' files, and the environments that they make."""

import difflib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from infra.deployment.errors import BadRequest, UnknownTarget
from infra.settings import Cloud
from infra.tagging import PROJECT

PROJECT_FILE = "Pulumi.yaml"


@dataclass(frozen=True, kw_only=True)
class StackFile:
    """A stack as its file describes it. `config` is without secrets; objects are JSON, as the engine passes them."""

    name: str
    environment: str
    config: Mapping[str, str]

    @property
    def cloud(self) -> Cloud:
        """The stack's cloud; AWS where its file names none that there is."""
        return "alicloud" if self.config.get(f"{PROJECT}:cloud") == "alicloud" else "aws"

    @property
    def region(self) -> str:
        """The id of the stack's region; empty where its file names none."""
        return self.config.get(f"{self.cloud}:region", "")

    @property
    def region_key(self) -> str:
        """The region with its cloud, such as `aws:us-east-1`: clouds share ids."""
        return f"{self.cloud}:{self.region}"

    def document(self, key: str) -> Mapping[str, Any]:
        """A structured value, empty where there is none; raises BadRequest where it is no object."""
        raw = self.config.get(f"{PROJECT}:{key}")
        found = None
        with suppress(json.JSONDecodeError):
            found = json.loads(raw or "{}")
        if not isinstance(found, dict):
            raise BadRequest(f"stack {self.name}: {PROJECT}:{key} is {raw!r}; valid: an object")
        return found


@dataclass(frozen=True, kw_only=True)
class Project:
    """A folder with a Pulumi.yaml, and its stacks in the order of their names."""

    folder: Path
    stacks: Sequence[StackFile]

    def find(self, name: str) -> tuple[StackFile, ...]:
        """The stack of this name, or all stacks of the environment in the order of its workload's regions.

        Raises UnknownTarget, and BadRequest where stacks of the environment do not share a workload: what is meant for
        one of them, such as a host on one cloud, must not reach the others.
        """
        alone = tuple(stack for stack in self.stacks if stack.name == name)
        together = tuple(stack for stack in self.stacks if stack.environment == name)
        if not alone and len({_describe_load(stack) for stack in together}) > 1:
            names = ", ".join(stack.name for stack in together)
            raise BadRequest(f"environment {name} has stacks that are not of one workload: name one of {names}")
        if alone or together:
            return alone or tuple(sorted(together, key=_rank_region))
        stacks = [stack.name for stack in self.stacks]
        environments = sorted({stack.environment for stack in self.stacks if stack.environment})
        near = difflib.get_close_matches(name, [*stacks, *environments], n=1)
        raise UnknownTarget(name, stacks, environments, near[0] if near else "")


def open_project(start: Path) -> Project:
    """Read the project of a folder, or of the nearest one above it; raises BadRequest where there is none to read."""
    for folder in (start.resolve(), *start.resolve().parents):
        if (folder / PROJECT_FILE).is_file():
            place = _read_yaml(folder / PROJECT_FILE).get("stackConfigDir") or "."
            found = sorted((folder / place).glob("Pulumi.*.yaml"))
            return Project(folder=folder, stacks=tuple(read_stack_file(path) for path in found))
    raise BadRequest(f"there is no {PROJECT_FILE} in {start} nor above it: name the project's folder with --project")


def read_stack_file(path: Path) -> StackFile:
    """A stack's file by its path; raises BadRequest where it cannot be read."""
    config = _read_yaml(path).get("config") or {}
    if not isinstance(config, dict):
        raise BadRequest(f"{path}: config is {config!r}; valid: an object")
    plain = {key: _write(value) for key, value in config.items() if not _is_secret(value)}
    name = path.name.removeprefix("Pulumi.").removesuffix(".yaml")
    return StackFile(name=name, environment=plain.get(f"{PROJECT}:environment", ""), config=plain)


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadRequest(f"{path} cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(found, dict):
        raise BadRequest(f"{path} is no document of keys and values")
    return found


def _is_secret(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"secure"}


def _write(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _describe_load(stack: StackFile) -> tuple[str, str]:
    """The workload that a stack is a part of: without named regions it is one cloud's alone."""
    workload = stack.document("workload")
    return _write(workload), "" if workload.get("regions") else stack.cloud


def _rank_region(stack: StackFile) -> tuple[int, str]:
    """The place of the stack's region in its workload, and the name: the first region is the primary one."""
    regions = stack.document("workload").get("regions") or ()
    named = [_name_region(each) for each in regions if isinstance(each, dict)]
    for name in (stack.region_key, stack.region):
        if name in named:
            return named.index(name), stack.name
    return len(named), stack.name


def _name_region(wish: Mapping[str, Any]) -> str:
    """A region as a workload names it: with its cloud, in one word or in two, or by its id alone."""
    cloud, region = wish.get("cloud"), wish.get("region")
    return f"{cloud}:{region}" if cloud else str(region)
