"""The key store."""

from dataclasses import replace
from hashlib import sha256

import pytest

from app.domain.access import ApiKey, Role
from app.errors import VersionConflict
from tests.app.contract.backends import Backend


def key(name: str, **fields: object) -> ApiKey:
    made = ApiKey(
        id=f"id-{name}",
        secret_sha256=sha256(name.encode()).hexdigest(),
        name=name,
        tenant_id="acme",
        role=Role.USER,
        workspaces=("project-1", "team-*"),
        created_ms=1000,
        expires_ms=2000,
    )
    return replace(made, **fields)  # type: ignore[arg-type]


def test_a_key_is_found_by_the_hash_of_its_secret(backend: Backend) -> None:
    stored = key("ci", role=Role.SERVICE_ACCOUNT, workspaces=(), replaced_by="id-next", revoked_ms=1500)
    backend.keys.put_key(stored)
    backend.keys.put_key(key("other"))
    assert backend.keys.find_key(stored.secret_sha256) == stored
    assert backend.keys.find_key(key("other").secret_sha256) == key("other")
    for wrong in ("", "0" * 64, stored.secret_sha256.upper(), stored.secret_sha256[:-1], stored.id, "%"):
        assert backend.keys.find_key(wrong) is None


def test_a_store_without_keys_has_none(backend: Backend) -> None:
    assert backend.keys.list_keys() == ()
    assert backend.keys.list_keys("acme") == ()
    assert backend.keys.find_key("0" * 64) is None


def test_a_key_that_stopped_working_is_still_found(backend: Backend) -> None:
    expired = key("old", expires_ms=1)
    backend.keys.put_key(expired)
    assert backend.keys.find_key(expired.secret_sha256) == expired


def test_a_revocation_is_seen_at_once(backend: Backend) -> None:
    backend.keys.put_key(key("ci"))
    revoked = key("ci", revoked_ms=1234, replaced_by="id-next")
    backend.keys.put_key(revoked, expected=key("ci"))
    assert backend.keys.find_key(revoked.secret_sha256) == revoked
    assert backend.keys.list_keys() == (revoked,)


def test_a_change_that_another_came_before_is_refused(backend: Backend) -> None:
    first = key("ci")
    backend.keys.put_key(first)
    revoked = replace(first, revoked_ms=1234)
    backend.keys.put_key(revoked, expected=first)
    for change, expected in (
        (replace(first, expires_ms=1500, replaced_by="id-next"), first),
        (first, None),
        (key("new"), key("new")),
    ):
        with pytest.raises(VersionConflict, match="was changed in between"):
            backend.keys.put_key(change, expected=expected)
    assert backend.keys.list_keys() == (revoked,)


def test_a_key_replaced_by_one_of_another_secret_opens_no_more(backend: Backend) -> None:
    backend.keys.put_key(key("ci"))
    changed = key("ci", secret_sha256="f" * 64)
    backend.keys.put_key(changed, expected=key("ci"))
    assert backend.keys.find_key(key("ci").secret_sha256) is None
    assert backend.keys.find_key("f" * 64) == changed


def test_keys_are_listed_oldest_first_by_tenant(backend: Backend) -> None:
    keys = [key("c", created_ms=3), key("a", created_ms=2), key("b", created_ms=1, tenant_id="umbrella")]
    for one in keys:
        backend.keys.put_key(one)
    assert [one.name for one in backend.keys.list_keys()] == ["b", "a", "c"]
    assert [one.name for one in backend.keys.list_keys("acme")] == ["a", "c"]
    assert [one.name for one in backend.keys.list_keys("umbrella")] == ["b"]
    assert backend.keys.list_keys("nobody") == ()
