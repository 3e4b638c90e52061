"""Working memory over stores in RAM or in files, a model that says what a test tells it, and conversations."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from app.backends.clock import SteppingClock
from app.backends.memory.meter import DailyMeter
from app.backends.memory.state import State
from app.backends.memory.working import Working
from app.backends.objects import LocalObjectStore, RamObjectStore
from app.backends.sqlite.connections import Pragmas, Readers, Writer, open_connection
from app.backends.sqlite.schema import migrate
from app.backends.sqlite.working import SqliteWorkingStore
from app.domain.access import Principal, Role
from app.domain.embedding import EmbeddingIdentity
from app.domain.language import Answer, ModelTask, Prompt
from app.domain.memory import JsonObject
from app.domain.spending import Payer, current_payer
from app.domain.working import WorkingLimits, WorkingPolicy
from app.ports import ObjectStore, WorkingStore
from app.service.working import WorkingMemory
from tests.app.service.conftest import principal

WORKSPACE = "project-1"
ANN = principal(Role.USER, WORKSPACE)
MARK = 'file_path="'


@dataclass
class ScriptedModel:
    """Answers each prompt with the next line of its script; an exception is raised. The last one is repeated."""

    script: list[str | Exception]
    prompts: list[Prompt] = field(default_factory=list)
    payers: list[Payer] = field(default_factory=list)

    def model_of(self, task: ModelTask) -> str:
        return f"scripted-{task.value}"

    def complete(self, prompt: Prompt) -> Answer:
        self.prompts.append(prompt)
        self.payers.append(current_payer())
        said = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(said, Exception):
            raise said
        return Answer(text=said, model="scripted")


@dataclass(frozen=True, kw_only=True)
class Desk:
    """Working memory and what is under it."""

    clock: SteppingClock
    store: WorkingStore
    objects: ObjectStore
    meter: DailyMeter
    close: Callable[[], None] = lambda: None

    def open(self, model: ScriptedModel | None = None, **policy: Any) -> WorkingMemory:
        return WorkingMemory(
            store=self.store,
            objects=self.objects,
            model=model,
            clock=self.clock,
            meter=self.meter,
            policy=WorkingPolicy(**policy),
        )


def make_desk(folder: Path | None = None, *, most_bytes: int = 10_000_000) -> Desk:
    """Everything in RAM, or in a folder."""
    clock = SteppingClock()
    state = State(identity=EmbeddingIdentity(model="none", dimensions=8), clock=clock)
    meter = DailyMeter(state)
    if folder is None:
        objects = RamObjectStore(clock=clock, most_bytes=most_bytes)
        return Desk(clock=clock, store=Working(state), objects=objects, meter=meter)
    path = folder / "memory.db"
    pragmas = Pragmas(synchronous="NORMAL")
    connection = open_connection(path, pragmas)
    migrate(connection, now_ms=clock.now_ms())
    writer, readers = Writer(connection), Readers(path, pragmas)

    def close() -> None:
        readers.close()
        writer.close()

    return Desk(
        clock=clock,
        store=SqliteWorkingStore(writer, readers, clock=clock),
        objects=LocalObjectStore(folder / "storage", most_bytes=most_bytes),
        meter=meter,
        close=close,
    )


@pytest.fixture
def desk() -> Desk:
    return make_desk()


@pytest.fixture(params=["in RAM", "in files"])
def desks(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    """Each kind of storage in turn."""
    made = make_desk(tmp_path if request.param == "in files" else None)
    yield made
    made.close()


def limits(**given: Any) -> WorkingLimits:
    return WorkingLimits(**{"keep_recent_count": 2, **given})


def say(role: str, content: Any, **fields: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **fields}


def call(call_id: str, name: str = "web_search") -> dict[str, Any]:
    calls = [{"id": call_id, "type": "function", "function": {"name": name, "arguments": "{}"}}]
    return {"role": "assistant", "content": "", "tool_calls": calls}


def answer(call_id: str, content: Any, **fields: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content, **fields}


def use_tool(call_id: str, name: str = "web_search") -> dict[str, Any]:
    """A call in blocks, as Anthropic and AgentScope write it."""
    return say("assistant", [{"type": "tool_use", "id": call_id, "name": name, "input": {}}])


def result(call_id: str, text: str, *, role: str = "user") -> dict[str, Any]:
    """Its answer: in the role user by Anthropic, system by AgentScope."""
    block = {"type": "tool_result", "tool_use_id": call_id, "content": text}
    if role == "system":
        block = {"type": "tool_result", "id": call_id, "name": "web_search", "output": text}
    return say(role, [block])


def research(turns: int, *, words: int = 3_000) -> list[dict[str, Any]]:
    """A conversation in which a tool returns much, each time something else."""
    said: list[dict[str, Any]] = [say("system", "You are a researcher.")]
    for turn in range(turns):
        output = "\n".join(f"line {turn}.{number} says something of interest" for number in range(words // 6))
        said += [
            say("user", f"Question {turn}: what is known of topic {turn}?"),
            call(f"call_{turn}"),
            answer(f"call_{turn}", output),
            say("assistant", f"Answer {turn}: topic {turn} is known."),
        ]
    return said


def read_text(working: WorkingMemory, offload_id: str, who: Principal = ANN) -> str:
    return b"".join(working.read(who, WORKSPACE, offload_id)).decode()


def restore(working: WorkingMemory, messages: Sequence[JsonObject]) -> list[JsonObject]:
    """The conversation as it was, from what is left of it and what was offloaded; instructions come out in order."""
    restored: list[JsonObject] = []
    for message in messages:
        content = message.get("content")
        text = content if isinstance(content, str) else ""
        if text.startswith("[Offloaded]"):
            restored.append({**message, "content": read_text(working, _id_in(text))})
        elif text.startswith("[Compressed conversation history"):
            for note in text.split("[Compressed conversation history")[1:]:
                lines = read_text(working, _id_in(note)).removesuffix("\n").split("\n")
                restored += restore(working, [json.loads(line) for line in lines])
        elif isinstance(content, list):
            restored.append({**message, "content": [_restore_block(working, block) for block in content]})
        else:
            restored.append(message)
    return restored


def _restore_block(working: WorkingMemory, block: dict[str, Any]) -> dict[str, Any]:
    field = "output" if "output" in block else "content"
    value = block.get(field)
    if isinstance(value, str) and value.startswith("[Offloaded]"):
        return {**block, field: read_text(working, _id_in(value))}
    return block


def _id_in(text: str) -> str:
    return text.rpartition(MARK)[2].partition('"')[0].rpartition("/")[2].partition(".")[0]
