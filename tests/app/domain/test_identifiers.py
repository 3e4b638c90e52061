"""Ids and clocks that sort by time."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.identifiers import check_memory_id, check_workspace_id, hlc_ms, make_uuid7, tick_hlc
from app.errors import InvalidRequest

MOMENTS = st.integers(0, 2**47)


@given(MOMENTS)
def test_an_id_is_a_uuid_of_version_7_that_carries_its_time(now_ms: int) -> None:
    made = make_uuid7(now_ms)
    uuid = UUID(made)
    assert (uuid.version, uuid.variant) == (7, "specified in RFC 4122")
    assert int(made[:12], 16) == now_ms
    assert check_memory_id(made) == made


IN_ORDER = """
from app.domain.identifiers import make_uuid7
made = [make_uuid7(1_800_000_000_000) for _ in range(3000)]
assert made == sorted(made)
assert make_uuid7(1_800_000_000_001) > made[-1]
"""


def test_ids_of_one_millisecond_sort_as_they_were_made() -> None:
    """In a process of its own: a thread that an earlier test left behind makes ids of another moment in between."""
    subprocess.run([sys.executable, "-c", IN_ORDER], check=True)


def test_ids_of_many_threads_are_distinct() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: make_uuid7(7), range(20_000)))
    assert len(set(made)) == len(made)


@given(st.lists(MOMENTS, max_size=50))
def test_a_hybrid_clock_never_runs_back(moments: list[int]) -> None:
    last = 0
    for now_ms in moments:
        ticked = tick_hlc(last, now_ms)
        assert ticked > last
        assert hlc_ms(ticked) >= now_ms
        last = ticked


@pytest.mark.parametrize("allowed", ["u1", "tenant-a:project-1", "a", "A.b_c@d-e", "x" * 128])
def test_workspace_ids_that_clients_use_are_allowed(allowed: str) -> None:
    assert check_workspace_id(allowed) == allowed


@pytest.mark.parametrize("refused", ["", "../evil", "-a", ".a", "a/b", "a b", "x" * 129, "a\n", "ä", "a\x00"])
def test_workspace_ids_that_lead_elsewhere_are_refused(refused: str) -> None:
    with pytest.raises(InvalidRequest, match="not allowed"):
        check_workspace_id(refused)


@pytest.mark.parametrize("refused", ["", "0" * 31, "0" * 33, "G" * 32, "A" * 32, "0" * 31 + "\n"])
def test_memory_ids_have_32_digits(refused: str) -> None:
    with pytest.raises(InvalidRequest):
        check_memory_id(refused)
