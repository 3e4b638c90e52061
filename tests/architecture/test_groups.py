"""Tests that share what a machine has once run one after the other."""

import os

import pytest


@pytest.mark.xdist_group("a group")
def test_tests_of_a_group_stay_together(request: pytest.FixtureRequest) -> None:
    """Their worker appends the group to the names by which tests are handed out; where it fails to, nothing is said."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        pytest.skip("these tests run in one process, and so one after the other")
    assert request.node.nodeid.endswith("@a group")
