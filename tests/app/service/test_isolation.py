"""Ten thousand random (principal, operation, workspace) tuples: nothing leaks and nothing is done without the right.

What is allowed is said here a second time, from the requirements' table and not with the code under test. Every port
is watched: where an operation is refused none was touched, and where it is allowed all were asked for the principal's
tenant and the workspace alone.
"""

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from app.backends.extractors.rule import RuleExtractor
from app.domain.access import Principal, Role
from app.domain.change import ChangeBatch
from app.domain.conversation import Message, ToolCall, Trajectory
from app.domain.job import Job, JobState
from app.domain.memory import MemoryKind, MemoryPatch, Scope
from app.domain.query import MemoryFilter, SearchMode, SearchQuery
from app.domain.usage import UsageRecord
from app.errors import Forbidden, MemoryServiceError, NotFound
from app.service.payloads import write_draft, write_trajectory
from tests.app.service.conftest import Bench, draft
from tests.app.service.suites import put_together

TUPLES = 10_000
TENANTS = ("acme", "umbrella")
WORKSPACES = ("alpha", "alpha-1", "beta", "gamma:1", "omega")
COPIES = "copies"
PATTERNS = ("*", "alpha", "alpha*", "alpha-*", "al*", "beta", "b*", "gamma:1", "gamma:*", "omega", "zeta*", COPIES)
TABLE = {
    Role.ADMIN: "read write delete admin",
    Role.USER: "read write delete",
    Role.READER: "read",
    Role.SERVICE_ACCOUNT: "read write",
}
MARK = re.compile(r"<(\w+)/([\w:-]+)>")
SCOPE = re.compile(r"tenant_id='([^']*)', workspace_id='([^']*)'")


def is_in_scope(principal: Principal, workspace_id: str) -> bool:
    return any(re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), workspace_id) for pattern in principal.workspaces)


def mark(tenant_id: str, workspace_id: str) -> str:
    return f"<{tenant_id}/{workspace_id}>"


@dataclass
class Watch:
    """What the ports were asked since it was last cleared."""

    calls: int = 0
    scopes: set[Scope] = field(default_factory=set)
    tenants: set[str | None] = field(default_factory=set)

    def clear(self) -> None:
        self.calls = 0
        self.scopes = set()
        self.tenants = set()


class Watched:
    """A port that notes for whom it is asked."""

    def __init__(self, port: object, watch: Watch) -> None:
        self._port = port
        self._watch = watch

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)

        def call(*arguments: Any, **named: Any) -> Any:
            self._watch.calls += 1
            for argument in (*arguments, *named.values()):
                if isinstance(argument, Scope):
                    self._watch.scopes.add(argument)
                elif isinstance(argument, ChangeBatch):
                    self._watch.scopes.add(argument.scope)
                elif isinstance(argument, list) and argument and isinstance(argument[0], UsageRecord):
                    for record in argument:
                        self._watch.scopes.add(Scope(tenant_id=record.tenant_id, workspace_id=record.workspace_id))
                elif name in ("list_workspaces", "read", "list_keys"):
                    self._watch.tenants |= {argument} & {*TENANTS, None}
            return method(*arguments, **named)

        return call


class WatchedStorage:
    """A store with every port watched."""

    def __init__(self, store: object, watch: Watch) -> None:
        self._store = store
        self._watch = watch

    def __getattr__(self, name: str) -> Any:
        return Watched(getattr(self._store, name), self._watch)


