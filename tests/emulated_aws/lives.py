"""The life of a stack on a stage, in the steps of its owner."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.deployment.retention import Retained, list_retained
from tests.emulated_aws.stage import Stage

_PARALLEL = "64"
"""Nearly all of a life is the provider's fixed waits, which cost no processor; the engine does four things per core."""


@dataclass(frozen=True, kw_only=True)
class Life:
    """A stack of a project on a stage; several may live on one stage at the same time."""

    stage: Stage
    project: Path
    stack: str

    def up(self) -> Sequence[str]:
        """Update without a preview; returns what was done, as `events` does. Raises EngineFailed."""
        before = len(self.events())
        self._move("up", "--yes", "--skip-preview")
        return self.events()[before:]

    def expect_no_changes(self) -> None:
        """Preview and refresh; raises EngineFailed where either finds a difference."""
        self._move("preview", "--expect-no-changes")
        self._move("refresh", "--yes", "--skip-preview", "--expect-no-changes")

    def preview(self) -> Sequence[Mapping[str, Any]]:
        """The steps that an update would take, without those that change nothing."""
        steps = json.loads(self._move("preview", "--json"))["steps"]
        return [step for step in steps if step["op"] != "same"]

    def destroy(self) -> None:
        """Delete what the stack has. Raises EngineFailed."""
        self._move("destroy", "--yes", "--skip-preview")

    def configure(self, key: str, value: str) -> None:
        """Set a value in the stack's file; dots lead into an object."""
        self._run("config", "set", "--path", key, value)

    def output(self, name: str) -> str:
        """An output as the engine prints it."""
        return self._run("stack", "output", name).strip()

    def resources(self) -> Sequence[Mapping[str, Any]]:
        """The resources of the engine's state."""
        return list(self.stage.export(self.stack, self.project)["deployment"].get("resources") or ())

    def retained(self) -> Sequence[Retained]:
        """What `reme-deploy destroy` says that stays."""
        return list_retained(self.resources())

    def events(self) -> Sequence[str]:
        """What the provider did to the stack's resources: `CREATED type name`, and CHANGED and DELETED."""
        return [f"{kind} {type_} {name}" for kind, type_, name, _ in self._acts()]

    def ids(self) -> Mapping[str, str]:
        """The provider's id of each resource that was created, by its type and logical name."""
        return {f"{type_} {name}": id_ for kind, type_, name, id_ in self._acts() if kind == "CREATED"}

    def refused(self) -> Sequence[str]:
        """What the provider refused, with its words."""
        return [line for line in self.stage.log() if line.startswith(f"REFUSED urn:pulumi:{self.stack}::")]

    def _acts(self) -> Sequence[tuple[str, str, str, str]]:
        acts = []
        for line in self.stage.log():
            kind, _, rest = line.partition(" ")
            urn, _, id_ = rest.partition(" ")
            if kind in ("CREATED", "CHANGED", "DELETED") and urn.startswith(f"urn:pulumi:{self.stack}::"):
                _, _, types, name = urn.split("::", 3)
                acts.append((kind, types.rpartition("$")[2], name, id_))
        return acts

    def _move(self, *arguments: str) -> str:
        return self._run(*arguments, "--parallel", _PARALLEL)

    def _run(self, *arguments: str) -> str:
        return self.stage.run(*arguments, "--stack", self.stack, project=self.project)
