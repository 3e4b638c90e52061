"""What the emulators hold, by their own books: what is left of a stack when it is gone."""

import csv
import json
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tests.emulated_aws.stage import Stage

_TABLE = Path(__file__).parent / "leftovers.csv"
_DEFAULT = re.compile(r"\w+-0000000\d")
"""The ids of the network that every account has."""


@dataclass(frozen=True, order=True)
class Entry:
    """An entry in a book of an emulator, such as a volume's id in `volumes` of `ec2`.

    `state` is there where the emulator says one, and `text` is all that it keeps of a snapshot.
    """

    service: str
    book: str
    key: str
    state: str = ""
    text: str = field(default="", repr=False)

    def is_of(self, id_: str) -> bool:
        """Whether it is the resource of an id or ARN, or a snapshot of it."""
        return self.key in id_ or id_ in self.text


def list_left(stage: Stage, made: Collection[str], regions: Collection[str]) -> list[Entry]:
    """All that both emulators still hold, but for what `leftovers.csv` explains; `made` are the ids that stacks had.

    Stops the first emulator, which writes its books only then: the stage cannot be used after that.
    """
    stage.emulator.stop()
    held = [*_read(stage.emulator.folder / "state"), *_ask_second(stage, regions)]
    return sorted(each for each in held if not _is_explained(each, made))


@cache
def _explanations() -> tuple[dict[str, str], ...]:
    with _TABLE.open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def _is_explained(entry: Entry, made: Collection[str]) -> bool:
    if _DEFAULT.fullmatch(entry.key):
        return True
    return any(
        (row["service"], row["book"]) == (entry.service, entry.book)
        and row["state"] in ("*", entry.state)
        and (row["whose"] == "stack" or entry.key not in made)
        for row in _explanations()
    )


def _read(folder: Path) -> Iterator[Entry]:
    """The entries of ministack's files: one for each service, in it books with keys `account NUL region NUL 'key'`."""
    for path in sorted(folder.glob("*.json")):
        for book, found in (json.loads(path.read_text(encoding="utf-8")).get("payload") or {}).items():
            entries = found.get("data", found) if isinstance(found, dict) else {}
            for key, entry in entries.items():
                text = json.dumps(entry) if book == "snapshots" else ""
                yield Entry(path.stem, book, key.rpartition("\0")[2].strip("'"), _read_state(entry), text)


def _read_state(entry: Any) -> str:
    """How ministack says that something is gone, or is not."""
    if not isinstance(entry, Mapping):
        return ""
    for name in ("State", "status", "Status", "state", "lastStatus", "KeyState"):
        found = entry.get(name)
        found = found.get("Name") or found.get("Code") if isinstance(found, Mapping) else found
        if isinstance(found, str):
            return found.lower()
    return "deleted" if entry.get("DeletedDate") else ""


def _ask_second(stage: Stage, regions: Collection[str]) -> Iterator[Entry]:
    """moto answers for alarms and dashboards."""
    for region in regions:
        with closing(stage.connect("cloudwatch", region)) as client:
            for page in client.get_paginator("describe_alarms").paginate():
                for alarm in page["MetricAlarms"]:
                    yield Entry("cloudwatch", "alarms", alarm["AlarmName"])
            for dashboard in client.list_dashboards()["DashboardEntries"]:
                yield Entry("cloudwatch", "dashboards", dashboard["DashboardName"])
