"""The kinds of resources that are known: how each is billed, and whether it keeps data (`data/resource_kinds.csv`)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal, cast

from sizing.tables import read_table, split_list

Treatment = Literal["priced", "by-use", "free", "unsupported"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """One type of resource.

    `type` is the token that the table bills it by: another token of the same resource has the kind of its `like`.
    `usage` are the keys that a usage file may give it; `reason` and `source` say where the treatment is known from.
    """

    type: str
    treatment: Treatment
    component: str
    keeps_data: bool
    usage: tuple[str, ...]
    reason: str
    source: str
    as_of: str


def find_kind(token: str) -> Kind:
    """The kind of a type's token; one that the table does not have is unsupported, and taken to keep no data."""
    known = kinds().get(token)
    return known if known is not None else replace(_UNKNOWN, type=token)


@cache
def kinds() -> Mapping[str, Kind]:
    """Every known kind by each of its tokens."""
    rows = {row["type"]: row for row in read_table("resource_kinds.csv")}
    return {token: _read(rows[row["like"] or token]) for token, row in rows.items()}


def _read(row: Mapping[str, str]) -> Kind:
    return Kind(
        type=row["type"],
        treatment=cast("Treatment", row["treatment"]),
        component=row["component"],
        keeps_data=row["keeps_data"] == "yes",
        usage=split_list(row["usage"]),
        reason=row["reason"],
        source=row["source"],
        as_of=row["as_of"],
    )


_UNKNOWN = Kind(
    type="",
    treatment="unsupported",
    component="other",
    keeps_data=False,
    usage=(),
    reason="the kind is not known",
    source="",
    as_of="",
)