class World:
    """Two tenants with workspaces of the same names, and every service over watched ports.

    A store in a file gets `slowness` times fewer tuples: each of its writes is on disk before it answers.
    """

    def __init__(self, seed: int, bench: Bench) -> None:
        self.random = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self.watch = Watch()
        self.clock = bench.clock
        self.slowness = 4 if hasattr(bench.store, "path") else 1
        watched = WatchedStorage(bench.store, self.watch)
        services = put_together(watched, bench.embedder, RuleExtractor(), bench.clock, parallel=False)
        self.memories = services.memories
        self.retrieval = services.retrieval
        self.conversations = services.conversations
        self.tools = services.tools
        self.workspaces = services.workspaces
        self.transfers = services.transfers
        self.usage = services.usage
        self.keys = services.keys
        self.jobs = services.jobs
        self.job_ids = ["0" * 32]
        self.ids: dict[tuple[str, str], list[str]] = {}
        self.key_ids: dict[str, list[str]] = {}
        for tenant_id in TENANTS:
            for workspace_id in WORKSPACES[:-1]:
                self.seed(tenant_id, workspace_id)

    def seed(self, tenant_id: str, workspace_id: str) -> None:
        """Put three memories, two users and a key into a workspace."""
        root = Principal(key_id="root", name="root", tenant_id=tenant_id, role=Role.ADMIN)
        committed = self.memories.add(
            root,
            workspace_id,
            [draft(f"{self.note(tenant_id, workspace_id)} {n}", user_id=f"u{n % 2}") for n in range(3)],
        )
        for n in range(2):
            name = mark(tenant_id, workspace_id)
            self.workspaces.put_user(root, workspace_id, f"u{n}", name=name, metadata={"note": name})
        self.workspaces.update(root, workspace_id, name=mark(tenant_id, workspace_id))
        self.ids[tenant_id, workspace_id] = [outcome.memory_id for outcome in committed.outcomes]
        key, _ = self.keys.issue(root, name=mark(tenant_id, workspace_id), role=Role.USER, workspaces=(workspace_id,))
        self.key_ids.setdefault(tenant_id, []).append(key.id)

    def note(self, tenant_id: str, workspace_id: str) -> str:
        return f"{mark(tenant_id, workspace_id)} green tea {self.random.randrange(1000)}"

    def some_id(self, tenant_id: str, workspace_id: str) -> str:
        """An id of the workspace, of another one, of another tenant, or of none."""
        every = [i for found in self.ids.values() for i in found]
        own = self.ids.get((tenant_id, workspace_id), [])
        return self.random.choice([*own, *own, self.random.choice(every), "f" * 32])

    def principal(self) -> Principal:
        return Principal(
            key_id="k",
            name="someone",
            tenant_id=self.random.choice(TENANTS),
            role=self.random.choice(list(Role)),
            workspaces=tuple(self.random.sample(PATTERNS, self.random.randint(0, 5))),
        )


def some_conversation(world: World, principal: Principal, workspace_id: str) -> list[Trajectory]:
    said = f"I like {world.note(principal.tenant_id, workspace_id)} very much."
    return [Trajectory(messages=(Message(role="user", content=said),), score=1.0)]


def some_job(world: World, principal: Principal, workspace_id: str) -> Job:
    kind = world.random.choice(["add", "remember_personal", "remember_tasks"])
    said = [write_trajectory(each) for each in some_conversation(world, principal, workspace_id)]
    added = {"drafts": [write_draft(draft(world.note(principal.tenant_id, workspace_id)))]}
    job = world.jobs.submit(principal, workspace_id, kind, added if kind == "add" else {"trajectories": said})
    world.job_ids.append(job.id)
    assert world.jobs.work() == 1
    assert world.jobs.find(principal, workspace_id, job.id).state is JobState.DONE
    return job


def some_calls(principal: Principal, workspace_id: str) -> list[ToolCall]:
    name = f"tool {mark(principal.tenant_id, workspace_id)}"
    return [ToolCall(tool_name=name, input={"q": name}, output=name, success=True)]


Operation = tuple[str, str, Callable[[World, Principal, str], Any]]


def some_query(world: World) -> SearchQuery:
    return SearchQuery(
        text="green tea",
        mode=world.random.choice(list(SearchMode)),
        top_k=world.random.choice([1, 5, 200]),
        as_of_ms=world.random.choice([None, world.clock.now_ms()]),
        mmr_lambda=world.random.choice([None, 0.5]),
        half_life_days=world.random.choice([None, 5.0]),
    )


