"""Keys on several nodes."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from app.backends.postgres import PostgresStore
from app.domain.access import ApiKey
from app.errors import VersionConflict
from tests.app.contract.test_key_store import key
from tests.app.postgres.operations.conftest import Nodes

pytestmark = pytest.mark.xdist_group("postgres")


def test_a_revocation_is_seen_on_the_other_node_at_once(nodes: Nodes) -> None:
    one, other = nodes
    issued = key("ci")
    one.keys.put_key(issued)
    assert other.keys.find_key(issued.secret_sha256) == issued
    revoked = replace(issued, revoked_ms=1234)
    other.keys.put_key(revoked, expected=issued)
    assert one.keys.find_key(issued.secret_sha256) == revoked


def put(node: PostgresStore, one: ApiKey, expected: ApiKey | None) -> ApiKey | None:
    """Put a key; the key if it was stored, None if another came first."""
    try:
        node.keys.put_key(one, expected=expected)
    except VersionConflict:
        return None
    return one


def test_of_changes_at_once_one_goes_through(nodes: Nodes) -> None:
    stored = key("ci")
    for expected in (None, stored):  # a new key, then a change of it
        changes = [replace(stored, replaced_by=f"id-{number}" if expected else "") for number in range(16)]
        with ThreadPoolExecutor(16) as threads:
            done = list(threads.map(put, nodes * 8, changes, [expected] * 16))
        won = [one for one in done if one is not None]
        assert len(won) == 1
        assert nodes[0].keys.list_keys() == nodes[1].keys.list_keys() == (won[0],)


def test_a_secret_is_of_one_key(nodes: Nodes) -> None:
    first = key("ci")
    nodes[0].keys.put_key(first)
    assert put(nodes[1], replace(key("other"), secret_sha256=first.secret_sha256), None) is None
    assert nodes[1].keys.list_keys() == (first,)
