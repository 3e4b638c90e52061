"""What the engine does, as it tells it: a line per resource, and what went wrong."""

from collections import Counter
from collections.abc import Callable

from pulumi.automation.events import DiagnosticEvent, EngineEvent, StepEventMetadata

DONE = {
    "create": "created",
    "update": "changed",
    "delete": "deleted",
    "replace": "replaced",
    "create-replacement": "created anew",
    "delete-replaced": "deleted the former",
    "import": "imported",
    "discard": "forgot",
}
"""What a finished step is called; steps that are not here change nothing."""
DISRUPTIVE = frozenset({"delete", "replace"})
"""Steps of a preview that take away what is there."""


class Progress:
    """Listens to one run of the engine; `say` gets its lines.

    Attributes: `changes` counts steps by their name, `disruptive` lists what a preview would delete or replace,
    `failed` the types of resources that failed, `errors` has what the engine says went wrong.
    """

    def __init__(self, stack: str, say: Callable[[str], None], *, total: int = 0) -> None:
        self._stack, self._say, self._total = stack, say, total
        self.changes: Counter[str] = Counter()
        self.disruptive: list[str] = []
        self.failed: list[str] = []
        self.errors: list[str] = []

    def __call__(self, event: EngineEvent) -> None:
        """Take an event."""
        if event.resource_pre_event is not None and event.resource_pre_event.planning:
            step = event.resource_pre_event.metadata
            if step.op in DISRUPTIVE:
                self.disruptive.append(f"{step.op.value} {describe(step)}")
        elif event.res_outputs_event is not None and not event.res_outputs_event.planning:
            self._finish(event.res_outputs_event.metadata)
        elif event.res_op_failed_event is not None:
            step = event.res_op_failed_event.metadata
            self.failed.append(step.type)
            self._say(f"{self._stack}: FAILED {describe(step)}")
        elif event.diagnostic_event is not None and event.diagnostic_event.severity == "error":
            self.errors.append(_tidy(event.diagnostic_event))

    def _finish(self, step: StepEventMetadata) -> None:
        if step.op in DONE:
            self.changes[str(step.op.value)] += 1
            done = sum(self.changes.values())
            of = f" ({done} of {self._total})" if self._total >= done else ""
            self._say(f"{self._stack}: {DONE[step.op]} {describe(step)}{of}")


def describe(step: StepEventMetadata) -> str:
    """A resource by its type and its logical name, such as "aws:ec2/vpc:Vpc main"."""
    return f"{step.type} {step.urn.rpartition('::')[2]}"


def _tidy(event: DiagnosticEvent) -> str:
    name = (event.urn or "").rpartition("::")[2]
    text = " ".join(event.message.split())
    return f"{name}: {text}" if name else text
