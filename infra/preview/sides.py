"""The stacks of both sides of a change, and each side's copy that the engine works in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.preview.errors import InvalidProject
from infra.preview.projects import Interpreter, PreviewProject, copy_project, move_paths


@dataclass(frozen=True, kw_only=True)
class Side:
    """A side in a run: its project, the copy of it that the engine works in, and what its programs see."""

    project: PreviewProject
    copy: Path
    environment: Mapping[str, str]


def copy_side(
    project: PreviewProject, target: Path, interpreter: Interpreter, shared: Mapping[str, str], tree: Path
) -> Side:
    """A copy of a side; what PYTHONPATH has of the working tree `tree` is there that of the side."""
    copy = copy_project(project, target, interpreter)
    path = shared.get("PYTHONPATH", "")
    moved = move_paths(path, tree, project.root) if path else path
    return Side(project=project, copy=copy, environment={**shared, **({"PYTHONPATH": moved} if path else {})})


def choose_stacks(
    before: PreviewProject | None, after: PreviewProject | None, stacks: Sequence[str], folder: Path
) -> tuple[str, ...]:
    """The wanted stacks, by default all of both sides. Raises InvalidProject where there is none."""
    if before is None and after is None:
        raise InvalidProject(f"there is no Pulumi.yaml in {folder}: name the project's folder with --project")
    known = sorted({name for each in (before, after) if each is not None for name in each.stacks})
    if not known:
        raise InvalidProject(f"{folder} has no stack: a stack has a file Pulumi.<stack>.yaml")
    missing = [name for name in stacks if name not in known]
    if missing:
        raise InvalidProject(f"there is no stack {missing[0]!r} in base or head. Stacks: {', '.join(known)}")
    return tuple(dict.fromkeys(stacks)) or tuple(known)
