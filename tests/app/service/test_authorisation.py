"""Scope before role, and never a word about what lies outside the scope."""

import pytest

from app.domain.access import Permission, Role
from app.domain.memory import Scope
from app.errors import Forbidden, InvalidRequest, NotFound
from app.service.authorisation import authorise, covers, require
from tests.app.service.conftest import principal


def test_a_principal_works_in_its_tenant() -> None:
    scope = authorise(principal(Role.READER, "w1"), Permission.MEMORY_READ, "w1")
    assert scope == Scope(tenant_id="acme", workspace_id="w1")


def test_outside_the_scope_is_not_found_even_without_the_permission() -> None:
    with pytest.raises(NotFound):
        authorise(principal(Role.READER, "w1"), Permission.ADMINISTER, "w2")


def test_inside_the_scope_a_missing_permission_is_forbidden() -> None:
    with pytest.raises(Forbidden, match="role 'reader' lacks the permission 'memory:write'"):
        authorise(principal(Role.READER, "w1"), Permission.MEMORY_WRITE, "w1")


@pytest.mark.parametrize("workspace_id", ["", "../evil", "a/b", "a\n", "ü", "-a", "a" * 129, "a\x00"])
def test_ids_that_no_workspace_can_have_are_refused_first(workspace_id: str) -> None:
    with pytest.raises(InvalidRequest, match="is not allowed"):
        authorise(principal(Role.READER, "w1"), Permission.MEMORY_READ, workspace_id)


def test_a_principal_without_workspaces_sees_none() -> None:
    nobody = principal(Role.ADMIN, "nothing-of-this-name")
    with pytest.raises(NotFound):
        authorise(nobody, Permission.MEMORY_READ, "w1")


def test_require_asks_for_the_role_only() -> None:
    require(principal(Role.SERVICE_ACCOUNT, "w1"), Permission.MEMORY_WRITE)
    with pytest.raises(Forbidden):
        require(principal(Role.SERVICE_ACCOUNT, "w1"), Permission.MEMORY_DELETE)


@pytest.mark.parametrize(
    ("own", "pattern", "covered"),
    [
        ("*", "*", True),
        ("*", "a*", True),
        ("*", "a", True),
        ("a*", "*", False),
        ("a*", "a*", True),
        ("a*", "ab*", True),
        ("ab*", "a*", False),
        ("a*", "a", True),
        ("a*", "b", False),
        ("a", "a", True),
        ("a", "a*", False),
        ("a", "ab", False),
    ],
)
def test_a_scope_covers_what_is_narrower(own: str, pattern: str, covered: bool) -> None:
    assert covers(principal(Role.ADMIN, own), pattern) is covered
