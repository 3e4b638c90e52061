"""Work as JSON and back, and misspelt work."""

import json
from typing import Any

import pytest

from app.domain.access import Principal, Role
from app.domain.conversation import Message, Trajectory
from app.domain.memory import Layer, MemoryDraft, MemoryKind, Origin
from app.errors import InvalidRequest
from app.service.payloads import (
    read_drafts,
    read_principal,
    read_trajectories,
    write_draft,
    write_principal,
    write_trajectory,
)

DRAFT = MemoryDraft(
    kind=MemoryKind.TOOL,
    content="x",
    layer=Layer.RAW,
    when_to_use="w",
    user_id="u",
    author="a",
    tags=("t",),
    metadata={"k": [1, None]},
    details={"d": {"e": True}},
    score=0.5,
    frequency=2,
    utility=1.5,
    origin=Origin(path="p", source="s", start_line=1, end_line=2),
    source_ids=("0" * 32,),
    slot="home",
    id="1" * 32,
    created_ms=1,
    updated_ms=2,
    valid_from_ms=3,
    valid_to_ms=4,
)
TRAJECTORY = Trajectory(
    messages=(Message(role="user", content="hello", name="Ada", created_ms=5), Message(role="tool", content="")),
    score=0.25,
    task_id="t1",
    metadata={"k": 1},
)


def travel(value: object) -> Any:
    """What comes out of a queue."""
    return json.loads(json.dumps(value))


def test_everything_travels() -> None:
    assert read_drafts(travel({"drafts": [write_draft(DRAFT)]})) == (DRAFT,)
    least = MemoryDraft(kind=MemoryKind.TASK, content="x")
    assert read_drafts({"drafts": [{"kind": "task", "content": "x"}]}) == (least,)
    assert read_trajectories(travel({"trajectories": [write_trajectory(TRAJECTORY)], "user_id": "u"})) == (
        (TRAJECTORY,),
        "u",
    )
    principal = Principal(key_id="k", name="n", tenant_id="t", role=Role.READER, workspaces=("a", "b*"))
    assert read_principal(travel(write_principal(principal))) == principal


def test_every_field_is_written() -> None:
    assert set(write_draft(DRAFT)) == set(MemoryDraft.__slots__)
    assert set(write_trajectory(TRAJECTORY)) == set(Trajectory.__slots__)


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ({}, "drafts: Field required"),
        ({"drafts": "x"}, "drafts: Input should be a valid tuple"),
        ({"drafts": [{"kind": "task"}]}, "drafts.0.content: Field required"),
        ({"drafts": [{"kind": "task", "content": "x", "contnt": "y"}]}, "drafts.0.contnt: Extra inputs"),
        ({"drafts": [{"kind": "diary", "content": "x"}]}, "drafts.0.kind: Input should be 'personal'"),
        ({"drafts": [], "principal": {"role": "admin"}}, "principal: Extra inputs"),
    ],
)
def test_malformed_drafts_are_named(payload: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        read_drafts(payload)
    assert message in refusal.value.message


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ({"trajectories": []}, "0 trajectories are not allowed: give 1 to 1,000"),
        ({"trajectories": [{"messages": []}] * 1_001}, "1,001 trajectories are not allowed"),
        ({"trajectories": [{"messages": [{"role": "user"}]}]}, "trajectories.0.messages.0.content: Field required"),
    ],
)
def test_malformed_trajectories_are_named(payload: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        read_trajectories(payload)
    assert message in refusal.value.message
