"""All services over one store, put together and let go."""

from collections.abc import Sequence

import pytest

from app.backends.clock import SteppingClock
from app.backends.embedders.hashing import HashingEmbedder
from app.backends.memory import open_store
from app.domain.access import LOCAL_ADMIN, Role
from app.domain.conversation import Extraction, Message, Trajectory
from app.domain.memory import JsonObject
from app.domain.query import MemoryFilter, SearchQuery
from app.service.payloads import write_draft
from app.service.suite import Services
from tests.app.service.conftest import draft
from tests.app.service.suites import put_together


class Verbatim:
    """Remembers what users say, word for word."""

    def extract_personal(self, trajectories: Sequence[Trajectory], *, user_id: str) -> Extraction:
        drafts = [draft(message.content, user_id=user_id) for each in trajectories for message in each.messages]
        return Extraction(drafts=tuple(drafts), extractor="verbatim")

    def extract_tasks(self, trajectories: Sequence[Trajectory]) -> Extraction:
        return self.extract_personal(trajectories, user_id="")


@pytest.fixture
def services() -> Services:
    clock, embedder = SteppingClock(), HashingEmbedder(dimensions=64)
    store = open_store(identity=embedder.identity, clock=clock)
    return put_together(store, embedder, Verbatim(), clock, key_days=30, overlap_days=1, parallel=True)


def test_the_services_share_one_store(services: Services) -> None:
    services.memories.add(LOCAL_ADMIN, "w", [draft("likes green tea")])
    job = services.jobs.submit(LOCAL_ADMIN, "w", "add", {"drafts": [write_draft(draft("plays the cello"))]})
    assert services.jobs.work() == 1
    assert services.jobs.find(LOCAL_ADMIN, "w", job.id).result is not None
    assert services.transfers.copy(LOCAL_ADMIN, "w", "v") == 2
    found = services.retrieval.search(LOCAL_ADMIN, "v", SearchQuery(text="green tea")).hits
    assert found[0].memory.content == "likes green tea"
    names = [workspace.scope.workspace_id for workspace in services.workspaces.list(LOCAL_ADMIN).items]
    assert names == ["v", "w"]
    assert {line.operation for line in services.usage.report(LOCAL_ADMIN).lines} == {"add", "embed", "retrieve"}
    services.reembedding.check()
    services.close()


def test_the_days_of_keys_are_passed_on(services: Services) -> None:
    key, secret = services.keys.issue(LOCAL_ADMIN, name="bot", role=Role.USER, workspaces=("*",))
    assert (key.expires_ms - key.created_ms) // 86_400_000 == 30
    services.keys.rotate(LOCAL_ADMIN, key.id)
    old = next(one for one in services.keys.list(LOCAL_ADMIN) if one.id == key.id)
    assert (old.expires_ms - old.created_ms) // 86_400_000 == 1
    assert services.keys.authenticate(secret).key_id == key.id


def test_what_was_said_is_remembered_now_or_later(services: Services) -> None:
    said = (Trajectory(messages=(Message(role="user", content="I like green tea"),)),)
    remembered = services.conversations.remember_personal(LOCAL_ADMIN, "w", said, user_id="u1")
    assert remembered.extractor == "verbatim"
    assert [memory.content for memory in remembered.memories] == ["I like green tea"]
    later: JsonObject = {
        "trajectories": [{"messages": [{"role": "user", "content": "I play the cello"}]}],
        "user_id": "u1",
    }
    services.jobs.submit(LOCAL_ADMIN, "w", "remember_personal", later)
    services.jobs.work()
    contents = {memory.content for memory in services.memories.scan(LOCAL_ADMIN, "w", MemoryFilter()).items}
    assert {"I like green tea", "I play the cello"} <= contents


def test_a_closed_suite_still_answers_nothing_by_threads(services: Services) -> None:
    services.close()
    services.retrieval.close()
    assert services.retrieval.search(LOCAL_ADMIN, "w", SearchQuery(text="x")).hits == ()
