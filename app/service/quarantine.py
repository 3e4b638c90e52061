"""Quarantine: texts that look like orders to the agent are kept, but neither found nor learned from.

A memory whose tags hold "quarantined" and not "released" is hidden: `GuardedIndex` leaves it out of every search, no
extractor is shown it, and nothing that stands is merged with it or ended by it. It is listed like any other memory, by
the tag. An administrator releases it by adding the tag "released" (a change of its tags), or deletes it. The tag
"quarantined" stays, since a conversation that is sent again brings it back: "released" outlasts that.

What counts as an order is told by the rules of data/quarantine.csv. A rule applies to all texts of the trust that it
names and less: a user may ask for answers in French, a tool's output may not.
"""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from unicodedata import category, normalize

from app.domain.access import Permission, Principal
from app.domain.conversation import Trust
from app.domain.embedding import Vector
from app.domain.memory import Memory, MemoryDraft, MemoryPatch, Scope
from app.domain.query import Candidate, MemoryFilter
from app.ports import SearchIndex
from app.service.authorisation import require

QUARANTINED, RELEASED = "quarantined", "released"
"""Tags; the first is also the key in a memory's details under which the reason stands."""
TRUST = "trust"
"""The key in a memory's details: whose words it was made of."""
NOT_THE_USERS_WORDS = "not the user's words"
DATA = Path(__file__).parent / "data" / "quarantine.csv"


@dataclass(frozen=True, kw_only=True, slots=True)
class QuarantineRule:
    """A sign that a text orders the agent about; it applies to texts of the trust `applies_from` and less."""

    name: str
    language: str
    reason: str
    applies_from: Trust
    pattern: re.Pattern[str]
    example: str
    counterexample: str


@cache
def quarantine_rules() -> tuple[QuarantineRule, ...]:
    """The rules of data/quarantine.csv, in the order of the file."""
    with DATA.open(encoding="utf-8", newline="") as file:
        return tuple(
            QuarantineRule(
                name=row["name"],
                language=row["language"],
                reason=row["reason"],
                applies_from=Trust(row["applies_from"]),
                pattern=re.compile(row["pattern"], re.IGNORECASE),
                example=row["example"],
                counterexample=row["counterexample"],
            )
            for row in csv.DictReader(file)
        )


def find_reason(text: str, trust: Trust) -> str:
    """Why a text of some trust is to be quarantined; empty where it is not."""
    # Invisible characters between letters hide words from rules, but not from a model.
    plain = text
    if not text.isascii():
        plain = "".join(one for one in normalize("NFKC", text) if category(one) != "Cf")
    return next((rule.reason for rule in _rules_for(trust) if rule.pattern.search(plain)), "")


@cache
def _rules_for(trust: Trust) -> tuple[QuarantineRule, ...]:
    return tuple(rule for rule in quarantine_rules() if trust.rank >= rule.applies_from.rank)


def isolate(draft: MemoryDraft, trust: Trust, reason: str) -> MemoryDraft:
    """The draft as one that is quarantined: it names no slot, so it ends nothing that stands."""
    return replace(
        draft,
        slot="",
        tags=tuple(dict.fromkeys((*draft.tags, QUARANTINED))),
        details={**draft.details, TRUST: trust.value, QUARANTINED: reason},
    )


def is_hidden(memory: Memory | MemoryDraft) -> bool:
    """Whether a memory is quarantined and nobody released it."""
    return QUARANTINED in memory.tags and RELEASED not in memory.tags


def check_release(principal: Principal, memory: Memory, patch: MemoryPatch) -> None:
    """Raise `Forbidden` where a patch would show what is hidden and the principal is no administrator."""
    if patch.tags is not None and is_hidden(memory) and not is_hidden(replace(memory, tags=patch.tags)):
        require(principal, Permission.ADMINISTER)


class GuardedIndex:
    """A `SearchIndex` that does not give hidden memories: to whoever searches they are as if they were deleted."""

    def __init__(self, index: SearchIndex) -> None:
        self._index = index

    def nearest(
        self,
        scope: Scope,
        vector: Vector,
        memory_filter: MemoryFilter,
        *,
        limit: int,
        as_of_ms: int | None = None,
        exact: bool = False,
    ) -> list[Candidate]:
        """As the index; hidden ones among them are not fetched."""
        return self._index.nearest(scope, vector, memory_filter, limit=limit, as_of_ms=as_of_ms, exact=exact)

    def matching(
        self, scope: Scope, text: str, memory_filter: MemoryFilter, *, limit: int, as_of_ms: int | None = None
    ) -> list[Candidate]:
        """As the index; hidden ones among them are not fetched."""
        return self._index.matching(scope, text, memory_filter, limit=limit, as_of_ms=as_of_ms)

    def fetch(self, scope: Scope, numbers: Sequence[int]) -> dict[int, Memory]:
        """The memories of these numbers but for the hidden ones."""
        found = self._index.fetch(scope, numbers)
        return {number: memory for number, memory in found.items() if not is_hidden(memory)}

    def vectors(self, scope: Scope, numbers: Sequence[int]) -> dict[int, Vector]:
        """As the index."""
        return self._index.vectors(scope, numbers)
