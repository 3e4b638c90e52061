"""A random workload whose outcome is known: workers that own their memories, and the state that each must have."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from random import Random
from typing import Literal, TypeAlias

import numpy as np

from app.domain.change import Add, Change, ChangeBatch, Delete, Receipt, RecordUse, Restore, Update
from app.domain.embedding import EmbeddingIdentity, Vector
from app.domain.memory import Layer, MemoryDraft, MemoryKind, MemoryPatch, Scope

IDENTITY = EmbeddingIdentity(model="sample-64", dimensions=64)
NO_ID = "f" * 32
_KINDS, _LAYERS = tuple(MemoryKind), tuple(Layer)
# fmt: off
_WORDS = (
    "coffee", "tea", "berlin", "train", "deadline", "parser", "timeout", "retry", "invoice", "garden", "violin",
    "harbour", "budget", "release", "pipeline", "咖啡", "火车", "部署", "日志", "数据库", "花园", "预算", "发布", "周末",
    "会议", "偏好", "工具", "the", "and", "of", "to",
)
# fmt: on

Action: TypeAlias = Literal["add", "again", "text", "tags", "delete", "restore", "use", "missing"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One change of a memory: its id, and the text, tag or slot that the action takes."""

    action: Action
    memory_id: str
    text: str = ""
    slot: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """Steps that are committed together, or the purge of one of the worker's users."""

    steps: tuple[Step, ...] = ()
    receipt: str = ""
    purged_user: str = ""

    @property
    def fails(self) -> bool:
        """Whether it names a memory that is missing, so that nothing of it may happen."""
        return any(step.action == "missing" for step in self.steps)


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What a memory must look like. `past` are the earlier texts, which `as_of` finds while it lives."""

    text: str
    user_id: str
    slot: str = ""
    tags: tuple[str, ...] = ()
    frequency: int = 0
    version: int = 1
    deleted: bool = False
    superseded: bool = False
    past: frozenset[str] = frozenset()


State: TypeAlias = Mapping[str, Known]


def vector_of(text: str, dimensions: int = IDENTITY.dimensions) -> Vector:
    """A vector of unit length, the same for the same text and anywhere for another."""
    seed = int.from_bytes(sha256(text.encode()).digest()[:8], "little")
    values = np.random.default_rng(seed).standard_normal(dimensions)
    return (values / np.linalg.norm(values)).astype(np.float32)


def seed_random(seed: str) -> Random:
    """Random numbers that are the same at every run."""
    return Random(seed)  # noqa: S311


def scope_of(worker: str) -> Scope:
    """Workers share two workspaces."""
    return Scope(tenant_id="acme", workspace_id=f"shelf-{ord(worker[-1]) % 2}")


def draft_of(worker: str, memory_id: str, known: Known) -> MemoryDraft:
    """The draft of a memory; its kind and layer follow from its id."""
    number = number_of(memory_id)
    return MemoryDraft(
        id=memory_id,
        kind=kind_of(memory_id),
        layer=_LAYERS[number % len(_LAYERS)],
        content=known.text,
        user_id=known.user_id,
        author=worker,
        tags=known.tags,
        metadata={"number": number, "even": number % 2 == 0, "parts": ["a", number % 5]},
        slot=known.slot,
    )


def unique_word(text: str) -> str:
    """The word of a text that stands in no other."""
    return text.split(" ", 1)[0]


def apply_operation(state: State, operation: Operation) -> State:
    """The state after an operation that succeeded."""
    after = dict(state)
    if operation.fails:
        return after
    if operation.purged_user:
        return {key: known for key, known in after.items() if known.user_id != operation.purged_user}
    for step in operation.steps:
        _apply_step(after, step)
    return after


def _apply_step(after: dict[str, Known], step: Step) -> None:
    key = step.memory_id
    if step.action == "add":
        user_id = user_of(key)
        if step.slot:
            for other, old in after.items():
                same = (old.slot, old.user_id, kind_of(other)) == (step.slot, user_id, kind_of(key))
                if same and not old.deleted and not old.superseded:
                    after[other] = replace(old, superseded=True, version=old.version + 1)
        after[key] = Known(text=step.text, user_id=user_id, slot=step.slot)
        return
    old = after[key]
    if step.action == "again":
        tags = tuple(dict.fromkeys((*old.tags, step.text)))
        after[key] = old if tags == old.tags else replace(old, tags=tags, version=old.version + 1)
        return
    new = replace(old, version=old.version + 1)
    if step.action == "text":
        new = replace(new, text=step.text, past=old.past | {old.text})
    elif step.action == "tags":
        new = replace(new, tags=(step.text,))
    elif step.action == "delete":
        new = replace(new, deleted=True)
    elif step.action == "restore":
        new = replace(new, deleted=False)
    elif step.action == "use":
        new = replace(old, frequency=old.frequency + 1)
    after[key] = new


def number_of(memory_id: str) -> int:
    """The number that is kept in a memory's metadata."""
    return int(memory_id[-8:], 16)


