"""`reme keys`."""

import json
import re

from tests.app.commands.conftest import Runner


def issue(reme: Runner, *arguments: object) -> dict[str, object]:
    found = json.loads(reme("keys", "issue", *arguments, "--json").out)
    assert isinstance(found, dict)
    return found


def test_only_the_secret_goes_to_standard_output(reme: Runner) -> None:
    done = reme("keys", "issue", "laptop", "--role", "admin")
    assert done.code == 0
    assert re.fullmatch(r"rk_[0-9a-f]{32}\n", done.out)
    assert done.out.strip() not in done.err
    assert "not shown again" in done.err
    assert "admin of *" in done.err


def test_a_list_shows_keys_without_secrets(reme: Runner) -> None:
    assert "no key was issued" in _list_of_an_empty_store(reme)
    key = issue(reme, "ci", "--role", "reader", "-w", "team", "-w", "tenant-a:*", "--days", 5, "--tenant", "acme")
    listed = reme("keys", "list")
    for words in ("ci", "reader", "team tenant-a:*", "acme", "until 20"):
        assert words in listed.out
    assert str(key["secret"]) not in listed.out
    items = json.loads(reme("keys", "list", "--json").out)["items"]
    assert [item["id"] for item in items] == [key["id"]]
    assert "secret" not in items[0]


def _list_of_an_empty_store(reme: Runner) -> str:
    reme("add", "makes the store")
    done = reme("keys", "list")
    assert (done.code, done.out) == (0, "")
    return done.err


def test_a_rotation_names_the_new_key(reme: Runner) -> None:
    old = issue(reme, "ci")
    new = json.loads(reme("keys", "rotate", str(old["id"]), "--json").out)
    assert new["secret"] != old["secret"]
    shown = " ".join(reme("keys", "list").out.split())
    assert "replaced by" in shown
    assert reme("keys", "rotate", str(old["id"])).code == 2


def test_a_revoked_key_says_so(reme: Runner) -> None:
    key = issue(reme, "ci")
    assert reme("keys", "revoke", str(key["id"])).out == f"revoked {key['id']} (ci)\n"
    assert "revoked 20" in reme("keys", "list").out
    assert json.loads(reme("keys", "revoke", str(key["id"]), "--json").out)["revoked_at"]


def test_an_unknown_key_or_a_malformed_scope_is_refused(reme: Runner) -> None:
    issue(reme, "ci")
    for arguments in (
        ["revoke", "0" * 32],
        ["rotate", "nonsense"],
        ["issue", "x", "--workspace", "a b"],
        ["issue", ""],
        ["issue", "a\r\nX-Forged: 1"],
        ["issue", "x", "--tenant", "../x"],
    ):
        done = reme("keys", *arguments)
        assert (done.code, done.out) == (2, "")
        assert done.err
