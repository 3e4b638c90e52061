"""Pulumi's engine on one stack, by its automation interface."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pulumi import automation
from pulumi.automation.errors import CommandError, ConcurrentUpdateError, InvalidVersionError, StackNotFoundError

from infra.deployment.errors import DeploymentError, EngineFailed, EngineMissing, NotDeployed
from infra.deployment.progress import DONE, Progress

LAST_LINES = 12
"""How much of the engine's own output an error shows, where the engine named no cause."""


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What `up` would do: steps by their name, without those that change nothing, and what it would take away."""

    changes: Mapping[str, int]
    disruptive: tuple[str, ...]

    @property
    def total(self) -> int:
        """How many steps."""
        return sum(self.changes.values())


def find_command(folder: Path) -> automation.PulumiCommand:
    """The `pulumi` on PATH, or the one that tools/install-pulumi.sh builds in the project.

    Raises EngineMissing, or DeploymentError for one that is too old.
    """
    built = folder / ".envs" / "pulumi"
    root = None if shutil.which("pulumi") else str(built)
    if root and not (built / "bin" / "pulumi").exists():
        raise EngineMissing(str(built / "bin"))
    try:
        return automation.PulumiCommand(root=root)
    except InvalidVersionError as error:
        raise DeploymentError(f"the engine `pulumi` is too old: {error}") from error


class DeployedStack:
    """A stack of a project, opened for work; `say` gets a line per resource."""

    def __init__(self, name: str, stack: automation.Stack, say: Callable[[str], None]) -> None:
        self.name, self._stack, self._say = name, stack, say

    def preview(self) -> Preview:
        """What `up` would do; changes nothing. Raises EngineFailed."""
        progress = Progress(self.name, self._say)
        with _explained(self.name, "preview", progress):
            found = self._stack.preview(on_event=progress, color="never")
        counts = {str(getattr(op, "value", op)): count for op, count in found.change_summary.items()}
        return Preview(
            changes={op: count for op, count in counts.items() if op in DONE}, disruptive=tuple(progress.disruptive)
        )

    def up(
        self, *, total: int = 0, program: Callable[[], None] | None = None, targets: Sequence[str] = ()
    ) -> Mapping[str, int]:
        """Make the stack what its program says; returns the steps taken. Raises EngineFailed.

        With `program`, which runs in this process, and `targets`, patterns of URNs, only what both name is touched.
        """
        progress = Progress(self.name, self._say, total=total)
        with _explained(self.name, "update", progress):
            self._stack.up(
                on_event=progress,
                color="never",
                show_secrets=False,
                suppress_outputs=True,
                program=program,
                target=list(targets) or None,
            )
        return progress.changes

    def destroy(self) -> Mapping[str, int]:
        """Delete every resource; the stack's history stays. Raises EngineFailed."""
        progress = Progress(self.name, self._say)
        with _explained(self.name, "removal", progress):
            self._stack.destroy(on_event=progress, color="never", show_secrets=False)
        return progress.changes

    def configure(self, key: str, value: str) -> None:
        """Set a value in the stack's file; dots in the key lead into an object."""
        with _explained(self.name, f"setting {key}"):
            self._stack.set_config(key, automation.ConfigValue(value=value), path="." in key)

    def forget(self, key: str) -> None:
        """Take a value out of the stack's file."""
        with _explained(self.name, f"removing {key}"):
            self._stack.remove_config(key)

    def outputs(self) -> Mapping[str, Any]:
        """The outputs, secrets masked; empty where the stack has never been deployed."""
        with _explained(self.name, "reading the outputs"):
            found = self._stack.outputs()
        return {name: "[secret]" if output.secret else output.value for name, output in sorted(found.items())}

    def history(self) -> list[automation.UpdateSummary]:
        """What was done to the stack, the last first."""
        with _explained(self.name, "reading the history"):
            return self._stack.history(show_secrets=False)

    def resources(self) -> list[Mapping[str, Any]]:
        """The resources of the stack's state."""
        with _explained(self.name, "reading the state"):
            state = self._stack.export_stack()
        return list((state.deployment or {}).get("resources") or ())


@dataclass(frozen=True, kw_only=True)
class Engine:
    """The engine on a project's folder; `say` gets lines of progress."""

    workspace: automation.LocalWorkspace
    say: Callable[[str], None]

    def create(self, name: str) -> DeployedStack:
        """Open a stack, made first where it has never been deployed. Raises EngineFailed."""
        with _explained(name, "opening"):
            stack = automation.Stack.create_or_select(name, self.workspace)
        return DeployedStack(name, stack, self.say)

    def open(self, name: str) -> DeployedStack:
        """Open a stack that is there; raises NotDeployed or EngineFailed."""
        with _explained(name, "opening"):
            stack = automation.Stack.select(name, self.workspace)
        return DeployedStack(name, stack, self.say)


def start_engine(folder: Path, say: Callable[[str], None]) -> Engine:
    """The engine for a project's folder; raises EngineMissing."""
    command = find_command(folder)
    return Engine(workspace=automation.LocalWorkspace(work_dir=str(folder), pulumi_command=command), say=say)


@contextmanager
def _explained(stack: str, action: str, progress: Progress | None = None) -> Iterator[None]:
    """Make one readable error of what the engine says when it gives up."""
    try:
        yield
    except StackNotFoundError as error:
        raise NotDeployed(stack) from error
    except ConcurrentUpdateError as error:
        said = f"another update is under way, or was cut off: wait for it, or run `pulumi cancel --stack {stack}`"
        raise EngineFailed(stack, action, said) from error
    except CommandError as error:
        causes, failed = (progress.errors, progress.failed) if progress is not None else ([], [])
        said = "; ".join(dict.fromkeys(causes)) or _last_lines(str(error))
        raise EngineFailed(stack, action, said, failed) from error


def _last_lines(said: str) -> str:
    """The end of the engine's standard error, of a text "code: …, stdout: …, stderr: …"."""
    text = said.rpartition("stderr:")[2] or said
    return " ".join(" ".join(text.splitlines()[-LAST_LINES:]).split())


def decode_config(summary: automation.UpdateSummary, key: str) -> Any:
    """A structured value of the configuration with which an update was made; None where it had none."""
    found = summary.config.get(key)
    return None if found is None else json.loads(found.value)
