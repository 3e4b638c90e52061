"""Keys: what opens, until when, and who may hand out what."""

import logging
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any

import pytest

from app.backends.clock import SteppingClock
from app.domain.access import KEY_FORMAT, LOCAL_ADMIN, ApiKey, Role
from app.errors import Forbidden, InvalidRequest, NotFound, Unauthenticated
from app.ports import KeyStore
from app.service.keys import Keys
from app.service.ranking import MS_PER_DAY
from tests.app.service.conftest import Bench, principal

ADMIN = principal()
EVERY = ("*",)


def test_a_secret_is_shown_once_and_kept_as_a_hash(bench: Bench) -> None:
    key, secret = bench.keys.issue(ADMIN, name=" bot ", role=Role.USER, workspaces=("w1", "team-*", "w1"))
    assert KEY_FORMAT.fullmatch(secret)
    assert key.secret_sha256 == sha256(secret.encode()).hexdigest()
    assert (key.name, key.role, key.workspaces, key.tenant_id) == ("bot", Role.USER, ("w1", "team-*"), "acme")
    assert key.expires_ms == bench.clock.now_ms() + 90 * MS_PER_DAY
    stored = repr(bench.store.keys.list_keys()) + str([vars_of(one) for one in bench.store.keys.list_keys()])
    assert secret not in stored
    assert secret[3:] not in stored


def vars_of(value: object) -> list[object]:
    return [getattr(value, name) for name in value.__slots__]  # type: ignore[attr-defined]


def test_a_secret_opens_what_its_key_says(bench: Bench) -> None:
    key, secret = bench.keys.issue(ADMIN, name="bot", role=Role.READER, workspaces=("w1",), key_days=1)
    holder = bench.keys.authenticate(secret)
    assert holder == key.principal
    assert (holder.role, holder.workspaces, holder.tenant_id) == (Role.READER, ("w1",), "acme")
    bench.clock.step(MS_PER_DAY - 1)
    assert bench.keys.authenticate(secret) == holder
    bench.clock.step(1)
    with pytest.raises(Unauthenticated, match="has expired"):
        bench.keys.authenticate(secret)


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "rk_",
        "rk_" + "0" * 31,
        "rk_" + "0" * 33,
        "rk_" + "G" * 32,
        "rk_" + "A" * 32,
        "rk_" + "0" * 32 + "\n",
        "é" * 35,
    ],
)
def test_what_is_no_key_does_not_reach_the_store(secret: str) -> None:
    class Untouched:
        def __getattr__(self, name: str) -> object:
            raise AssertionError(f"{name} was asked")

    keys = Keys(store=Untouched(), clock=SteppingClock())  # type: ignore[arg-type]
    with pytest.raises(Unauthenticated, match="this is no API key"):
        keys.authenticate(secret)