def kind_of(memory_id: str) -> MemoryKind:
    """What a memory is about."""
    return _KINDS[number_of(memory_id) % len(_KINDS)]


def user_of(memory_id: str) -> str:
    """The user whom a memory is about: one of three of its worker's."""
    return f"{memory_id[:8]}-{number_of(memory_id) % 3}"


def make_batch(
    worker: str, state: State, operation: Operation, *, dimensions: int = IDENTITY.dimensions
) -> ChangeBatch:
    """The batch of an operation on a state."""
    changes: list[Change] = []
    current = dict(state)
    for step in operation.steps:
        key = step.memory_id
        if step.action == "missing":
            changes.append(RecordUse(memory_id=NO_ID))
            continue
        before = current.get(key)
        _apply_step(current, step)
        known = current[key]
        match step.action:
            case "add":
                changes.append(Add(draft=draft_of(worker, key, known), vector=vector_of(known.text, dimensions)))
            case "again" if before is not None:
                repeated = draft_of(worker, key, replace(before, tags=(step.text,)))
                changes.append(Add(draft=repeated, vector=vector_of(known.text, dimensions)))
            case "text":
                patch = MemoryPatch(content=step.text)
                changes.append(Update(memory_id=key, patch=patch, vector=vector_of(step.text, dimensions)))
            case "tags":
                patch = MemoryPatch(tags=known.tags)
                changes.append(Update(memory_id=key, patch=patch, expected_version=known.version - 1))
            case "delete":
                changes.append(Delete(memory_id=key))
            case "restore":
                changes.append(Restore(memory_id=key, vector=vector_of(known.text, dimensions)))
            case _:
                changes.append(RecordUse(memory_id=key, utility=0.5))
    receipt = None
    if operation.receipt:
        digest = sha256(repr(operation.steps).encode()).hexdigest()
        receipt = Receipt(key=operation.receipt, request_sha256=digest)
    return ChangeBatch(scope=scope_of(worker), changes=tuple(changes), receipt=receipt)


@dataclass(kw_only=True)
class Chooser:
    """Draws the next operation of a worker. `made` counts the ids that it gave out, so that none comes twice."""

    worker: str
    random: Random
    made: int = 0
    longest: int = 4000
    dimensions: int = IDENTITY.dimensions
    purges: float = 0.01
    _weights: Mapping[Action, int] = field(
        default_factory=lambda: {"add": 5, "again": 1, "text": 3, "tags": 2, "delete": 3, "restore": 2, "use": 3}
    )

    def choose(self, state: State) -> Operation:
        """An operation that succeeds on a state, but for the one in fifty that must fail whole."""
        if state and self.random.random() < self.purges:
            return Operation(purged_user=self.random.choice(list(state.values())).user_id)
        current = dict(state)
        steps: list[Step] = []
        for _ in range(self.random.choice((1, 1, 1, 2, 3, 8))):
            step = self._choose_step(current)
            _apply_step(current, step)
            steps.append(step)
        if self.random.random() < 0.02:
            steps.append(Step(action="missing", memory_id=NO_ID))
        receipt = f"{self.worker}-{self._draw():x}" if self.random.random() < 0.2 else ""
        return Operation(steps=tuple(steps), receipt=receipt)

    def _choose_step(self, state: State) -> Step:
        (action,) = self.random.choices(list(self._weights), list(self._weights.values()))
        able = [key for key, known in state.items() if _can(action, known)]
        if action == "add" or not able:
            self.made += 1
            slot = self.random.choice(("", "", "name", "home"))
            memory_id = f"{int.from_bytes(self.worker.encode(), 'big') % 2**32:08x}{self.made:024x}"
            return Step(action="add", memory_id=memory_id, text=self._write(), slot=slot)
        text = self._write() if action == "text" else self.random.choice(("red", "green", "蓝"))
        return Step(action=action, memory_id=self.random.choice(able[-40:]), text=text)

    def _write(self) -> str:
        length = self.random.choice((8, 8, 20, 60)) if self.random.random() < 0.9 else self.longest // 6
        return f"u{self._draw():x} " + " ".join(self.random.choices(_WORDS, k=length))

    def _draw(self) -> int:
        return self.random.getrandbits(60)


def _can(action: Action, known: Known) -> bool:
    """Whether a step may be taken on a memory; one with a slot is never restored, since another may hold the slot."""
    if action == "restore":
        return known.deleted and not known.slot
    if action == "again":
        return not known.deleted and not known.superseded
    return not known.deleted
