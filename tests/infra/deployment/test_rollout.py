"""A new version takes over, or loses its traffic: by a scripted one in no time, and by real processes under load."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Self

import httpx
import pytest

from infra.deployment.errors import BadRequest, RollbackFailed
from infra.deployment.rollout import HealthSample, Rollout, RolloutPolicy
from tests.infra.deployment.clocks import LoadedClock, SteppedClock
from tests.infra.deployment.weighted_proxy import WeightedProxy
from tests.servers.waiting import PATIENCE_S, wait_until

GOOD = HealthSample(healthy=True, requests=10, latency_ms=20)
SICK = HealthSample(healthy=False)
CANARY = (10, 50, 100)


class ScriptedTraffic:
    """Green shows these samples, and the last one ever after; its weights and their moments are kept."""

    def __init__(self, clock: SteppedClock, samples: Sequence[HealthSample]) -> None:
        self._clock, self._samples = clock, list(samples)
        self.weights: list[tuple[float, int]] = []
        self.stuck = False

    def set_weights(self, blue: int, green: int) -> None:
        assert blue + green == 100
        if self.stuck:
            raise OSError("the balancer does not answer")
        self.weights.append((self._clock.now_s(), green))

    def read_health(self) -> HealthSample:
        return self._samples.pop(0) if len(self._samples) > 1 else self._samples[0]


def script(*samples: HealthSample, steps: Sequence[int] = (100,)) -> tuple[Rollout, ScriptedTraffic]:
    clock = SteppedClock()
    traffic = ScriptedTraffic(clock, samples)
    return Rollout(traffic, RolloutPolicy(steps=steps), clock=clock), traffic


def test_green_proves_itself_for_five_minutes_before_each_step() -> None:
    rollout, traffic = script(GOOD, steps=CANARY)
    assert rollout.run().promoted
    assert traffic.weights == [(300, 10), (600, 50), (900, 100)]


def test_one_failed_check_starts_the_five_minutes_again() -> None:
    rollout, traffic = script(*[GOOD] * 20, SICK, GOOD)
    assert rollout.run().promoted
    assert traffic.weights == [(510, 100)]


def test_a_version_that_never_gets_healthy_gets_no_traffic() -> None:
    rollout, traffic = script(SICK)
    outcome = rollout.run()
    assert (outcome.promoted, outcome.percent) == (False, 0)
    assert "was not healthy for 300 s within 900 s" in outcome.reason
    assert [green for _, green in traffic.weights] == [0]


@pytest.mark.parametrize(
    ("sample", "reason"),
    [
        (SICK, "3 health checks in a row"),
        (HealthSample(healthy=True, requests=10, errors=1), "1 of 20 requests failed, above 1.0%"),
        (HealthSample(healthy=True, requests=1, latency_ms=1500), "take 1500 ms (p95), above 1000 ms"),
    ],
)
def test_what_fails_in_the_watch_is_rolled_back(sample: HealthSample, reason: str) -> None:
    rollout, traffic = script(*[GOOD] * 32, sample, steps=CANARY)
    outcome = rollout.run()
    assert (outcome.promoted, outcome.percent) == (False, 10)
    assert reason in outcome.reason
    assert [green for _, green in traffic.weights] == [10, 0]


def test_a_few_failures_are_no_verdict() -> None:
    lone = HealthSample(healthy=True, requests=1, errors=1)
    assert script(*[GOOD] * 31, lone, GOOD)[0].run().reason == "1 of 21 requests failed, above 1.0%"
    assert script(*[GOOD] * 45, lone, GOOD)[0].run().promoted
    slow = HealthSample(healthy=True, requests=1, latency_ms=1500)
    assert script(*[GOOD] * 31, SICK, SICK, GOOD, slow, slow, GOOD)[0].run().promoted


def test_an_interruption_gives_the_traffic_back() -> None:
    rollout, traffic = script(GOOD, steps=CANARY)

    def interrupt() -> HealthSample:
        if traffic.weights:
            raise KeyboardInterrupt
        return GOOD

    traffic.read_health = interrupt  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        rollout.run()
    assert [green for _, green in traffic.weights] == [10, 0]


def test_a_rollback_that_fails_says_where_the_traffic_may_be() -> None:
    rollout, traffic = script(SICK)
    traffic.stuck = True
    with pytest.raises(RollbackFailed, match=r"not healthy.*does not answer.*may still reach the new version"):
        rollout.run()


@pytest.mark.parametrize("steps", [(), (10, 50), (50, 10, 100), (0, 100), (100, 100)])
def test_steps_rise_to_all_of_the_traffic(steps: Sequence[int]) -> None:
    with pytest.raises(BadRequest, match="rising percents that end with 100"):
        RolloutPolicy(steps=steps)


PATIENT = RolloutPolicy(steps=CANARY, max_latency_ms=PATIENCE_S * 1000)
"""For versions whose latency is not the question, however busy the machine."""


@contextmanager
def running(place: Path, name: str, *, defect: str = "") -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """A version of the service on the store of the folder; yields its address and its process."""
    module = ("tests.infra.deployment.spoiled_service", defect) if defect else ("app",)
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("REME_", "FLOW_", "LLM_"))}
    with (place / f"{name}.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *module, "serve", "--port", "0"],
            cwd=place,
            env=kept | {"PYTHONPATH": str(Path(__file__).parents[3]), "REME_EMBEDDING__BACKEND": "hashing"},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.startswith("API "), (place / f"{name}.log").read_text(encoding="utf-8")
        yield line.split()[1], process
    finally:
        process.kill()
        process.wait(PATIENCE_S)
        process.stdout.close()


class Writers:
    """Constant load: each writer remembers one text after the other. `acknowledged` were answered with a success."""

    def __init__(self, address: str, count: int = 4) -> None:
        self._address, self._over = address, Event()
        self.acknowledged: list[str] = []
        self.refused: list[int] = []
        self._threads = [Thread(target=self._write, args=(number,)) for number in range(count)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(PATIENCE_S)

    def _write(self, number: int) -> None:
        with httpx.Client(timeout=PATIENCE_S, trust_env=False) as client:
            turn = 0
            while not self._over.is_set():
                turn += 1
                content = f"writer {number} remembers fact {turn}"
                answer = client.post(
                    f"{self._address}/v1/workspaces/load/memories", json={"type": "personal", "content": content}
                )
                if answer.is_success:
                    self.acknowledged.append(content)
                else:
                    self.refused.append(answer.status_code)
                time.sleep(0.01)


def check_nothing_is_lost(writers: Writers, address: str) -> None:
    assert len(writers.acknowledged) > 100
    answer = httpx.get(f"{address}/v1/workspaces/load/export", timeout=PATIENCE_S, trust_env=False)
    assert answer.status_code == 200, answer.text
    assert not [content for content in writers.acknowledged if f'"{content}"' not in answer.text]


@pytest.mark.slow
@pytest.mark.parametrize("steps", [(100,), CANARY])
def test_a_good_version_takes_over_without_a_failed_request(tmp_path: Path, steps: Sequence[int]) -> None:
    with running(tmp_path, "blue") as (blue, former), running(tmp_path, "green") as (green, _):
        with WeightedProxy(blue, green) as proxy, Writers(proxy.address) as writers:
            outcome = Rollout(proxy, replace(PATIENT, steps=steps), clock=LoadedClock(proxy.count_answers)).run()
            assert outcome.promoted, outcome.reason
            former.terminate()
            assert former.wait(PATIENCE_S) == 0
            before = len(writers.acknowledged)
            wait_until(lambda: len(writers.acknowledged) > before + 20, "writes to the new version alone")
        assert proxy.history == list(steps)
        assert writers.refused == []
        check_nothing_is_lost(writers, green)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("defect", "reason", "history"),
    [
        ("unhealthy", "was not healthy", [0]),
        ("failing", "requests failed", [10, 0]),
        ("slow", "ms (p95)", [10, 0]),
        ("dying", "health checks in a row", [10, 0]),
    ],
)
def test_a_bad_version_loses_its_traffic(tmp_path: Path, defect: str, reason: str, history: list[int]) -> None:
    with running(tmp_path, "blue") as (blue, _), running(tmp_path, "green", defect=defect) as (green, _):
        policy = RolloutPolicy(steps=CANARY) if defect == "slow" else PATIENT
        if defect == "dying":  # it fails requests as well, and its health is to be found out
            policy = replace(policy, min_requests=10**9)
        with WeightedProxy(blue, green) as proxy, Writers(proxy.address) as writers:
            outcome = Rollout(proxy, policy, clock=LoadedClock(proxy.count_answers)).run()
            answered, refused = proxy.answered["green"], len(writers.refused)
            before = len(writers.acknowledged)
            wait_until(lambda: len(writers.acknowledged) > before + 50, "writes to the version before alone")
        assert not outcome.promoted
        assert reason in outcome.reason
        assert proxy.history == history
        # Those under way when the traffic was given back are still answered by the new version.
        assert proxy.answered["green"] <= answered + 4
        assert len(writers.refused) <= refused + 4
        check_nothing_is_lost(writers, blue)


@pytest.mark.slow
def test_an_instant_switch_to_a_bad_version_is_undone(tmp_path: Path) -> None:
    with running(tmp_path, "blue") as (blue, _), running(tmp_path, "green", defect="failing") as (green, _):
        with WeightedProxy(blue, green) as proxy, Writers(proxy.address) as writers:
            outcome = Rollout(proxy, replace(PATIENT, steps=(100,)), clock=LoadedClock(proxy.count_answers)).run()
        assert (outcome.promoted, proxy.history) == (False, [100, 0])
        check_nothing_is_lost(writers, blue)
