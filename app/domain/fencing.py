"""What is shown to a language model as data: JSON between tags, in which no text can end the fence around it."""

import json
import re
from datetime import UTC, datetime

from app.domain.memory import Json

_MARKUP = re.compile(r"[<>]")
_DAY = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?")


def fence(name: str, value: Json) -> str:
    """A value as JSON between `<name>` and `</name>`, with every "<" and ">" in it escaped."""
    data = _MARKUP.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False, default=str))
    return f"<{name}>\n{data}\n</{name}>"


def write_day(moment_ms: int) -> str:
    """The day (UTC) of a moment, as "2026-11-22"."""
    return datetime.fromtimestamp(moment_ms / 1000, UTC).strftime("%Y-%m-%d")


def read_day(text: str) -> int | None:
    """The first moment (UTC, milliseconds since 1970) of "2026-11-22", "2026-11" or "2026"; None for all else."""
    found = _DAY.fullmatch(text.strip())
    if found is None:
        return None
    year, month, day = (int(part or 1) for part in found.groups())
    try:
        return round(datetime(year, month, day, tzinfo=UTC).timestamp() * 1000)
    except ValueError:
        return None
