"""Lines that several files hold: counted once where the bill can tell, reported where it cannot."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import combinations

TWIN_SHARE = 0.9
TWIN_KEYS = 4
"""Two files are called twins where 90 % of at least 4 common day-and-service sums are equal (ours)."""


@dataclass(slots=True)
class Overlaps:
    """What was counted so far, over all files.

    Lines with an identity (AWS: ``identity/LineItemId`` and ``identity/TimeInterval``; plain: ``id``)
    count once. AWS guarantees the identity within one file of a delivery only (CUR guide, identity
    details), so lines that share it and differ in content are different lines; ``differing`` counts them.
    Alibaba's bill has no identity: a row counts as often as the file that holds it most often has it.
    """

    repeated: int = 0
    differing: int = 0
    _contents: dict[str, str] = field(default_factory=dict)
    _earlier: Counter[bytes] = field(default_factory=Counter)
    _here: Counter[bytes] = field(default_factory=Counter)

    def keep_identified(self, identities: Iterable[str], contents: Iterable[str]) -> list[bool]:
        """Tell for each line whether it counts; an empty identity always does."""
        return [
            not identity or self._is_new(identity, content)
            for identity, content in zip(identities, contents, strict=True)
        ]

    def _is_new(self, identity: str, content: str) -> bool:
        if identity not in self._contents:
            self._contents[identity] = content
            return True
        if self._contents[identity] == content:
            self.repeated += 1
            return False
        # The second content of an identity is kept under a key of its own, to be recognised again.
        own = f"{identity}\x00{content}"
        if own in self._contents:
            self.repeated += 1
            return False
        self._contents[own] = content
        self.differing += 1
        return True

    def keep_rows(self, rows: Iterable[Sequence[str]]) -> list[bool]:
        """Tell for each whole row of the current file whether it counts."""
        kept = []
        for row in rows:
            digest = hashlib.blake2b("\x1f".join(row).encode(), digest_size=16).digest()
            self._here[digest] += 1
            counts = self._here[digest] > self._earlier[digest]
            self.repeated += not counts
            kept.append(counts)
        return kept

    def end_file(self) -> None:
        """Say that the rows that follow are of another file."""
        self._earlier |= self._here
        self._here = Counter()


def find_twins(files: Mapping[str, Mapping[tuple[object, str], Decimal]]) -> list[tuple[str, str]]:
    """Return pairs of files that seem to bill the same days twice.

    ``files`` has for each file the sums by day and service. Two deliveries of one month differ in every
    identity, so that only their sums give them away. Sums of zero prove nothing and are left out.
    """
    twins = []
    for (first, sums), (second, others) in combinations(files.items(), 2):
        common = [key for key, usd in sums.items() if usd and others.get(key)]
        equal = sum(1 for key in common if sums[key] == others[key])
        if len(common) >= TWIN_KEYS and equal >= TWIN_SHARE * len(common):
            twins.append((first, second))
    return twins
