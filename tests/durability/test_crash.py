"""A process that works on the store is killed at any moment, again and again: nothing acknowledged is lost."""

import logging
import time
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from tests.durability.children import Plan, check_and_work
from tests.durability.extent import KILLS
from tests.durability.history import History
from tests.durability.processes import Child, start_child
from tests.durability.workload import seed_random

LOG = logging.getLogger(__name__)
KILLS_PER_STORE = 50
STORES = range(max(1, -(-KILLS // KILLS_PER_STORE)))
WORKERS = ("w0", "w1", "w2")
LONGEST_DELAY_S = 0.004
"""A commit takes a part of this, so that a kill comes before, in or after one."""


def work_until_killed(child: Child, history: History, random: Random) -> None:
    """Let a child work, kill it after a random number of reports and a random moment, and take what it said."""
    for _ in range(random.choice((0, 1, 2, 4, 10, 40, 80, 160))):
        message = child.receive()
        assert message is not None, "the child ended by itself"
        history.take(message)
    kill_at = time.perf_counter() + random.random() * LONGEST_DELAY_S
    while time.perf_counter() < kill_at:
        pass
    child.kill()
    history.take_rest(child)
    history.count_kill()


@pytest.mark.slow
@pytest.mark.parametrize("store_number", STORES)
def test_nothing_acknowledged_is_lost_when_the_process_is_killed(tmp_path: Path, store_number: int) -> None:
    """Each child first checks what the former left, recovers it, and is never given the time to close the store."""
    path, random, history = tmp_path / "memory.db", seed_random(f"kill-{store_number}"), History(WORKERS)
    plan = Plan(ledgers=history.ledgers, seed=store_number, round_number=0)
    kills = min(KILLS_PER_STORE, KILLS)
    for number in range(kills):
        plan = replace(plan, ledgers=history.ledgers, round_number=number, clock=history.clock)
        work_until_killed(start_child(check_and_work, path, plan), history, random)
    last = start_child(check_and_work, path, replace(plan, ledgers=history.ledgers, round_number=kills, operations=5))
    history.take_rest(last)
    last.finish()
    assert not any(ledger.in_flight for ledger in history.ledgers.values())
    assert not path.with_name("memory.db-wal").exists(), "a store that was closed leaves no write-ahead log"
    LOG.info("%s kills, %s acknowledged, %s in flight", kills, history.acknowledged, history.in_flight)
    assert history.acknowledged > 5 * kills, "the children were killed before they did anything"
    assert history.in_flight > kills / 5, "hardly any kill came in the middle of a write"


@pytest.mark.slow
def test_a_second_process_goes_on_while_the_first_is_killed(tmp_path: Path) -> None:
    path, random = tmp_path / "memory.db", seed_random("survivor")
    surviving, killed = History(("s0", "s1")), History(("v0", "v1"))
    plan = Plan(ledgers=surviving.ledgers, seed=1, round_number=0, operations=150)
    survivor = start_child(check_and_work, path, plan)
    surviving.take(survivor.expect("opened"))
    for number in range(10):
        plan = Plan(ledgers=killed.ledgers, seed=2, round_number=number, clock=killed.clock)
        work_until_killed(start_child(check_and_work, path, plan), killed, random)
    surviving.take_rest(survivor)
    survivor.finish()
    both = {**killed.ledgers, **surviving.ledgers}
    last = start_child(check_and_work, path, Plan(ledgers=both, seed=3, round_number=99, operations=3))
    while last.receive() is not None:
        pass
    last.finish()
    assert surviving.acknowledged == 2 * 150
    assert killed.acknowledged
