"""Workspaces, the users whom memories are about, and what a workspace holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.domain.memory import JsonObject, Scope


@dataclass(frozen=True, kw_only=True, slots=True)
class Workspace:
    """A closed space of memories. `data_key_id` names the key that will encrypt it; it never changes."""

    scope: Scope
    name: str
    data_key_id: str
    created_ms: int
    updated_ms: int
    version: int
    metadata: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class User:
    """A person whom memories of a workspace are about."""

    scope: Scope
    user_id: str
    name: str
    created_ms: int
    updated_ms: int
    metadata: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """How many live memories a workspace holds, by kind and by layer, and the bytes of their text."""

    memories: int
    by_kind: Mapping[str, int]
    by_layer: Mapping[str, int]
    text_bytes: int
    users: int
    tombstones: int
