"""The facts of watching that the tests hold the resources against."""

from infra.tables import read_table

FACTS = "alicloud_facts_watching.csv"
OF_STACKS = frozenset({"account-is-audited"})
"""Rules about a whole stack, which none of its components keeps alone."""


def find_unknown(used: set[tuple[str, object]]) -> set[tuple[str, object]]:
    """The values of a kind that no page of the provider is known to allow."""
    known = {(row["kind"], row["value"]) for row in read_table(FACTS)}
    return {(kind, value) for kind, value in used if (kind, str(value)) not in known}


def find_limit(kind: str) -> int:
    """A limit, such as the characters of a name."""
    return next(int(row["value"]) for row in read_table(FACTS) if row["kind"] == kind)