def test_errors_and_logs_hold_no_secret(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    unknown = "rk_" + "ab" * 16
    key, secret = bench.keys.issue(ADMIN, name="bot", role=Role.USER, workspaces=EVERY)
    bench.keys.authenticate(secret)
    bench.keys.revoke(ADMIN, key.id)
    for wrong in (unknown, secret, f"{secret}x"):
        with pytest.raises(Unauthenticated) as refusal:
            bench.keys.authenticate(wrong)
        assert wrong[3:19] not in str(refusal.value)
    assert not caplog.records


def test_revocation_counts_at_once_and_for_other_processes(bench: Bench) -> None:
    key, secret = bench.keys.issue(ADMIN, name="bot", role=Role.USER, workspaces=EVERY)
    other = Keys(store=bench.store.keys, clock=bench.clock)
    assert other.authenticate(secret).key_id == key.id
    revoked = bench.keys.revoke(ADMIN, key.id)
    with pytest.raises(Unauthenticated, match="is not known here"):
        other.authenticate(secret)
    bench.clock.step(5_000)
    assert bench.keys.revoke(ADMIN, key.id) == revoked


def test_a_rotated_key_works_for_the_overlap(bench: Bench) -> None:
    old, old_secret = bench.keys.issue(ADMIN, name="bot", role=Role.USER, workspaces=("w*",))
    bench.clock.step(MS_PER_DAY)
    new, new_secret = bench.keys.rotate(ADMIN, old.id)
    assert (new.name, new.role, new.workspaces, new.tenant_id) == (old.name, old.role, old.workspaces, old.tenant_id)
    assert new.expires_ms == bench.clock.now_ms() + 90 * MS_PER_DAY
    assert new_secret != old_secret
    replaced = next(key for key in bench.keys.list(ADMIN) if key.id == old.id)
    assert (replaced.replaced_by, replaced.expires_ms) == (new.id, bench.clock.now_ms() + 7 * MS_PER_DAY)
    bench.clock.step(7 * MS_PER_DAY - 1)
    assert bench.keys.authenticate(old_secret).key_id == old.id
    bench.clock.step(1)
    with pytest.raises(Unauthenticated):
        bench.keys.authenticate(old_secret)
    assert bench.keys.authenticate(new_secret).key_id == new.id


def test_a_rotation_never_lengthens_the_old_key(bench: Bench) -> None:
    old, _ = bench.keys.issue(ADMIN, name="bot", role=Role.USER, workspaces=EVERY, key_days=2)
    bench.keys.rotate(ADMIN, old.id)
    replaced = next(key for key in bench.keys.list(ADMIN) if key.id == old.id)
    assert replaced.expires_ms == old.expires_ms


def test_what_no_longer_works_is_not_rotated(bench: Bench) -> None:
    revoked, _ = bench.keys.issue(ADMIN, name="a", role=Role.USER, workspaces=EVERY)
    bench.keys.revoke(ADMIN, revoked.id)
    expired, _ = bench.keys.issue(ADMIN, name="b", role=Role.USER, workspaces=EVERY, key_days=1)
    bench.clock.step(MS_PER_DAY)
    replaced, _ = bench.keys.issue(ADMIN, name="c", role=Role.USER, workspaces=EVERY)
    bench.keys.rotate(ADMIN, replaced.id)
    count = len(bench.keys.list(ADMIN))
    for key, message in ((revoked, "is revoked"), (expired, "has expired"), (replaced, "was replaced by")):
        with pytest.raises(InvalidRequest, match=message):
            bench.keys.rotate(ADMIN, key.id)
    with pytest.raises(NotFound):
        bench.keys.rotate(ADMIN, "nothing")
    assert len(bench.keys.list(ADMIN)) == count


@pytest.mark.parametrize("role", [Role.USER, Role.READER, Role.SERVICE_ACCOUNT])
def test_only_an_admin_administers(bench: Bench, role: Role) -> None:
    key, _ = bench.keys.issue(ADMIN, name="bot", role=role, workspaces=EVERY)
    someone = principal(role)
    for action in (
        lambda: bench.keys.issue(someone, name="x", role=Role.READER, workspaces=("w",)),
        lambda: bench.keys.rotate(someone, key.id),
        lambda: bench.keys.revoke(someone, key.id),
        lambda: bench.keys.list(someone),
    ):
        with pytest.raises(Forbidden):
            action()


def test_nobody_hands_out_more_than_the_own_scope(bench: Bench) -> None:
    limited = principal(Role.ADMIN, "team-*", "w1")
    for patterns in (("*",), ("te*",), ("w1*",), ("team-1", "w2")):
        with pytest.raises(Forbidden, match="beyond the scope"):
            bench.keys.issue(limited, name="x", role=Role.READER, workspaces=patterns)
    key, _ = bench.keys.issue(limited, name="x", role=Role.ADMIN, workspaces=("team-1*", "w1"))
    assert key.workspaces == ("team-1*", "w1")
    with pytest.raises(Forbidden, match="another tenant"):
        bench.keys.issue(ADMIN, name="x", role=Role.READER, workspaces=EVERY, tenant_id="umbrella")
    assert not bench.store.keys.list_keys("umbrella")


def test_keys_beyond_the_own_scope_are_not_there(bench: Bench) -> None:
    wide, _ = bench.keys.issue(ADMIN, name="wide", role=Role.USER, workspaces=EVERY)
    narrow, _ = bench.keys.issue(ADMIN, name="narrow", role=Role.USER, workspaces=("w1",))
    foreign, _ = bench.keys.issue(principal(tenant_id="umbrella"), name="foreign", role=Role.USER, workspaces=EVERY)
    limited = principal(Role.ADMIN, "w1")
    assert [key.id for key in bench.keys.list(limited)] == [narrow.id]
    assert {key.id for key in bench.keys.list(ADMIN)} == {wide.id, narrow.id}
    for key in (wide, foreign):
        for action in (bench.keys.revoke, bench.keys.rotate):
            with pytest.raises(NotFound):
                action(limited, key.id)
    with pytest.raises(NotFound):
        bench.keys.revoke(ADMIN, foreign.id)


def test_the_admin_of_this_machine_serves_every_tenant(bench: Bench) -> None:
    key, _ = bench.keys.issue(LOCAL_ADMIN, name="first", role=Role.ADMIN, workspaces=EVERY, tenant_id="umbrella")
    assert key.tenant_id == "umbrella"
    assert key in bench.keys.list(LOCAL_ADMIN)
    assert bench.keys.revoke(LOCAL_ADMIN, key.id).revoked_ms is not None
    own, _ = bench.keys.issue(LOCAL_ADMIN, name="own", role=Role.ADMIN, workspaces=EVERY)
    assert own.tenant_id == "default"
    with pytest.raises(Forbidden):
        bench.keys.issue(own.principal, name="x", role=Role.USER, workspaces=EVERY, tenant_id="umbrella")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": " "}, "name is empty"),
        ({"name": "x" * 129}, "name has 129 characters"),
        ({"name": "a\r\nb"}, "name has a control character or line break at position 1"),
        ({"name": "ab\x1b[2J"}, "at position 2"),
        ({"name": "a\x85b"}, "at position 1"),
        ({"name": "a\u2028b"}, "at position 1"),
        ({"workspaces": ()}, "0 workspace patterns"),
        ({"workspaces": tuple(f"w{n}" for n in range(101))}, "101 workspace patterns"),
        ({"workspaces": ("",)}, "workspace pattern ''"),
        ({"workspaces": ("a/b",)}, "workspace pattern 'a/b'"),
        ({"workspaces": ("a**",)}, "workspace pattern 'a**'"),
        ({"workspaces": ("*a",)}, "workspace pattern '*a'"),
        ({"workspaces": ("-*",)}, "workspace pattern '-*'"),
        ({"key_days": 0}, "key_days is 0: give 1 to 3,650 days"),
        ({"key_days": 3_651}, "key_days is 3651"),
        ({"tenant_id": "../x"}, "is not allowed"),
    ],
)
def test_keys_have_bounds(bench: Bench, fields: dict[str, object], message: str) -> None:
    asked = {"name": "x", "role": Role.USER, "workspaces": EVERY, **fields}
    with pytest.raises(InvalidRequest, match=re.escape(message)):
        bench.keys.issue(LOCAL_ADMIN, **asked)  # type: ignore[arg-type]


