"""A project's folder as a preview runs it: its stacks, and a copy whose configuration can be read without its keys.

The copy is made of links: only `Pulumi.yaml` and the stacks' files are written anew, so nothing changes in a working
tree, and a base has its own code on its path.
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from infra.preview.errors import InvalidProject

_FILES = ("Pulumi.yaml", "Pulumi.yml")
_CONFIG = ".reme-preview"
"""Where the stacks' files are in a copy."""
_KEYS = ("secretsprovider", "encryptedkey", "encryptionsalt", "environment")
"""What a stack's file says about its keys and about Pulumi's own environments, which only its backend knows."""


@dataclass(frozen=True, kw_only=True)
class PreviewProject:
    """A project in a folder of a repository. `stacks` are the stacks' files by the stacks' names."""

    root: Path
    folder: Path
    file: Path
    document: Mapping[str, Any]
    stacks: Mapping[str, Path]

    @property
    def name(self) -> str:
        """The project's name."""
        return str(self.document["name"])


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    """The Python of a program: a virtual environment, or (`environment` None) a Python without one."""

    python: Path
    environment: Path | None

    @property
    def packages(self) -> tuple[Path, ...]:
        """The folders of Python packages in it, for the SDKs that are there."""
        if self.environment is None:
            return ()
        return tuple(sorted(self.environment.glob("lib/python3*/site-packages")))


def read_project(root: Path, folder: Path) -> PreviewProject | None:
    """The project of a folder; None where the folder has none. Raises InvalidProject for one that cannot be read."""
    file = next((folder / name for name in _FILES if (folder / name).is_file()), None)
    if file is None:
        return None
    document = _read_yaml(file)
    if not isinstance(document.get("name"), str) or not document.get("runtime"):
        raise InvalidProject(f"{file} has no name or no runtime: it is no project of Pulumi")
    place = folder / str(document.get("stackConfigDir") or ".")
    found = sorted((*place.glob("Pulumi.*.yaml"), *place.glob("Pulumi.*.yml")))
    stacks = {each.name.removeprefix("Pulumi.").rpartition(".")[0]: each for each in found}
    return PreviewProject(root=root, folder=folder, file=file, document=document, stacks=stacks)


def find_interpreter(project: PreviewProject, here: Path) -> Interpreter:
    """The environment that the project names, where its folder `here` of the working tree has it, else our own."""
    options = _options(project.document)
    named = options.get("virtualenv")
    main = here / str(project.document.get("main") or ".")
    for place in (here, main if main.is_dir() else main.parent):
        if named and (place / str(named) / "bin" / "python").exists():
            environment = (place / str(named)).absolute()
            return Interpreter(python=environment / "bin" / "python", environment=environment)
    own = Path(sys.prefix) if sys.prefix != sys.base_prefix else None
    return Interpreter(python=Path(sys.executable), environment=own)


def copy_project(project: PreviewProject, target: Path, interpreter: Interpreter) -> Path:
    """A copy of links in a folder, with the Python of the run; returns the project's folder in it."""
    place = project.folder.resolve().relative_to(project.root.resolve())
    source, here = project.root, target
    here.mkdir(parents=True)
    for step in (*place.parts, None):
        for each in source.iterdir():
            if each.name not in (step, ".git", _CONFIG) and not (step is None and each.name in _FILES):
                (here / each.name).symlink_to(each.absolute())
        if step is not None:
            source, here = source / step, here / step
            here.mkdir()
    document = {**project.document, "stackConfigDir": _CONFIG}
    runtime = document["runtime"]
    name = runtime.get("name") if isinstance(runtime, dict) else runtime
    if name == "python":
        # Which Python runs is decided here; `toolchain` would install packages.
        options = {} if interpreter.environment is None else {"virtualenv": str(interpreter.environment)}
        document["runtime"] = {"name": "python", "options": options}
    (here / _CONFIG).mkdir()
    (here / project.file.name).write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return here


def has_secrets(file: Path) -> bool:
    """Whether a stack's file holds encrypted values."""
    return any(True for _ in _list_secrets(_read_yaml(file).get("config") or {}))


def find_changed_secrets(before: Path, after: Path) -> tuple[str, ...]:
    """The encrypted keys that both files have with different texts; what they stand for may still be the same."""
    old, new = (dict(_list_secrets(_read_yaml(file).get("config") or {})) for file in (before, after))
    return tuple(key for key, text in new.items() if key in old and old[key] != text)


def write_config(file: Path, copy: Path, *, salt: str, placeholder: str, wanted: Sequence[str] = ()) -> tuple[str, ...]:
    """Write a stack's file into a copy of its project, each encrypted value replaced by `placeholder`.

    `salt` and `placeholder` are of the run's own passphrase. `wanted` are keys that get it where the file has none.
    Returns what was replaced, what was added, and what was left out.
    """
    document = _read_yaml(file)
    config = document.get("config") or {}
    if not isinstance(config, dict):
        raise InvalidProject(f"{file}: config is {config!r}; valid: an object")
    added = {key: {"secure": placeholder} for key in wanted if key not in config}
    replaced = (*dict(_list_secrets(config)), *added)
    lost = ("environment",) if document.get("environment") else ()
    written = {key: value for key, value in document.items() if key not in _KEYS}
    written |= {"config": {**_replace_secrets(config, placeholder), **added}}
    written |= {"encryptionsalt": salt} if salt else {}
    target = copy / _CONFIG / file.name
    target.write_text(yaml.safe_dump(written, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return (*replaced, *lost)


def find_packages(places: tuple[Path, ...], folder: Path) -> tuple[str, ...]:
    """The packages whose SDKs are installed, and the ones that are always served."""
    found = {"aws", "alicloud", "random"}
    for place in places:
        for about in place.glob("pulumi_*/pulumi-plugin.json"):
            found.add(str(_read_yaml(about).get("name") or about.parent.name.removeprefix("pulumi_").replace("_", "-")))
    modules = folder / "node_modules" / "@pulumi"
    if modules.is_dir():
        found |= {each.name for each in modules.iterdir()} - {"pulumi", "policy"}
    return tuple(sorted(each for each in found if each.replace("-", "").replace("_", "").isalnum()))


def move_paths(value: str, root: Path, tree: Path) -> str:
    """A search path in which folders of a repository are those of another tree of it."""
    moved = []
    for each in value.split(os.pathsep):
        path = Path(each).absolute() if each else None
        inside = path is not None and path.is_relative_to(root)
        moved.append(str(tree / path.relative_to(root)) if path is not None and inside else each)
    return os.pathsep.join(moved)


def _options(document: Mapping[str, Any]) -> Mapping[str, Any]:
    runtime = document.get("runtime")
    options = runtime.get("options") if isinstance(runtime, dict) else None
    return options if isinstance(options, dict) else {}


def _is_secret(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"secure"}


def _list_secrets(config: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """The path of each encrypted value, and its text."""
    items = config.items() if isinstance(config, dict) else enumerate(config) if isinstance(config, list) else ()
    for key, value in items:
        here = f"{path}.{key}" if path else str(key)
        if _is_secret(value):
            yield here, str(value["secure"])
        else:
            yield from _list_secrets(value, here)


def _replace_secrets(value: Any, placeholder: str) -> Any:
    if _is_secret(value):
        return {"secure": placeholder}
    if isinstance(value, dict):
        return {key: _replace_secrets(each, placeholder) for key, each in value.items()}
    return [_replace_secrets(each, placeholder) for each in value] if isinstance(value, list) else value


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidProject(f"{path} cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(found, dict):
        raise InvalidProject(f"{path} is no document of keys and values")
    return found
