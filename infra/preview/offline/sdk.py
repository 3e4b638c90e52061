"""The shape of resources and look-ups, read from the text of Pulumi's Python SDKs.

The SDK's modules are not imported: that costs seconds, and the SDK may be another environment's. A property that the
SDK gives no `Optional` is one that the provider always answers.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

_GETTER = re.compile(r'@pulumi\.getter(?:\(name="(\w+)"\))?\n    def (\w+)\(self\) -> (.+):\n')
_WRAPS = ("pulumi.Output[", "pulumi.Input[")


@dataclass(frozen=True, kw_only=True)
class Field:
    """A property: its type as the SDK writes it, without wraps, and whether it is always there."""

    type: str
    required: bool


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A resource's or a look-up's properties by Pulumi's names; `folder` is where the SDK's types of it are."""

    folder: Path
    inputs: Mapping[str, Field] = field(default_factory=dict)
    outputs: Mapping[str, Field] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Sdk:
    """An installed SDK of a package."""

    folder: Path
    version: str

    def resource(self, token: str) -> Shape | None:
        """The shape of a type such as `aws:ec2/vpc:Vpc`; None where the SDK has no such type."""
        return _read_shape(self.folder, token, look_up=False)

    def look_up(self, token: str) -> Shape | None:
        """The shape of a look-up such as `aws:ec2/getAmi:getAmi`; None where the SDK has no such look-up."""
        return _read_shape(self.folder, token, look_up=True)


@cache
def find_sdk(package: str, places: tuple[Path, ...]) -> Sdk | None:
    """The package's SDK in one of these folders of Python packages; None where it is in none."""
    for place in places:
        folder = place / f"pulumi_{package.replace('-', '_')}"
        about = folder / "pulumi-plugin.json"
        if about.is_file():
            return Sdk(folder=folder, version=str(json.loads(about.read_text(encoding="utf-8")).get("version", "")))
    return None


def find_places(folders: Iterable[str]) -> tuple[Path, ...]:
    """Folders that exist, of a search path."""
    return tuple(Path(each) for each in folders if each and Path(each).is_dir())


def nested_fields(folder: Path, name: str, *, of: str = "outputs.py") -> Mapping[str, Field]:
    """The properties of a nested type of the SDK's module in this folder; empty where it has none of this name."""
    return _read_classes(folder / of).get(name, {})


def nested_name(type_: str) -> str:
    """The nested type that a property's type holds, such as CertificateOptions; empty where it holds none."""
    found = re.search(r"'(?:outputs\.)?(\w+)'", type_)
    return found.group(1) if found else ""


@cache
def _read_shape(folder: Path, token: str, *, look_up: bool) -> Shape | None:
    parts = token.split(":")
    if len(parts) != 3:
        return None
    name = parts[2]
    title = name[0].upper() + name[1:]
    result = f"{title}Result" if look_up else title
    module = parts[1].partition("/")[0]
    for place in (folder,) if module in ("index", "") else (folder / module, folder / f"{module}_"):
        for path in _guess_files(place, name):
            classes = _read_classes(path)
            if result in classes:
                given = {} if look_up else classes.get(f"{title}Args", {})
                return Shape(folder=place, inputs=given, outputs=classes[result])
    return None


def _guess_files(folder: Path, name: str) -> Iterable[Path]:
    """The file that the name suggests, then every file of the module whose name is alike."""
    guess = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()
    if (folder / f"{guess}.py").is_file():
        yield folder / f"{guess}.py"
    plain = guess.replace("_", "")
    for path in sorted(folder.glob("*.py")) if folder.is_dir() else ():
        if path.stem != guess and path.stem.replace("_", "") == plain:
            yield path


@cache
def _read_classes(path: Path) -> Mapping[str, Mapping[str, Field]]:
    """The properties of each class of a module."""
    if not path.is_file():
        return {}
    found: dict[str, Mapping[str, Field]] = {}
    for part in path.read_text(encoding="utf-8").split("\nclass ")[1:]:
        name = re.match(r"\w+", part)
        if name:
            found[name.group()] = {
                pulumi_name or python_name: _read_field(type_)
                for pulumi_name, python_name, type_ in _GETTER.findall(part)
            }
    return found


def _read_field(type_: str) -> Field:
    for wrap in _WRAPS:
        if type_.startswith(wrap):
            type_ = type_[len(wrap) : -1]
    required = not type_.startswith("Optional[")
    type_ = type_ if required else type_[len("Optional[") : -1]
    for wrap in _WRAPS:
        if type_.startswith(wrap):
            type_ = type_[len(wrap) : -1]
    return Field(type=type_.replace("_builtins.", ""), required=required)
