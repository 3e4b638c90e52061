"""What stays, or holds a removal up, when a stack is destroyed."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_TABLE = Path(__file__).parent / "data" / "retained.csv"
NOTHING = ("", "0", "None")
"""Values of a property that is not set: a window of 0 days deletes at once."""
BUCKETS = ("aws:s3/bucket", "alicloud:oss/bucket")
"""How the types begin of buckets and of their settings, which stay with them."""
RECORDS = ("alicloud:ecs/ecsInvocation:EcsInvocation", "alicloud:oos/execution:Execution")
"""What was done once: Pulumi deletes none, and Alibaba Cloud forgets them after some weeks."""


@dataclass(frozen=True, kw_only=True)
class Retained:
    """A resource that is not gone with its stack, and what of it stays."""

    type: str
    name: str
    what: str


@cache
def _rows() -> tuple[dict[str, str], ...]:
    with _TABLE.open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def list_retained(resources: Iterable[Mapping[str, Any]]) -> tuple[Retained, ...]:
    """What stays of the resources of a state: those that Pulumi leaves alone, and what the provider keeps."""
    found = []
    for each in resources:
        kind, name = str(each.get("type")), str(each.get("urn")).rpartition("::")[2]
        if each.get("retainOnDelete"):
            # the settings of a bucket stay with it: its own line says it all
            if kind not in RECORDS and (kind.endswith(":Bucket") or not kind.startswith(BUCKETS)):
                found.append(Retained(type=kind, name=name, what="the resource itself, which Pulumi leaves alone"))
            continue
        settled = {**(each.get("inputs") or {}), **(each.get("outputs") or {})}
        for row in _rows():
            value = _show(settled.get(row["property"]))
            if row["type"] == kind and (value == row["equals"] or (row["equals"] == "*" and value not in NOTHING)):
                found.append(Retained(type=kind, name=name, what=row["what"].format(value=value)))
    return tuple(found)


def list_protected(resources: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The logical names of the resources that are protected from deletion."""
    return tuple(str(each.get("urn")).rpartition("::")[2] for each in resources if each.get("protect"))


def _show(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value) if isinstance(value, float) and value.is_integer() else "" if value is None else value)
