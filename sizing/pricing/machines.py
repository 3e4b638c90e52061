"""How many machines of a group there are at each corner."""

from sizing.pricing.draft import Draft, read_number


def count_nodes(draft: Draft, least: str, desired: str, most: str) -> int | None:
    """The least size is the low corner, the desired one the expected, the largest the high; None where unknown.

    A desired size that nobody gives is the least one: groups begin there.
    """
    low, high = draft.number(least), draft.number(most)
    wanted = read_number(draft.find(desired))
    if low is None or high is None:
        return None
    expected = low if wanted is None else min(max(wanted, low), high)
    return int({"low": low, "expected": expected, "high": max(low, high)}[draft.corner])
