"""A user's profile: a JSON object of preferences, and how it is changed."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.domain.memory import Json, JsonObject, Scope

PROFILE_BYTES = 65_536
"""64 KiB: four times what a memory may have as metadata."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """What a user of a workspace prefers. `version` counts the changes from 1; a deleted profile begins anew."""

    scope: Scope
    user_id: str
    version: int
    updated_ms: int
    preferences: JsonObject = field(repr=False)


def merge(target: JsonObject, patch: JsonObject) -> JsonObject:
    """An object with a JSON merge patch applied (RFC 7396 §2): null removes, an object goes into one that is there."""
    merged: dict[str, Json] = dict(target)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, Mapping):
            inner = merged.get(name)
            merged[name] = merge(inner if isinstance(inner, Mapping) else {}, value)
        else:
            merged[name] = value
    return merged
