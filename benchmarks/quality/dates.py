"""Dates of the made-up talks, and how questions name them."""

from datetime import UTC, datetime

END_MS = 1_790_000_000_000
"""When the questions are asked: 2026-09-21 in UTC."""
SESSION_DAYS = 20

_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def name_month(at_ms: int, language: str) -> str:
    """For example "in March 2025"."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return f"{at.year}年{at.month}月" if language == "zh" else f"in {_MONTHS[at.month - 1]} {at.year}"


def name_day(at_ms: int, language: str) -> str:
    """For example "on 14 March 2025"."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    if language == "zh":
        return f"{at.year}年{at.month}月{at.day}日"
    return f"on {at.day} {_MONTHS[at.month - 1]} {at.year}"
