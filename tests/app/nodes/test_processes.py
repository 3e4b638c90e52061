"""Two `reme serve` over one database, of which one is killed while both are at work."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest

from tests.app.commands.test_serve import Service, serving
from tests.servers.waiting import PATIENCE_S, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("postgres")]

WS = "/v1/workspaces/team:one"
THREADS = 6


@pytest.fixture
def services(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Service]]:
    """Two services in processes of their own, the second with two workers."""
    settings = {
        "STORE__BACKEND": "postgres",
        "POSTGRES__CONNECTION_STRING": dsn,
        "POSTGRES__MIN_POOL_SIZE": "1",
        "EMBEDDING__BACKEND": "hashing",
        "STORAGE__BASE_PATH": str(tmp_path / "texts"),
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"REME_{name}", value)
    with ExitStack() as running:
        started = []
        for number, more in enumerate(((), ("--workers", "2"))):
            folder = tmp_path / f"node-{number}"
            folder.mkdir()
            started.append(running.enter_context(serving(folder, "--port", "0", *more)))
        for service in started:
            assert service.get_when_up("/readyz")[0] == 200
        yield started


@dataclass(kw_only=True)
class Book:
    """What the services acknowledged: the contents that were added, and where the accepted jobs are told of."""

    added: list[str] = field(default_factory=list)
    jobs: dict[str, str] = field(default_factory=dict)
    unheard: list[str] = field(default_factory=list)


def send(address: str, book: Book, content: str, *, later: bool) -> None:
    """Have a memory added, now or later; whether it was is not known where the service dies before it answers."""
    memory = {"type": "task", "content": content}
    try:
        if later:
            headers = {"Prefer": "respond-async"}
            body: Any = {"memories": [memory]}
            answer = httpx.post(f"{address}{WS}/memories:batch", json=body, headers=headers, timeout=PATIENCE_S)
        else:
            answer = httpx.post(f"{address}{WS}/memories", json=memory, timeout=PATIENCE_S)
    except httpx.TransportError:
        book.unheard.append(content)
        return
    assert answer.status_code == (202 if later else 201), answer.text
    if later:
        book.jobs[content] = answer.headers["Location"]
    else:
        book.added.append(content)


def list_contents(address: str) -> list[str]:
    """The contents of all memories of the workspace."""
    found: list[str] = []
    cursor = ""
    while True:
        page = httpx.get(f"{address}{WS}/memories", params={"limit": 100, "cursor": cursor}, timeout=PATIENCE_S).json()
        found += [item["content"] for item in page["items"]]
        cursor = page["next_cursor"]
        if not cursor:
            return found


def test_nothing_is_lost_or_done_twice_when_a_node_is_killed(services: list[Service]) -> None:
    killed, left = services
    books, finished = [Book() for _ in range(THREADS)], Event()

    def load(thread: int) -> None:
        number = 0
        while not finished.is_set():
            address = (killed, left)[(thread + number) % 2].address
            send(address, books[thread], f"Step {number} of {thread}", later=number % 3 == 0)
            number += 1

    with ThreadPoolExecutor(THREADS) as threads:
        loading = [threads.submit(load, thread) for thread in range(THREADS)]
        wait_until(lambda: sum(len(book.added) for book in books) > 30, "some memories to be added")
        killed.process.kill()
        heard = sum(len(book.added) for book in books)
        wait_until(lambda: sum(len(book.added) for book in books) > heard + 30, "the other node to go on")
        finished.set()
        for each in loading:
            each.result()

    added = [content for book in books for content in book.added]
    jobs = {content: path for book in books for content, path in book.jobs.items()}
    unheard = {content for book in books for content in book.unheard}

    def open_jobs() -> list[str]:
        states = {path: httpx.get(left.address + path, timeout=PATIENCE_S).json() for path in jobs.values()}
        assert not [job for job in states.values() if job["state"] == "failed"]
        return [path for path, job in states.items() if job["state"] != "done"]

    wait_until(lambda: not open_jobs(), lambda: f"the jobs to be done: {open_jobs()}")
    contents = list_contents(left.address)
    assert len(contents) == len(set(contents)), "nothing is there twice"
    missing = {*added, *jobs} - set(contents)
    assert not missing, "everything that was acknowledged is there"
    assert set(contents) - {*added, *jobs} <= unheard
