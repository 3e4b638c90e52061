"""Which terms are too common to search by."""

from collections.abc import Hashable
from math import inf

_REMEMBERED = 50_000


class CommonTerms:
    """Remembers which terms are too common to search by, so that they are not counted on every query.

    A term that was common is looked at again when its workspace has lost a tenth of its memories. A term is named by
    whatever tells it from the terms of other workspaces. May be used from any thread.
    """

    def __init__(self) -> None:
        self._populations: dict[tuple[Hashable, int], int] = {}

    def includes(self, term: Hashable, cap: int, population: int) -> bool:
        """Whether more than `cap` texts are known to have a term, in a workspace of so many texts."""
        return population >= 0.9 * self._populations.get((term, cap), inf)

    def add(self, term: Hashable, cap: int, population: int) -> None:
        """Remember a term that more than `cap` texts have."""
        if len(self._populations) >= _REMEMBERED:
            self._populations.clear()
        self._populations[term, cap] = population
