"""The whole service with an index beside its store, and what was promised to its callers."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from app.backends.indexed import IndexState
from app.errors import IndexUnavailable
from tests.app.api.world import make_app, make_client, services_of
from tests.servers.waiting import wait_until

_WORKSPACE = "/v1/workspaces/w"


class Service:
    """Writes, and finds what was acknowledged. `kept` is the text of each memory by its id."""

    def __init__(self, folder: Path, sections: dict[str, Any]) -> None:
        app = make_app(folder, store={"backend": "sqlite"}, **sections)
        self.client: TestClient = make_client(app, raise_server_exceptions=False)
        self.kept: dict[str, str] = {}
        self._gone: list[str] = []
        self._number = 0

    @property
    def beside(self) -> Any:
        """The store with the index beside it."""
        return services_of(self.client).store

    def add(self, count: int) -> None:
        """Write memories; each must be acknowledged, whatever the index does."""
        texts = [self._make_text() for _ in range(count)]
        memories = [{"type": "personal", "content": text} for text in texts]
        answer = self.client.post(f"{_WORKSPACE}/memories:batch", json={"memories": memories})
        assert answer.status_code == 200, answer.text
        for outcome, text in zip(answer.json()["outcomes"], texts, strict=True):
            self.kept[outcome["id"]] = text

    def disturb(self) -> None:
        """Write, change and remove."""
        self.add(5)
        changed, removed = list(self.kept)[:2]
        text = self._make_text()
        answer = self.client.patch(f"{_WORKSPACE}/memories/{changed}", json={"content": text})
        assert answer.status_code == 200, answer.text
        self._gone += [self.kept[changed], self.kept.pop(removed)]
        self.kept[changed] = text
        assert self.client.delete(f"{_WORKSPACE}/memories/{removed}").status_code in (200, 204)

    def check_found(self) -> None:
        """Every acknowledged memory is found as it was written last, and nothing that was removed."""
        for memory_id, text in self.kept.items():
            (hit,) = self._search(text)
            assert (hit["id"], hit["content"]) == (memory_id, text)
        for text in self._gone:
            assert all(hit["content"] != text for hit in self._search(text))

    def _search(self, text: str) -> list[dict[str, Any]]:
        answer = self.client.post(f"{_WORKSPACE}/search", json={"query": text, "mode": "vector", "top_k": 1})
        assert answer.status_code == 200, answer.text
        return [hit["memory"] for hit in answer.json()["hits"]]

    def examine(self) -> tuple[int, str]:
        """The status of /readyz, and what it says of the index."""
        answer = self.client.get("/readyz")
        return answer.status_code, answer.json()["checks"]["vector_index"]

    def measure(self) -> tuple[int, bool]:
        """How many memories wait to be told, and whether searches ask the index, as /metrics says."""
        lines = dict(line.rsplit(" ", 1) for line in self.client.get("/metrics").text.splitlines() if line[:1] != "#")
        return int(float(lines["reme_index_waiting"])), float(lines["reme_index_used"]) == 1

    def state(self) -> IndexState:
        """How the index stands."""
        state = self.beside.state()
        assert isinstance(state, IndexState)
        return state

    def wait_until_failure_is_told(self, *words: str) -> None:
        """The service says that it is ready, and that its index is not, which searches do not ask any more."""
        seen: list[tuple[int, str]] = []

        def is_told() -> bool:
            seen.append(self.examine())
            return seen[-1][1] != "ok" and not self.measure()[1]

        wait_until(is_told, lambda: f"the failure to be told: {self.state()}")
        status, told = seen[-1]
        assert status == 200, "the store searches by itself"
        assert told.startswith("index-unavailable: the store searches by itself")
        assert not words or any(word in told for word in words), told

    def wait_until_told(self) -> None:
        """The index knows everything, once, and searches ask it."""
        wait_until(self._is_told, lambda: f"the index to be told of everything: {self.state()}")

    def wait_until_found(self, searches: int, *, before: int = 0) -> None:
        """What was acknowledged is found, and the index answered so many searches more than `before`.

        One that takes longer than its timeout is the store's.
        """

        def is_asked() -> bool:
            self.check_found()
            return self.state().searches.by_index >= before + searches

        wait_until(is_asked, lambda: f"the index to be asked: {self.state()}")

    def count_told(self) -> int:
        """How many memories the index holds, once it answers in time."""
        found: list[int] = []

        def is_counted() -> bool:
            with suppress(IndexUnavailable):
                found.append(self.beside.collection.index.count())
            return bool(found)

        wait_until(is_counted, "the index to count")
        return found[-1]

    def _is_told(self) -> bool:
        return self.measure() == (0, True) and self.examine() == (200, "ok")

    def _make_text(self) -> str:
        self._number += 1
        return f"fact{self._number} about subject{self._number * 7919}"
