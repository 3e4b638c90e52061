"""Work that is done later: by whoever claims it, with the rights it was asked with, and once."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import sleep
from typing import Any

import pytest

from app.domain.access import Principal, Role
from app.domain.change import Receipt
from app.domain.conversation import Message, Trajectory
from app.domain.job import JobState
from app.domain.memory import MemoryDraft, Scope
from app.domain.query import MemoryFilter
from app.errors import Forbidden, InvalidRequest, NotFound, StoreBusy
from app.service.conversations import Remembered
from app.service.jobs import ATTEMPTS, LEASE_MS, Jobs
from app.service.leases import Leases
from app.service.memories import Memories
from app.service.payloads import write_draft, write_trajectory
from tests.app.service.conftest import Bench, draft, principal

ADMIN = principal()
SAID: dict[str, Any] = {
    "trajectories": [write_trajectory(Trajectory(messages=(Message(role="user", content="I like tea"),)))],
    "user_id": "u1",
}


def payload(*contents: str) -> dict[str, Any]:
    return {"drafts": [write_draft(draft(content)) for content in contents]}


class Listener:
    """Conversations that note who asked, and fail as often as they are told to."""

    def __init__(self, memories: Memories, failures: int = 0, failure: BaseException | None = None) -> None:
        self._memories = memories
        self.failures = failures
        self.failure = failure or StoreBusy()
        self.asked: list[tuple[str, Principal, str]] = []

    def remember_personal(
        self,
        principal: Principal,
        workspace_id: str,
        trajectories: Sequence[Trajectory],
        *,
        user_id: str = "",
        receipt: Receipt | None = None,
        judged: bool = False,
    ) -> Remembered:
        assert judged
        return self._remember("personal", principal, workspace_id, trajectories, user_id, receipt)

    def remember_tasks(
        self,
        principal: Principal,
        workspace_id: str,
        trajectories: Sequence[Trajectory],
        *,
        receipt: Receipt | None = None,
        judged: bool = False,
    ) -> Remembered:
        assert judged
        return self._remember("tasks", principal, workspace_id, trajectories, "", receipt)

    def _remember(
        self,
        kind: str,
        principal: Principal,
        workspace_id: str,
        trajectories: Sequence[Trajectory],
        user_id: str,
        receipt: Receipt | None,
    ) -> Remembered:
        self.asked.append((kind, principal, user_id))
        if self.failures:
            self.failures -= 1
            raise self.failure
        drafts = [draft(message.content, user_id=user_id) for each in trajectories for message in each.messages]
        committed = self._memories.add(principal, workspace_id, drafts, receipt=receipt)
        memories = tuple(outcome.memory for outcome in committed.outcomes if outcome.memory is not None)
        return Remembered(
            memories=memories, raw_ids=(), inserted=len(memories), superseded_ids=(), extractor="listener"
        )


def jobs_of(bench: Bench, listener: Listener | None = None) -> Jobs:
    return Jobs(
        queue=bench.store.jobs,
        memories=bench.memories,
        conversations=listener or Listener(bench.memories),  # type: ignore[arg-type]
    )


def contents(bench: Bench, workspace_id: str = "w") -> list[str]:
    return [memory.content for memory in bench.memories.scan(ADMIN, workspace_id, MemoryFilter()).items]


@pytest.fixture
def bench(benches: Callable[[], Bench]) -> Bench:
    """Each backend in turn."""
    return benches()


def test_drafts_are_added_later(bench: Bench) -> None:
    jobs = jobs_of(bench)
    job = jobs.submit(ADMIN, "w", "add", payload("a", "b", "a"))
    assert (job.state, job.kind, dict(job.payload)) == (JobState.QUEUED, "add", payload("a", "b", "a"))
    assert contents(bench) == []
    assert jobs.work() == 1
    done = jobs.find(ADMIN, "w", job.id)
    assert (done.state, done.attempts, done.error) == (JobState.DONE, 1, "")
    assert done.result is not None
    assert done.result["states"] == {"created": 2, "duplicate": 1}
    assert len(done.result["memory_ids"]) == 3  # type: ignore[arg-type]
    assert sorted(contents(bench)) == ["a", "b"]
    assert jobs.work() == 0


def test_conversations_are_remembered_later(bench: Bench) -> None:
    listener = Listener(bench.memories)
    jobs = jobs_of(bench, listener)
    personal = jobs.submit(ADMIN, "w", "remember_personal", SAID)
    tasks = jobs.submit(ADMIN, "w", "remember_tasks", {"trajectories": SAID["trajectories"]})
    assert jobs.work() == 2
    assert [(kind, user_id) for kind, _, user_id in listener.asked] == [("personal", "u1"), ("tasks", "")]
    for job in (personal, tasks):
        result = jobs.find(ADMIN, "w", job.id).result
        assert result is not None
        assert (result["extractor"], result["inserted"]) == ("listener", 1)


def test_work_is_done_with_the_rights_of_who_asked(bench: Bench) -> None:
    listener = Listener(bench.memories)
    jobs = jobs_of(bench, listener)
    asker = principal(Role.SERVICE_ACCOUNT, "w*", "v")
    job = jobs.submit(asker, "w", "remember_personal", SAID)
    jobs.work()
    assert listener.asked == [("personal", asker, "u1")]
    shown = jobs.find(principal(Role.READER, "w"), "w", job.id)
    assert "principal" not in json.dumps(shown.payload)
    assert asker.key_id not in json.dumps(shown.payload)


def test_rights_that_do_not_suffice_fail_the_job(bench: Bench) -> None:
    """A queue that someone wrote into directly gives nobody more than the principal in it has."""
    jobs = jobs_of(bench)
    scope = Scope(tenant_id="acme", workspace_id="w")
    forged = {"key_id": "k", "name": "n", "tenant_id": "acme", "role": "reader", "workspaces": ["w"]}
    job = bench.store.jobs.enqueue(scope, "add", {"principal": forged, "request": payload("a")})
    broken = bench.store.jobs.enqueue(scope, "add", {"request": payload("a")})
    for _ in range(ATTEMPTS):
        jobs.work()
    assert contents(bench) == []
    assert "role 'reader' lacks" in jobs.find(ADMIN, "w", job.id).error
    assert jobs.find(ADMIN, "w", broken.id).error == "internal error: KeyError"


@pytest.mark.parametrize(
    ("kind", "content", "message"),
    [
        ("dance", {}, "a job of kind 'dance' is not known: give one of add, remember_personal, remember_tasks"),
        ("add", {"drafts": []}, "a batch of 0 memories"),
        ("add", payload("x" * 32_769), "content has 32,769 characters"),
        ("add", {"drafts": [{"kind": "task"}]}, "drafts.0.content: Field required"),
        ("remember_tasks", {}, "trajectories: Field required"),
        ("remember_personal", {"trajectories": []}, "0 trajectories"),
    ],
)
def test_work_that_cannot_be_done_is_refused_at_once(
    bench: Bench, kind: str, content: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidRequest, match=message):
        jobs_of(bench).submit(ADMIN, "w", kind, content)
    assert jobs_of(bench).work() == 0


def test_rights_are_checked_before_anything_is_queued(bench: Bench) -> None:
    jobs = jobs_of(bench)
    with pytest.raises(Forbidden):
        jobs.submit(principal(Role.READER), "w", "add", payload("a"))
    with pytest.raises(NotFound):
        jobs.submit(principal(Role.USER, "v"), "w", "add", payload("a"))
    job = jobs.submit(ADMIN, "w", "add", payload("a"))
    for asker, workspace_id in (
        (ADMIN, "v"),
        (principal(tenant_id="umbrella"), "w"),
        (principal(Role.USER, "v"), "w"),
    ):
        with pytest.raises(NotFound):
            jobs.find(asker, workspace_id, job.id)


def test_a_failure_is_tried_again_in_the_next_round(bench: Bench) -> None:
    jobs = jobs_of(bench, Listener(bench.memories, failures=2))
    job = jobs.submit(ADMIN, "w", "remember_personal", SAID)
    other = jobs.submit(ADMIN, "w", "add", payload("a"))
    assert jobs.work() == 2, "the failed job does not come again in the same round"
    failed = jobs.find(ADMIN, "w", job.id)
    assert (failed.state, failed.attempts, failed.error) == (JobState.QUEUED, 1, StoreBusy().message)
    assert jobs.find(ADMIN, "w", other.id).state is JobState.DONE
    assert [jobs.work(), jobs.work(), jobs.work()] == [1, 1, 0]
    done = jobs.find(ADMIN, "w", job.id)
    assert (done.state, done.attempts, done.error) == (JobState.DONE, 3, "")


def test_after_the_third_time_a_job_has_failed(bench: Bench) -> None:
    listener = Listener(bench.memories, failures=99, failure=ValueError("I like tea"))
    jobs = jobs_of(bench, listener)
    job = jobs.submit(ADMIN, "w", "remember_personal", SAID)
    assert [jobs.work() for _ in range(5)] == [1, 1, 1, 0, 0]
    failed = jobs.find(ADMIN, "w", job.id)
    assert (failed.state, failed.attempts) == (JobState.FAILED, 3)
    assert failed.error == "internal error: ValueError", "not what the memory says"
    assert len(listener.asked) == 3


def test_a_job_whose_workers_die_ends_too(bench: Bench) -> None:
    jobs = jobs_of(bench, Listener(bench.memories, failures=99, failure=KeyboardInterrupt()))
    job = jobs.submit(ADMIN, "w", "remember_personal", SAID)
    for _ in range(ATTEMPTS):
        with pytest.raises(KeyboardInterrupt):
            jobs.work()
        assert jobs.work() == 0, "its lease still runs"
        bench.clock.step(LEASE_MS)
    assert LEASE_MS <= 60_000, "nobody waits minutes for a worker that was killed"
    assert jobs.work() == 1
    failed = jobs.find(ADMIN, "w", job.id)
    assert (failed.state, failed.error) == (JobState.FAILED, "its worker died or took more than 5 minutes 3 times")


def test_work_that_was_done_but_not_reported_is_not_done_again(bench: Bench) -> None:
    jobs = jobs_of(bench)
    job = jobs.submit(ADMIN, "w", "add", payload("a"))
    dying = Jobs(
        queue=Dying(bench.store.jobs),
        memories=bench.memories,
        conversations=Listener(bench.memories),  # type: ignore[arg-type]
    )
    with pytest.raises(KeyboardInterrupt):
        dying.work()
    first = bench.memories.scan(ADMIN, "w", MemoryFilter()).items[0]
    bench.memories.delete(ADMIN, "w", [first.id])
    bench.clock.step(LEASE_MS)
    assert jobs.work() == 1
    done = jobs.find(ADMIN, "w", job.id)
    assert done.state is JobState.DONE
    assert done.result == {"memory_ids": [first.id], "states": {"created": 1}}
    assert contents(bench) == [], "what was deleted meanwhile stays deleted"


class Dying:
    """A queue whose worker dies when it reports."""

    def __init__(self, queue: Any) -> None:
        self._queue = queue

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)

    def finish(self, *_: Any, **__: Any) -> None:
        raise KeyboardInterrupt


class Overtaken(Listener):
    """Conversations during which the lease runs out and another worker takes the job."""

    def __init__(self, bench: Bench, outcome: JobState) -> None:
        super().__init__(bench.memories)
        self._bench, self._outcome = bench, outcome

    def remember_personal(self, *arguments: Any, **named: Any) -> Remembered:
        self._bench.clock.step(LEASE_MS)
        taken = self._bench.store.jobs.claim(("remember_personal",), lease_ms=LEASE_MS)
        assert taken is not None
        self._bench.store.jobs.finish(taken.id, taken.token, self._outcome, result={"by": "another"})
        return super().remember_personal(*arguments, **named)


def test_a_worker_that_was_overtaken_changes_nothing(bench: Bench) -> None:
    jobs = jobs_of(bench, Overtaken(bench, JobState.DONE))
    job = jobs.submit(ADMIN, "w", "remember_personal", SAID)
    assert jobs.work() == 1
    assert jobs.find(ADMIN, "w", job.id).result == {"by": "another"}


class Counting:
    """A queue that counts renewals."""

    def __init__(self, queue: Any) -> None:
        self._queue = queue
        self.renewals = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)

    def renew(self, *arguments: Any, **named: Any) -> None:
        self._queue.renew(*arguments, **named)
        self.renewals += 1


def test_a_claim_is_renewed_while_its_worker_works(bench: Bench) -> None:
    queue = Counting(bench.store.jobs)
    queue.enqueue(Scope(tenant_id="acme", workspace_id="w"), "add", {})
    with Leases(queue, lease_ms=60, longest_s=3600) as leases:
        job = queue.claim(("add",), lease_ms=60)
        leases.hold(job)
        for _ in range(5):
            bench.clock.step(50)
            enough = queue.renewals + 2  # the first of them may have begun before the step
            while queue.renewals < enough:
                sleep(0.001)
            assert queue.claim(("add",), lease_ms=60) is None
    bench.clock.step(60)
    again = queue.claim(("add",), lease_ms=60)
    assert (again.id, again.attempts) == (job.id, 2), "the round is over, and so is the claim"
    with Leases(queue, lease_ms=60, longest_s=3600) as leases:
        leases.hold(job)
        count = queue.renewals
        sleep(0.1)
    assert queue.renewals == count, "a claim that was lost is let go"


def test_a_claim_of_a_worker_that_hangs_is_not_renewed(bench: Bench) -> None:
    queue = Counting(bench.store.jobs)
    queue.enqueue(Scope(tenant_id="acme", workspace_id="w"), "add", {})
    with Leases(queue, lease_ms=6, longest_s=0) as leases:
        leases.hold(queue.claim(("add",), lease_ms=6))
        sleep(0.05)
    assert queue.renewals == 0


def test_a_job_of_a_deleted_workspace_disturbs_nobody(bench: Bench) -> None:
    class Deleting(Listener):
        def remember_personal(self, *arguments: Any, **named: Any) -> Remembered:
            remembered = super().remember_personal(*arguments, **named)
            bench.workspaces.delete(ADMIN, "w")
            return remembered

    jobs = jobs_of(bench, Deleting(bench.memories))
    job = jobs.submit(ADMIN, "w", "remember_personal", SAID)
    assert jobs.work() == 1
    with pytest.raises(NotFound):
        jobs.find(ADMIN, "w", job.id)


def test_a_round_has_a_limit(bench: Bench) -> None:
    jobs = jobs_of(bench)
    for number in range(5):
        jobs.submit(ADMIN, "w", "add", payload(f"number {number}"))
    assert [jobs.work(limit=2) for _ in range(4)] == [2, 2, 1, 0]


def test_several_workers_do_every_job_once(bench: Bench) -> None:
    jobs = jobs_of(bench)
    for number in range(40):
        jobs.submit(ADMIN, "w", "add", payload(f"number {number}"))
    with ThreadPoolExecutor(4) as workers:
        done = sum(workers.map(lambda _: jobs_of(bench).work(), range(4)))
    assert done == 40
    assert len(contents(bench)) == 40


def test_a_draft_of_a_job_keeps_its_fields(bench: Bench) -> None:
    jobs = jobs_of(bench)
    made: MemoryDraft = draft("a", tags=("t",), metadata={"k": [1]}, created_ms=5_000, slot="home", user_id="u")
    jobs.submit(ADMIN, "w", "add", {"drafts": [write_draft(made)]})
    jobs.work()
    memory = bench.memories.scan(ADMIN, "w", MemoryFilter()).items[0]
    assert (memory.tags, memory.metadata, memory.created_ms, memory.slot) == (("t",), {"k": [1]}, 5_000, "home")
