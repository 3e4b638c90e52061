"""TLS, keys and users of an Elasticsearch: a gate with a certificate and a password before a real server."""

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from app.backends.elasticsearch import ElasticsearchIndex, open_index
from app.errors import IndexUnavailable, SettingsError
from tests.app.contract.samples import IDENTITY
from tests.app.indexes.elasticsearch_opening import ServerAddress, make_name
from tests.app.indexes.samples import ask, entry, numbers
from tests.servers.certificates import make_certificates
from tests.servers.gate import Gate, Reply, open_gate
from tests.servers.waiting import PATIENCE_S

pytestmark = pytest.mark.xdist_group("elasticsearch")

KEY, USER, PASSWORD = "a2V5OnNlY3JldA==", "reme", "pässword of the user"
CANARY = "Y2FuYXJ5OmNhbmFyeQ=="


class World:
    """The gate, who may pass it, and clients of it."""

    def __init__(self, server: ServerAddress, folder: Path, stack: ExitStack) -> None:
        self.admitted = {f"ApiKey {KEY}", "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()}
        self.authority, certificate = make_certificates(folder)
        address = urlsplit(server.url)
        opening = open_gate(str(address.hostname), int(address.port or 0), self._judge, certificate=certificate)
        self.gate: Gate = stack.enter_context(opening)
        self._stack = stack

    def _judge(self, headers: Mapping[str, str]) -> Reply | None:
        if headers.get("authorization") in self.admitted:
            return None
        cause = {"type": "security_exception", "reason": "unable to authenticate"}
        body = json.dumps({"error": {**cause, "root_cause": [cause]}, "status": 401}).encode()
        return Reply(status=401, body=body, content_type="application/json")

    def open(self, **settings: Any) -> ElasticsearchIndex:
        """A client that trusts the gate's authority and has its key, unless told otherwise."""
        given = {"ca_certs": self.authority, "timeout_s": PATIENCE_S, "index_name": make_name(), "number_of_shards": 1}
        index = open_index([self.gate.endpoint], **{**given, "number_of_replicas": 0, **settings})
        self._stack.callback(index.close)
        return index


@pytest.fixture
def world(elasticsearch_server: ServerAddress, tmp_path: Path) -> Iterator[World]:
    with ExitStack() as stack:
        yield World(elasticsearch_server, tmp_path, stack)


@pytest.mark.parametrize("access", [{"api_key": KEY}, {"username": USER, "password": PASSWORD}], ids=["key", "user"])
def test_everything_goes_by_tls_and_with_the_key(world: World, access: Mapping[str, str]) -> None:
    index = world.open(**access)
    index.prepare(IDENTITY)
    try:
        index.apply([entry(1, "tea"), entry(2, "coffee")])
        assert numbers(ask(index)) == {1, 2}
        index.check()
        assert index.count() == 2
    finally:
        index.drop()


def test_another_authority_is_not_trusted_and_told_nothing(world: World, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for trusted in ({"ca_certs": make_certificates(elsewhere)[0]}, {"ca_certs": ""}):
        with pytest.raises(IndexUnavailable, match="ca_certs"):
            world.open(api_key=KEY, **trusted).prepare(IDENTITY)
    assert world.gate.asked == [], "not even the key was sent"


def test_a_certificate_that_is_not_verified_on_demand(world: World) -> None:
    index = world.open(api_key=KEY, ca_certs="", verify_certs=False)
    index.prepare(IDENTITY)
    index.drop()


@pytest.mark.parametrize(
    ("access", "said"),
    [
        ({"api_key": CANARY}, "api_key"),
        ({"username": USER, "password": CANARY}, "the password"),
        ({}, "api_key"),
    ],
    ids=["key", "password", "none"],
)
def test_a_wrong_key_is_a_wrong_setting_and_not_shown(world: World, access: Mapping[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said) as failure:
        world.open(**access).prepare(IDENTITY)
    assert "401" in failure.value.message and CANARY not in failure.value.message
    assert len(world.gate.asked) == 1, "a refused key is not sent again"


def test_a_key_that_is_taken_back_leaves_the_search_to_the_store(world: World) -> None:
    index = world.open(api_key=KEY)
    index.prepare(IDENTITY)
    admitted = set(world.admitted)
    world.admitted.clear()
    for act in (lambda: ask(index), index.check, lambda: index.apply([entry(1, "tea")])):
        with pytest.raises(IndexUnavailable, match="check api_key"):
            act()
    world.admitted |= admitted
    index.drop()
