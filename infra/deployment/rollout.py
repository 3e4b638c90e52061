"""How a new version takes over (§9.3): it proves its health, gets the traffic in steps, and loses it when it fails."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from infra.deployment.errors import BadRequest, GivenUp, NotHealthy, RollbackFailed

FAILED_CHECKS = 3
"""Health checks in a row after which a target is unhealthy (§6.2, unhealthy_threshold)."""


@dataclass(frozen=True, kw_only=True)
class HealthSample:
    """What was seen of the new version since the sample before.

    `healthy` says whether it answers its health check. `requests` and `errors` count what it answered and of that what
    failed by its fault (5xx, or no answer). `latency_ms` is the 95th percentile of its answers, None without any.
    """

    healthy: bool
    requests: int = 0
    errors: int = 0
    latency_ms: float | None = None


class Traffic(Protocol):
    """Where traffic goes, between the version that runs (blue) and the new one (green)."""

    def set_weights(self, blue: int, green: int) -> None:
        """Give blue and green these percents of the traffic; returns when it holds.

        Raises NotHealthy where the version that gets it turns out not to answer, GivenUp where its host refused it.
        """
        ...

    def read_health(self) -> HealthSample:
        """What was seen of green since the last call."""
        ...


class Clock(Protocol):
    """Time that a test can make short."""

    def now_s(self) -> float:
        """Seconds since any moment; never goes back."""
        ...

    def sleep_s(self, seconds: float) -> None:
        """Wait."""
        ...


class MonotonicClock:
    """The machine's clock."""

    def now_s(self) -> float:
        """Seconds since the machine started."""
        return time.monotonic()

    def sleep_s(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


@dataclass(frozen=True, kw_only=True)
class RolloutPolicy:
    """When a new version is good enough; raises BadRequest for steps that are none.

    `steps` are the percents of the traffic that green gets one after the other, up to 100: (100,) switches at once.
    Before the first step green must be healthy for `check_s` without a gap, within `start_s` of the beginning; after
    each step it is watched for `watch_s`. `check_s` is the health_check_duration of §9.3, and the watch is as long.
    `max_error_share` and `max_latency_ms` are those of the alarms (§7.2: HighErrorRate 1 %, HighAPILatency 1 s).
    An error share is judged from `min_requests` answers on, a latency when it was too long in FAILED_CHECKS samples.
    """

    steps: Sequence[int] = (100,)
    check_s: float = 300
    watch_s: float = 300
    start_s: float = 900
    poll_s: float = 10
    max_error_share: float = 0.01
    max_latency_ms: float = 1000
    min_requests: int = 20

    def __post_init__(self) -> None:
        rises = all(low < high for low, high in zip(self.steps, self.steps[1:], strict=False))
        if not self.steps or self.steps[0] < 1 or self.steps[-1] != 100 or not rises:
            shown = ",".join(str(step) for step in self.steps)
            raise BadRequest(
                f"steps {shown!r} are no rollout: give rising percents that end with 100, such as 10,50,100"
            )
        if self.start_s < self.check_s:
            raise BadRequest(f"start_s {self.start_s:g} is below check_s {self.check_s:g}: no version could ever pass")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a rollout ended: whether green keeps the traffic, the percent that it had last, and why it lost it."""

    promoted: bool
    percent: int
    reason: str = ""


class _Watch:
    """What was seen during one step."""

    def __init__(self, policy: RolloutPolicy) -> None:
        self._policy = policy
        self._requests = self._errors = self._unhealthy = self._slow = 0

    def judge(self, sample: HealthSample) -> str:
        """Add a sample; returns why the version has failed, or nothing."""
        policy = self._policy
        self._requests += sample.requests
        self._errors += sample.errors
        self._unhealthy = 0 if sample.healthy else self._unhealthy + 1
        if sample.latency_ms is not None:
            self._slow = self._slow + 1 if sample.latency_ms > policy.max_latency_ms else 0
        if self._unhealthy >= FAILED_CHECKS:
            return f"it failed {self._unhealthy} health checks in a row"
        share = self._errors / self._requests if self._requests else 0.0
        if self._requests >= policy.min_requests and share > policy.max_error_share:
            return f"{self._errors} of {self._requests} requests failed, above {policy.max_error_share:.1%}"
        if self._slow >= FAILED_CHECKS:
            return f"its requests take {sample.latency_ms:.0f} ms (p95), above {policy.max_latency_ms:.0f} ms"
        return ""


def _be_silent(line: str) -> None:
    pass


class Rollout:
    """Moves traffic from blue to green under a policy; `say` is told what happens, a line each."""

    def __init__(
        self,
        traffic: Traffic,
        policy: RolloutPolicy,
        *,
        clock: Clock | None = None,
        say: Callable[[str], None] = _be_silent,
    ) -> None:
        self._traffic, self._policy, self._say = traffic, policy, say
        self._clock = clock or MonotonicClock()

    def run(self) -> Outcome:
        """Bring green to 100 %, or give everything back to blue at the first sign that it fails.

        Also what interrupts a rollout gives the traffic back before it goes on. Raises RollbackFailed where that does
        not work, and what setting the weights or reading health raises.
        """
        percent = 0
        try:
            reason = self._await_health()
            for step in () if reason else self._policy.steps:
                self._say(f"{step} % of the traffic goes to the new version")
                percent = step
                reason = self._take_step(step)
                if reason:
                    break
        except BaseException as error:
            self._roll_back(f"the rollout was interrupted ({type(error).__name__})")
            raise
        if reason:
            self._roll_back(reason)
            return Outcome(promoted=False, percent=percent, reason=reason)
        return Outcome(promoted=True, percent=100)

    def _await_health(self) -> str:
        """Wait until green was healthy for the whole check; returns why it was not."""
        policy = self._policy
        if not policy.check_s:
            return ""
        begun = self._clock.now_s()
        since: float | None = None
        self._say(f"the new version must be healthy for {policy.check_s:.0f} s before it gets traffic")
        while True:
            now = self._clock.now_s()
            if not self._traffic.read_health().healthy:
                since = None
            elif since is None:
                since = now
            elif now - since >= policy.check_s:
                return ""
            if since is None and now - begun + policy.check_s > policy.start_s:
                return f"it was not healthy for {policy.check_s:.0f} s within {policy.start_s:.0f} s"
            self._clock.sleep_s(policy.poll_s)

    def _take_step(self, percent: int) -> str:
        """Give green its share and watch it; returns why it failed."""
        try:
            self._traffic.set_weights(100 - percent, percent)
        except (NotHealthy, GivenUp) as error:
            return str(error)
        return self._watch()

    def _watch(self) -> str:
        """Look at green for the whole watch; returns why it failed."""
        watch = _Watch(self._policy)
        end = self._clock.now_s() + self._policy.watch_s
        while self._clock.now_s() < end:
            self._clock.sleep_s(self._policy.poll_s)
            reason = watch.judge(self._traffic.read_health())
            if reason:
                return reason
        return ""

    def _roll_back(self, reason: str) -> None:
        self._say(f"rolling back: {reason}")
        try:
            self._traffic.set_weights(100, 0)
        except Exception as error:
            raise RollbackFailed(reason, error) from error
        self._say("all traffic goes to the version before")
