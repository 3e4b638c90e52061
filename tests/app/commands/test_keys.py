"""`reme keys`."""

import json
import re

import pytest

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


KEY = "rk_00112233445566778899aabbccddeeff"


def test_a_key_made_elsewhere_is_taken_over_once_and_never_shown(reme: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADMIN_KEY", KEY)
    first = reme("keys", "import", "admin", "--role", "admin", "--from-variable", "ADMIN_KEY")
    again = reme("keys", "import", "other", "--role", "admin", "--from-variable", "ADMIN_KEY")
    assert (first.code, again.code) == (0, 0), first.err + again.err
    assert first.out.startswith("imported ") and again.out.startswith("known already: ")
    [item] = json.loads(reme("keys", "list", "--json").out)["items"]
    assert (item["name"], item["role"]) == ("admin", "admin")
    assert reme("keys", "revoke", item["id"]).code == 0
    revoked = reme("keys", "import", "admin", "--role", "admin", "--from-variable", "ADMIN_KEY", "--json")
    assert json.loads(revoked.out)["revoked_at"]
    assert KEY not in "".join(done.out + done.err for done in (first, again, revoked))


def test_a_secret_of_another_form_or_for_another_role_is_refused(reme: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADMIN_KEY", KEY)
    monkeypatch.setenv("PASSWORD", "my own words")
    assert reme("keys", "import", "admin", "--role", "admin", "--from-variable", "ADMIN_KEY").code == 0
    for variable, role, words in (
        ("PASSWORD", "admin", "no API key"),
        ("NOWHERE", "admin", "has no NOWHERE"),
        ("ADMIN_KEY", "reader", "another role"),
    ):
        done = reme("keys", "import", "admin", "--role", role, "--from-variable", variable)
        assert (done.code, done.out) == (2, "")
        assert words in done.err
        assert KEY not in done.err and "my own words" not in done.err
    assert len(json.loads(reme("keys", "list", "--json").out)["items"]) == 1