def test_the_overlap_has_bounds(bench: Bench) -> None:
    with pytest.raises(InvalidRequest, match="overlap_days is -1"):
        Keys(store=bench.store.keys, clock=bench.clock, overlap_days=-1)
    at_once = Keys(store=bench.store.keys, clock=bench.clock, overlap_days=0)
    old, secret = at_once.issue(ADMIN, name="x", role=Role.USER, workspaces=EVERY)
    at_once.rotate(ADMIN, old.id)
    with pytest.raises(Unauthenticated):
        at_once.authenticate(secret)


class Racing:
    """A store in which somebody is faster: runs an action before the first replacement of a key."""

    def __init__(self, store: KeyStore) -> None:
        self._store = store
        self.first: Callable[[], object] | None = None

    def put_key(self, key: ApiKey, *, expected: ApiKey | None = None) -> None:
        if expected is not None and self.first is not None:
            action, self.first = self.first, None
            action()
        self._store.put_key(key, expected=expected)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def test_a_rotation_does_not_undo_a_revocation(bench: Bench) -> None:
    store = Racing(bench.store.keys)
    racing = Keys(store=store, clock=bench.clock)
    key, secret = bench.keys.issue(ADMIN, name="bot", role=Role.USER, workspaces=EVERY)
    store.first = lambda: bench.keys.revoke(ADMIN, key.id)
    with pytest.raises(InvalidRequest, match="is revoked and cannot be rotated"):
        racing.rotate(ADMIN, key.id)
    with pytest.raises(Unauthenticated):
        bench.keys.authenticate(secret)
    assert not any(one.works_at(bench.clock.now_ms()) for one in bench.keys.list(ADMIN)), "the spare key is revoked"


