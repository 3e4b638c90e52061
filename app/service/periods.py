"""Dates in questions: "in March 2025", "on 14 March 2025", "2025-03-14", "2025年3月" name a period."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_NAMES = "|".join(month if month == "may" else f"{month[:3]}(?:{month[3:]}|t)?" for month in _MONTHS)
_LEAD = r"(?:\b(?:on|in|during)\s+(?:the\s+)?)?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        r"(?:在)?(?P<year>\d{4})\s*年(?:\s*(?P<month>\d{1,2})\s*月(?:份)?(?:\s*(?P<day>\d{1,2})\s*[日号])?)?",
        rf"{_LEAD}\b(?P<year>\d{{4}})-(?P<month>\d{{1,2}})(?:-(?P<day>\d{{1,2}})(?:T[\d:.]+Z?)?)?\b(?!-\w)",
        rf"{_LEAD}\b{_DAY}\s+(?:of\s+)?(?P<name>{_NAMES})\.?,?\s+(?P<year>\d{{4}})\b",
        rf"{_LEAD}\b(?P<name>{_NAMES})\.?\s+{_DAY},?\s+(?P<year>\d{{4}})\b",
        rf"{_LEAD}\b(?P<name>{_NAMES})\.?,?\s+(?:of\s+)?(?P<year>\d{{4}})\b",
        r"\b(?:in|during)\s+(?:the\s+year\s+)?(?P<year>(?:19|20)\d{2})\b",
    )
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Period:
    """From `from_ms` to before `to_ms` (UTC), and the question without the words that name it."""

    from_ms: int
    to_ms: int
    rest: str

    def covers(self, at_ms: int) -> bool:
        """Whether a moment lies in the period."""
        return self.from_ms <= at_ms < self.to_ms

    def is_named_in(self, text: str) -> bool:
        """Whether a text names one date, and that one lies in the period."""
        year = str(datetime.fromtimestamp(self.from_ms / 1000, UTC).year)
        named = find_period(text) if year in text else None
        return named is not None and self.from_ms <= named.from_ms and named.to_ms <= self.to_ms


def find_period(text: str) -> Period | None:
    """The year, month or day that a question names, in English or Chinese; None for none, or for more than one.

    Only dates with a year count: "in March" may be any year's. Days are those of UTC.
    """
    for form in _FORMS:
        match = form.search(text)
        if match is None:
            continue
        bounds = _bounds(match.groupdict())
        around = (text[: match.start()], text[match.end() :])
        rest = " ".join(" ".join(around).split())
        names_more = any(other.search(part) for other in _FORMS for part in around)
        if names_more or bounds is None or not any(sign.isalnum() for sign in rest):
            return None
        return Period(from_ms=bounds[0], to_ms=bounds[1], rest=rest)
    return None


def _bounds(parts: dict[str, str | None]) -> tuple[int, int] | None:
    name = (parts.get("name") or "").casefold()[:3]
    year, month, day = (None if parts.get(each) is None else int(parts[each] or 0) for each in ("year", "month", "day"))
    if name:
        month = [each[:3] for each in _MONTHS].index(name) + 1
    try:
        first = datetime(year or 0, 1 if month is None else month, 1 if day is None else day, tzinfo=UTC)
        if day is not None:
            last = first + timedelta(days=1)
        elif month is not None:
            last = datetime(first.year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
        else:
            last = datetime(first.year + 1, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return int(first.timestamp() * 1000), int(last.timestamp() * 1000)
