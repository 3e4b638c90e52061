"""The whole service with a shared cache that fails: it stays ready, says so, and recovers without a restart."""

from pathlib import Path

import pytest

from app.backends.redis import condition
from tests.app.api.world import make_app, make_client
from tests.servers.valkey import ValkeyServer
from tests.servers.waiting import PATIENCE_S, wait_until

pytestmark = pytest.mark.slow


def test_a_lost_cache_is_told_and_missed_by_nobody(
    own_valkey: ValkeyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(condition, "MOST_WAIT_S", PATIENCE_S)
    cache = {"backend": "redis", "nodes": (f"{own_valkey.host}:{own_valkey.port}",), "timeout_s": 60}
    with make_client(make_app(tmp_path, cache=cache)) as client:

        def examine() -> tuple[int, str]:
            answer = client.get("/readyz")
            return answer.status_code, answer.json()["checks"]["cache"]

        assert examine() == (200, "ok")
        own_valkey.kill()
        wait_until(lambda: examine()[1] != "ok", "the lost cache to be told")
        status, reason = examine()
        assert status == 200 and "takes no writes" in reason
        memory = {"type": "personal", "content": "the train leaves at nine"}
        assert client.post("/v1/workspaces/w/memories", json=memory).status_code == 201
        own_valkey.start()
        wait_until(lambda: examine() == (200, "ok"), "the cache to be used again")