def test_a_revocation_does_not_undo_a_rotation(bench: Bench) -> None:
    store = Racing(bench.store.keys)
    racing = Keys(store=store, clock=bench.clock)
    key, _ = bench.keys.issue(ADMIN, name="bot", role=Role.USER, workspaces=EVERY)
    store.first = lambda: bench.keys.rotate(ADMIN, key.id)
    revoked = racing.revoke(ADMIN, key.id)
    new = next(one for one in bench.keys.list(ADMIN) if one.id != key.id)
    assert revoked.revoked_ms is not None
    assert revoked.replaced_by == new.id
    assert bench.store.keys.find_key(key.secret_sha256) == revoked
    assert new.works_at(bench.clock.now_ms())


def test_of_two_rotations_at_once_one_wins(benches: Callable[[], Bench]) -> None:
    bench = benches()
    key, _ = bench.keys.issue(ADMIN, name="bot", role=Role.USER, workspaces=EVERY)

    def rotate(_: int) -> str:
        try:
            return bench.keys.rotate(ADMIN, key.id)[1]
        except InvalidRequest as error:
            assert "was replaced by" in error.message
            return ""

    with ThreadPoolExecutor(4) as threads:
        secrets = [secret for secret in threads.map(rotate, range(8)) if secret]
    assert len(secrets) == 1
    assert bench.keys.authenticate(secrets[0])
    working = [one for one in bench.keys.list(ADMIN) if one.works_at(bench.clock.now_ms())]
    assert len(working) == 2, "the old one for its overlap, and one new one"


def test_keys_exist_from_the_first_on(bench: Bench) -> None:
    assert not bench.keys.exist()
    key, _ = bench.keys.issue(ADMIN, name="x", role=Role.USER, workspaces=EVERY)
    assert bench.keys.exist()
    bench.keys.revoke(ADMIN, key.id)
    assert bench.keys.exist()
    assert Keys(store=bench.store.keys, clock=bench.clock).exist()


def test_a_secret_made_elsewhere_opens_and_is_admitted_once(bench: Bench) -> None:
    secret = "rk_" + "7" * 32
    key, new = bench.keys.admit(LOCAL_ADMIN, secret, name="admin", role=Role.ADMIN, workspaces=EVERY)
    assert new and bench.keys.authenticate(secret) == key.principal
    assert bench.keys.admit(LOCAL_ADMIN, secret, name="admin", role=Role.ADMIN, workspaces=EVERY) == (key, False)
    with pytest.raises(InvalidRequest, match="another role, tenant or scope"):
        bench.keys.admit(LOCAL_ADMIN, secret, name="admin", role=Role.ADMIN, workspaces=("w1",))
    narrow = principal(Role.ADMIN, "w1")
    with pytest.raises(Forbidden):
        bench.keys.admit(narrow, "rk_" + "8" * 32, name="x", role=Role.USER, workspaces=EVERY)
