"""Values that are stored as JSON."""

import json

from app.domain.memory import Json
from app.errors import InvalidRequest


def dump_json(value: Json) -> str:
    """Compact JSON; the common empty values without work. `InvalidRequest` for what JSON does not know."""
    if not value and isinstance(value, dict | tuple | list):
        return "{}" if isinstance(value, dict) else "[]"
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as fault:
        raise InvalidRequest(
            f"a value cannot be written as JSON ({fault}): use texts, finite numbers, lists, objects"
        ) from fault