def operations() -> Iterator[Operation]:
    """Name, what it needs, and how it is done."""
    yield "add", "write", lambda w, p, s: w.memories.add(p, s, [draft(w.note(p.tenant_id, s), user_id="u1")])
    yield "get", "read", lambda w, p, s: w.memories.get(p, s, w.some_id(p.tenant_id, s))
    yield "scan", "read", lambda w, p, s: w.memories.scan(p, s, MemoryFilter(), superseded=w.random.random() < 0.5)
    yield (
        "update",
        "write",
        lambda w, p, s: w.memories.update(
            p, s, w.some_id(p.tenant_id, s), MemoryPatch(content=w.note(p.tenant_id, s), tags=("t",))
        ),
    )
    yield "delete", "delete", lambda w, p, s: w.memories.delete(p, s, [w.some_id(p.tenant_id, s)])
    yield (
        "delete several",
        "delete",
        lambda w, p, s: w.memories.delete(p, s, [w.some_id(p.tenant_id, s) for _ in range(3)]),
    )
    yield "restore", "delete", lambda w, p, s: w.memories.restore(p, s, w.some_id(p.tenant_id, s))
    yield (
        "record use",
        "write",
        lambda w, p, s: w.memories.record_use(p, s, [w.some_id(p.tenant_id, s), w.some_id(p.tenant_id, s)]),
    )
    yield (
        "delete unused",
        "delete",
        lambda w, p, s: w.memories.delete_unused(
            p, s, kinds=(MemoryKind.PERSONAL,), frequency_threshold=1, utility_threshold=0.5
        ),
    )
    yield "purge", "admin", lambda w, p, s: w.memories.purge(p, s, deleted_before_ms=w.clock.now_ms() + 1)
    yield "purge a user", "delete", lambda w, p, s: w.memories.purge(p, s, user_id="u1")
    yield "search", "read", lambda w, p, s: w.retrieval.search(p, s, some_query(w))
    yield "create", "write", lambda w, p, s: w.workspaces.create(p, s, name=mark(p.tenant_id, s))
    yield "describe", "read", lambda w, p, s: w.workspaces.get(p, s)
    yield "contents", "read", lambda w, p, s: w.workspaces.contents(p, s)
    yield "rename", "write", lambda w, p, s: w.workspaces.update(p, s, name=mark(p.tenant_id, s))
    yield "delete workspace", "admin", lambda w, p, s: w.workspaces.delete(p, s)
    yield "put user", "write", lambda w, p, s: w.workspaces.put_user(p, s, "u1", name=mark(p.tenant_id, s))
    yield "get user", "read", lambda w, p, s: w.workspaces.get_user(p, s, "u1")
    yield "list users", "read", lambda w, p, s: w.workspaces.list_users(p, s)
    yield "delete user", "delete", lambda w, p, s: w.workspaces.delete_user(p, s, "u0")
    yield "export", "read", lambda w, p, s: list(w.transfers.export(p, s))
    yield (
        "import",
        "write",
        lambda w, p, s: w.transfers.import_lines(
            p,
            s,
            [
                json.dumps(
                    {
                        "memory_type": "task",
                        "workspace_id": "beta",
                        "memory_id": w.some_id(p.tenant_id, s),
                        "content": w.note(p.tenant_id, s),
                    }
                )
            ],
        ),
    )
    yield (
        "remember personal",
        "write",
        lambda w, p, s: w.conversations.remember_personal(p, s, some_conversation(w, p, s), user_id="u1"),
    )
    yield "remember tasks", "write", lambda w, p, s: w.conversations.remember_tasks(p, s, some_conversation(w, p, s))
    yield "record calls", "write", lambda w, p, s: w.tools.record_calls(p, s, some_calls(p, s))
    yield "summarise tools", "write", lambda w, p, s: w.tools.summarise(p, s, [f"tool {mark(p.tenant_id, s)}"])
    yield (
        "retrieve tools",
        "read",
        lambda w, p, s: w.tools.retrieve(p, s, [f"tool {mark(t, n)}" for t in TENANTS for n in WORKSPACES]),
    )
    yield "submit a job", "write", some_job
    yield "find a job", "read", lambda w, p, s: w.jobs.find(p, s, w.random.choice(w.job_ids[-20:]))
    yield "usage", "read", lambda w, p, s: w.usage.report(p, workspace_id=s)
    yield "workload", "read", lambda w, p, s: w.usage.as_workload(p, workspace_id=s)


@pytest.mark.slow
def test_random_operations_leak_nothing(benches: Callable[[], Bench]) -> None:
    world = World(20_261_122, benches())
    every = list(operations())
    outcomes: Counter[str] = Counter()
    tuples = TUPLES // world.slowness
    for _ in range(tuples):
        world.clock.step(1)
        principal = world.principal()
        name, needed, act = world.random.choice(every)
        workspace_id = world.random.choice(WORKSPACES)
        world.watch.clear()
        told = ""
        error: MemoryServiceError | None = None
        try:
            told = repr(act(world, principal, workspace_id))
        except MemoryServiceError as caught:
            error = caught
            told = error.message
        here = Scope(tenant_id=principal.tenant_id, workspace_id=workspace_id)
        context = f"{name} in {workspace_id} by {principal}"
        if not is_in_scope(principal, workspace_id):
            assert type(error) is NotFound, context
            assert world.watch.calls == 0, context
            outcomes["hidden"] += 1
        elif needed not in TABLE[principal.role].split():
            assert type(error) is Forbidden, context
            assert world.watch.calls == 0, context
            outcomes["forbidden"] += 1
        else:
            assert not isinstance(error, Forbidden), context
            assert world.watch.scopes <= {here}, context
            assert world.watch.tenants <= {principal.tenant_id}, context
            outcomes["failed" if error else name] += 1
        assert set(MARK.findall(told)) <= {(here.tenant_id, here.workspace_id)}, context
        assert set(SCOPE.findall(told)) <= {(here.tenant_id, here.workspace_id)}, context
        assert not [tenant for tenant in TENANTS if tenant != principal.tenant_id and tenant in told], context
        emptied = error is None and name in ("delete workspace", "purge a user", "delete user")
        if emptied and world.random.random() < 0.7:
            world.seed(principal.tenant_id, workspace_id)
    assert outcomes["hidden"] > tuples // 4
    assert outcomes["forbidden"] > tuples // 20
    assert world.slowness > 1 or all(outcomes[name] for name, _, _ in every), outcomes


