"""Traffic of a stack, moved through its configuration: by a balancer's weights, or by replacing the version."""

from collections.abc import Callable

from infra.deployment.engine import DeployedStack
from infra.deployment.errors import EngineFailed, GivenUp, NotHealthy
from infra.deployment.rollout import Clock, HealthSample
from infra.tagging import PROJECT

VERSION = f"{PROJECT}:service.version"
GREEN_VERSION = f"{PROJECT}:service.green_version"
CANARY_PERCENT = f"{PROJECT}:service.canary_percent"

HOST_RUN = "alicloud:ecs/ecsInvocation:EcsInvocation"
NODES_RUN = "alicloud:oos/execution:Execution"
RUNS = {HOST_RUN: "the host", NODES_RUN: "the group of machines"}
"""Runs on Alibaba Cloud that an update waits for, and who takes a version by them: a command on a host, and what asks
for a cluster's nodes until they serve. Where nothing else failed, the version was tried and is not served."""

Look = Callable[[], HealthSample]
AwaitTakeover = Callable[[str], None]
"""Waits until a version that was deployed has its place; raises GivenUp or NotHealthy where it does not get it."""


class BalancedTraffic:
    """Two versions behind one balancer, for the strategies blue-green and canary.

    `look` reads the health of green, `look_at_blue` that of blue. What a method changes is in the stack's file as well,
    so that an `up` in between keeps it.
    """

    def __init__(self, stack: DeployedStack, look: Look, look_at_blue: Look) -> None:
        self._stack, self._look, self._look_at_blue = stack, look, look_at_blue

    def admit(self, version: str) -> None:
        """Start the new version beside the one that runs, without traffic. Raises GivenUp as `deploy_version`."""
        self._stack.configure(CANARY_PERCENT, "0")
        self._stack.configure(GREEN_VERSION, version)
        deploy_version(self._stack, version)

    def set_weights(self, blue: int, green: int) -> None:  # noqa: ARG002 - what is not green's is blue's
        """Give green a percentage of the traffic."""
        self._stack.configure(CANARY_PERCENT, str(green))
        self._stack.up()

    def read_health(self) -> HealthSample:
        """What was seen of green."""
        return self._look()

    def settle(self, version: str, clock: Clock, *, limit_s: float, poll_s: float) -> None:
        """Make the version that has all traffic the stack's own: blue takes it, then the traffic; green ends.

        Raises NotHealthy where blue does not get healthy; green has all traffic then.
        """
        self._stack.configure(VERSION, version)
        self._stack.up()
        await_health(self._look_at_blue, clock, limit_s=limit_s, poll_s=poll_s, what=f"{self._stack.name}: blue")
        self.set_weights(100, 0)
        self.withdraw()

    def withdraw(self) -> None:
        """End green, which has no traffic any more."""
        self._stack.configure(GREEN_VERSION, "")
        self._stack.up()


class ReplacedTraffic:
    """One version after the other at the same place, for the strategy rolling: all or nothing.

    `look` is None where nobody can ask the service from here: then `await_takeover` alone tells.
    """

    def __init__(
        self,
        stack: DeployedStack,
        former: str,
        version: str,
        look: Look | None,
        clock: Clock,
        *,
        limit_s: float,
        poll_s: float,
        await_takeover: AwaitTakeover | None = None,
    ) -> None:
        self._stack, self._former, self._version, self._look = stack, former, version, look
        self._await_takeover = await_takeover
        self._clock, self._limit_s, self._poll_s = clock, limit_s, poll_s

    def set_weights(self, blue: int, green: int) -> None:  # noqa: ARG002 - all or nothing
        """Put the new version in the place of the former one, or the other way round; waits until it answers.

        Raises NotHealthy where it does not, GivenUp where its host went on with the other.
        """
        version = self._version if green else self._former
        self._stack.configure(VERSION, version)
        deploy_version(self._stack, version)
        if self._await_takeover is not None:
            self._await_takeover(version)
        if self._look is not None:
            await_health(
                self._look,
                self._clock,
                limit_s=self._limit_s,
                poll_s=self._poll_s,
                what=f"{self._stack.name}: version {version}",
            )

    def read_health(self) -> HealthSample:
        """What is seen of the version that runs; healthy where nobody can ask, since it took its place."""
        return self._look() if self._look is not None else HealthSample(healthy=True)


def deploy_version(stack: DeployedStack, version: str) -> None:
    """Update a stack whose file names a version; raises GivenUp where all that failed is a run that brings it."""
    try:
        stack.up()
    except EngineFailed as error:
        if error.failed and RUNS.keys() >= set(error.failed):
            raise GivenUp(version, "its run failed", RUNS[error.failed[0]]) from error
        raise


def await_health(look: Look, clock: Clock, *, limit_s: float, poll_s: float, what: str) -> None:
    """Wait until a version is healthy; raises NotHealthy after the limit."""
    end = clock.now_s() + limit_s
    while not look().healthy:
        if clock.now_s() >= end:
            raise NotHealthy(what, limit_s)
        clock.sleep_s(poll_s)
