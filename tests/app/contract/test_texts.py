"""NUL, which not every store can hold: refused in what is to be a memory, replaced in a tool's name for itself."""

from typing import Any

import pytest

from app.backends.clock import SteppingClock
from app.domain.memory import MemoryDraft, MemoryKind, MemoryPatch, Origin
from app.domain.working import Offload, OffloadKind, name_folder
from app.errors import InvalidRequest
from app.service.limits import check_draft, check_patch
from app.service.working.drafts import draft_text
from tests.app.contract.backends import Backend
from tests.app.contract.samples import HERE

NUL = "a\x00b"
TEXTS: list[dict[str, Any]] = [
    {"id": NUL},
    {"content": NUL},
    {"when_to_use": NUL},
    {"user_id": NUL},
    {"author": NUL},
    {"slot": NUL},
    {"tags": (NUL,)},
    {"source_ids": (NUL,)},
    {"origin": Origin(path=NUL)},
    {"origin": Origin(source=NUL)},
    *({name: value} for name in ("metadata", "details") for value in ({NUL: 1}, {"k": NUL}, {"k": [{NUL: 1}, NUL]})),
]


@pytest.mark.parametrize("fields", TEXTS, ids=str)
def test_no_memory_has_nul_in_a_text(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        check_draft(MemoryDraft(**{"kind": MemoryKind.PERSONAL, "content": "tea", **fields}))


@pytest.mark.parametrize("name", ["content", "when_to_use", "author", "tags", "metadata", "details"])
def test_no_change_brings_nul_into_a_text(name: str) -> None:
    values: dict[str, Any] = {"tags": (NUL,), "metadata": {"k": NUL}, "details": {NUL: "k"}}
    with pytest.raises(InvalidRequest, match="NUL"):
        check_patch(MemoryPatch(**{name: values.get(name, NUL)}))


def test_every_store_keeps_the_same_name_of_a_tool(backend: Backend, clock: SteppingClock) -> None:
    draft = draft_text(HERE, OffloadKind.TOOL_OUTPUT, "read\x00log", "the output \x00 is an object")
    offload = Offload(
        id=draft.id,
        scope=HERE,
        kind=draft.kind,
        chat_id="",
        name=draft.name,
        bytes=len(draft.content),
        lines=draft.lines,
        sha256=draft.sha256,
        object_name=f"{name_folder(HERE)}{draft.id}",
        created_ms=clock.now_ms(),
        last_read_ms=clock.now_ms(),
    )
    backend.working.put_offloads([offload])
    assert backend.working.get_offload(HERE, draft.id).name == "read\ufffdlog"
    assert draft.text == "the output \x00 is an object"
