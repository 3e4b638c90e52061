"""What one process was told is written, the next search of another sees; what it was told is deleted, none sees."""

from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from tests.durability.children import answer_questions, open_shared
from tests.durability.observation import find_everywhere
from tests.durability.processes import Child, make_context, start_child
from tests.durability.workers import perform
from tests.durability.workload import Action, Operation, State, Step, apply_operation, seed_random

WORKER, OTHER_WORKER = "w0", "w2"
ROUNDS = 300


@dataclass(frozen=True, kw_only=True)
class OtherProcess:
    """A process that has the store open, too, and does what it is asked."""

    child: Child
    requests: Connection

    def ask(self, *request: object) -> object:
        """Let it do something and return what came of it."""
        self.requests.send(request)
        return self.child.expect("answer")[1]


@pytest.mark.slow
def test_the_next_search_of_another_process_sees_every_change(tmp_path: Path) -> None:
    """Both processes have searched before, so that what they keep in memory must catch up each time."""
    path = tmp_path / "memory.db"
    store = open_shared(path)
    receiving, sending = make_context().Pipe(duplex=False)
    other = OtherProcess(child=start_child(answer_questions, path, receiving), requests=sending)
    random = seed_random("visibility")
    states: dict[str, State] = {WORKER: {}, OTHER_WORKER: {}}
    looked = 0
    for number in range(ROUNDS):
        worker, writes_here = (WORKER, True) if number % 2 else (OTHER_WORKER, False)
        memory_id = f"{ord(worker[-1]):08x}{number:024x}"
        texts = [f"t{random.getrandbits(60):x} coffee {number}" for _ in range(2)]
        steps: list[tuple[Action, str]] = [("add", texts[0]), ("text", texts[1]), ("delete", ""), ("restore", "")]
        for action, text in steps:
            state = states[worker]
            operation = Operation(steps=(Step(action=action, memory_id=memory_id, text=text),))
            after = apply_operation(state, operation)
            if writes_here:
                perform(store, worker, state, operation)
            else:
                assert other.ask("perform", worker, state, operation) == "done"
            states[worker] = after
            known = after[memory_id]
            expected = set() if known.deleted else {"get", "scan", "nearest", "matching"}
            question = (worker, memory_id, known.text)
            seen = other.ask("find", *question) if writes_here else find_everywhere(store, *question)
            assert seen == expected, f"round {number}, after {action}: {seen}"
            if action == "text":
                gone = (worker, memory_id, texts[0])
                seen = other.ask("find", *gone) if writes_here else find_everywhere(store, *gone)
                assert seen == set(), f"round {number}: the former text is still found: {seen}"
            looked += 1
        states[worker] = {}
    assert looked == 4 * ROUNDS
    sending.close()
    other.child.finish()
    store.close()
