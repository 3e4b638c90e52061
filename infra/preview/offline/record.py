"""What the plugins of a run note down for the result: a line of JSON each, in one file."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

VARIABLE = "REME_PREVIEW_RECORD"
"""The environment variable that names the file."""
MADE_UP = "__madeUp"
"""The output that names the outputs that are made up: a reader must not take them for facts."""
Kind = Literal["made-up", "unknown-package", "unsure"]


@dataclass(frozen=True, kw_only=True)
class Note:
    """A note: a look-up whose answer is made up, a package without an SDK, a change that may replace a resource.

    `about` is a look-up's or a resource's type or the package, `urn` a resource; `details` are arguments or properties.
    """

    kind: Kind
    about: str
    urn: str = ""
    details: tuple[str, ...] = ()


def write_note(note: Note) -> None:
    """Append a note to the run's file; nothing happens outside of a run."""
    path = os.environ.get(VARIABLE)
    if not path:
        return
    line = json.dumps({"kind": note.kind, "about": note.about, "urn": note.urn, "details": note.details})
    # One write of a line in append mode is whole, also where plugins write at the same time.
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def read_notes(path: Path) -> Sequence[Note]:
    """Every note of a run once, in the order of their first writing."""
    if not path.is_file():
        return ()
    lines = dict.fromkeys(path.read_text(encoding="utf-8").splitlines())
    found = (json.loads(line) for line in lines)
    return tuple(
        Note(kind=each["kind"], about=each["about"], urn=each["urn"], details=tuple(each["details"])) for each in found
    )