def test_random_listings_and_keys_leak_nothing(benches: Callable[[], Bench]) -> None:
    world = World(11, benches())
    seen: Counter[str] = Counter()
    rounds = 1_500 // world.slowness
    for _ in range(rounds):
        principal = world.principal()
        others = [tenant for tenant in TENANTS if tenant != principal.tenant_id]
        visible = {name for name in (*WORKSPACES, COPIES) if is_in_scope(principal, name)}
        world.watch.clear()

        page = world.workspaces.list(principal, limit=world.random.choice([1, 2, 50]))
        assert {workspace.scope.workspace_id for workspace in page.items} <= visible
        assert world.watch.tenants <= {principal.tenant_id}
        assert not any(other in repr(page) for other in others)
        if "*" not in principal.workspaces and page.next_cursor:
            assert page.next_cursor in visible

        records = world.usage.report(principal).records
        assert {record.workspace_id for record in records} <= visible
        assert {record.tenant_id for record in records} <= {principal.tenant_id}

        other_key = world.random.choice(world.key_ids[world.random.choice(TENANTS)])
        for act in (
            lambda p=principal: world.keys.list(p),
            lambda p=principal, k=other_key: world.keys.revoke(p, k),
            lambda p=principal, k=other_key: world.keys.rotate(p, k),
            lambda p=principal: world.keys.issue(
                p,
                name=f"{p.tenant_id} key",
                role=world.random.choice(list(Role)),
                workspaces=(world.random.choice(PATTERNS),),
                tenant_id=world.random.choice([None, *TENANTS]),
            ),
        ):
            try:
                told = act()
            except MemoryServiceError as error:
                seen[type(error).__name__] += 1
                assert not set(MARK.findall(error.message))
                continue
            assert principal.role is Role.ADMIN
            for key in told if isinstance(told, tuple) else (told,):
                if isinstance(key, str):
                    continue  # the secret of a new key
                seen["key"] += 1
                assert key.tenant_id == principal.tenant_id
                assert all(reaches(principal, pattern) for pattern in key.workspaces)
    assert seen["key"] > rounds // 15
    assert seen["Forbidden"] > rounds // 15
    assert seen["NotFound"] > rounds // 75


def reaches(principal: Principal, pattern: str) -> bool:
    """Whether a pattern matches nothing that the principal does not see: tried on many names."""
    stem = pattern.removesuffix("*")
    names = [stem] if stem == pattern else [stem + tail for tail in ("", "0", "-", "z", "zz~", "A.b:c")]
    return all(is_in_scope(principal, name) for name in names)


def test_random_copies_need_both_sides(benches: Callable[[], Bench]) -> None:
    world = World(12, benches())
    seen: Counter[str] = Counter()
    for _ in range(400):
        principal = world.principal()
        source = world.random.choice(WORKSPACES)
        allowed = TABLE[principal.role].split()
        world.watch.clear()
        try:
            world.transfers.copy(principal, source, COPIES)
        except MemoryServiceError as error:
            seen[type(error).__name__] += 1
            hidden = not is_in_scope(principal, source) or not is_in_scope(principal, COPIES)
            if hidden:
                assert type(error) in (NotFound, Forbidden)
            else:
                assert type(error) is Forbidden
                assert "write" not in allowed
            assert world.watch.calls == 0
        else:
            seen["copied"] += 1
            assert is_in_scope(principal, source)
            assert is_in_scope(principal, COPIES)
            assert "write" in allowed
            assert {scope.tenant_id for scope in world.watch.scopes} == {principal.tenant_id}
            assert {scope.workspace_id for scope in world.watch.scopes} <= {source, COPIES}
    assert seen["copied"] > 10
    assert seen["NotFound"] > 10
    assert seen["Forbidden"] > 5
