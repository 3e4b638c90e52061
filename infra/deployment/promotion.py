"""One stack's new version: brought in under its strategy, watched, and taken back; and the way back by hand."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pulumi.automation import UpdateSummary
from pydantic import ValidationError

from infra.deployment.connections import GROUPS, ConnectGroup
from infra.deployment.engine import DeployedStack, decode_config
from infra.deployment.errors import BadRequest, DeploymentError, GivenUp, NotDeployed, RolledBack
from infra.deployment.health import is_outside, sample_health
from infra.deployment.host_changes import HostChange
from infra.deployment.rollout import Clock, MonotonicClock, Rollout, RolloutPolicy, Traffic
from infra.deployment.weights import VERSION, AwaitTakeover, BalancedTraffic, ReplacedTraffic
from infra.settings import ServiceSettings, StackSettings
from infra.tagging import PROJECT

SERVICE = f"{PROJECT}:service"
STEPS: dict[str, Sequence[int]] = {"rolling": (100,), "blue-green": (100,), "canary": (10, 50, 100)}
"""The steps of each strategy: blue-green switches at once (§9.3, traffic_switch_method instant)."""


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """A stack, what it is told, and where progress goes; `connect` reads the health of a group behind its balancer, by
    default as the stack's cloud tells it."""

    stack: DeployedStack
    settings: StackSettings
    say: Callable[[str], None]
    clock: Clock = field(default_factory=MonotonicClock)
    connect: ConnectGroup | None = None

    @property
    def service(self) -> ServiceSettings:
        """What the stack is told of the service."""
        return self.settings.service

    def check(self, version: str, *, watched: bool) -> None:
        """Raise BadRequest or NotDeployed where the version cannot be promoted."""
        name = self.stack.name
        if self.service.image:
            raise BadRequest(
                f"{name}: {SERVICE}.image pins {self.service.image}: take it out, so that the version counts"
            )
        if version == self.service.version and not self._is_whole_on_green(version):
            raise BadRequest(f"{name} runs version {version} already")
        outputs = self._outputs()
        tells = is_outside(str(outputs.get("health_url") or "")) or outputs.get("host_changes")
        if self.service.strategy == "rolling" and watched and not tells:
            raise BadRequest(
                f"{name} answers on its own machine only, and its health cannot be watched: give --no-watch"
            )

    def bring_in(self, version: str, policy: RolloutPolicy, *, watched: bool) -> None:
        """Promote a version; raises RolledBack where it failed and traffic went back, else DeploymentError."""
        if not watched:
            self.stack.configure(VERSION, version)
            self.stack.up()
        elif self.service.strategy == "rolling":
            self._replace(version, policy)
        else:
            self._shift(version, policy)

    def go_back(self, version: str = "") -> str:
        """Return to the version before, or to the one that is named; returns which one runs.

        A rollout under way is ended; else the last version of the history that is another one is deployed. Raises
        BadRequest where there is none.
        """
        if self.service.strategy != "rolling" and self.service.green_version and not version:
            traffic = self._balanced()
            traffic.set_weights(100, 0)
            traffic.withdraw()
            return self.service.version
        former = version or self._find_former()
        self.stack.configure(VERSION, former)
        self.stack.up()
        return former

    def describe_way_back(self, version: str = "") -> str:
        """What `go_back` would do, in words; raises as it does."""
        if self.service.strategy != "rolling" and self.service.green_version and not version:
            return f"take version {self.service.green_version} out, and give all traffic to {self.service.version}"
        return f"replace version {self.service.version} by {version or self._find_former()}"

    def _replace(self, version: str, policy: RolloutPolicy) -> None:
        outputs = self._outputs()
        url, changes = str(outputs["health_url"]), str(outputs.get("host_changes") or "")
        asked = is_outside(url)
        if not asked:
            self._tell(
                "answers on its own machine only: its host tells whether it takes the version, and no watch follows"
            )
            policy = replace(policy, watch_s=0)
        traffic = ReplacedTraffic(
            self.stack,
            self.service.version,
            version,
            (lambda: sample_health(url)) if asked else None,
            self.clock,
            limit_s=policy.start_s,
            poll_s=policy.poll_s,
            await_takeover=self._follow_host(changes, policy) if changes and self.settings.cloud == "aws" else None,
        )
        self._run(version, traffic, policy)

    def _follow_host(self, association_id: str, policy: RolloutPolicy) -> AwaitTakeover:
        """What waits for the host itself: on AWS an update ends before the host has taken a version over. On Alibaba
        Cloud the update waits for the host's run, and fails with it."""
        change = HostChange(association_id, self.settings.region)

        def follow(version: str) -> None:
            self._tell(f"waiting for the host to take version {version} over")
            change.await_takeover(version, self.clock, limit_s=policy.start_s, poll_s=policy.poll_s)

        return follow

    def _shift(self, version: str, policy: RolloutPolicy) -> None:
        traffic = self._balanced()
        if not self._is_whole_on_green(version):
            self._tell(f"starting version {version} beside {self.service.version}")
            try:
                traffic.admit(version)
                self._run(version, traffic, policy)
            except GivenUp as error:
                traffic.withdraw()
                raise RolledBack(self.stack.name, version, 0, str(error)) from error
            except RolledBack:
                traffic.withdraw()
                raise
            except BaseException:
                self._tell(f"version {version} may still run: `reme-deploy rollback {self.stack.name}` takes it out")
                raise
        self._tell(f"version {version} has all traffic; making it the stack's own")
        try:
            traffic.settle(version, self.clock, limit_s=policy.start_s, poll_s=policy.poll_s)
        except DeploymentError as error:
            raise DeploymentError(
                f"{error}. Version {version} has all traffic; the same command again goes on from there"
            ) from error

    def _run(self, version: str, traffic: Traffic, policy: RolloutPolicy) -> None:
        outcome = Rollout(traffic, policy, clock=self.clock, say=self._tell).run()
        if not outcome.promoted:
            raise RolledBack(self.stack.name, version, outcome.percent, outcome.reason)

    def _balanced(self) -> BalancedTraffic:
        groups = self._outputs().get("target_groups") or ()
        if len(groups) != 2:
            raise BadRequest(
                f"{self.stack.name} has no target groups of two versions: `reme-deploy up {self.stack.name}` makes them"
            )
        connect = self.connect or GROUPS[self.settings.cloud]
        blue, green = (connect(str(group), self.settings.region) for group in groups)
        return BalancedTraffic(self.stack, green, blue)

    def _is_whole_on_green(self, version: str) -> bool:
        """Whether an earlier promotion of the version was cut off after it got all traffic."""
        return self.service.green_version == version and self.service.canary_percent == 100

    def _outputs(self) -> Mapping[str, Any]:
        found = self.stack.outputs()
        if not found:
            raise NotDeployed(self.stack.name)
        return found

    def _find_former(self) -> str:
        versions = [*_trace_versions(self.stack.history()), self.service.version]
        place = versions.index(self.service.version)
        if not place:
            raise BadRequest(
                f"{self.stack.name} has no version before {self.service.version} in its history: name one with --to"
            )
        return versions[place - 1]

    def _tell(self, line: str) -> None:
        self.say(f"{self.stack.name}: {line}")


def check_version(version: str) -> None:
    """Raise BadRequest for what is no version, or would not stay one in a stack's file."""
    try:
        ServiceSettings(version=version)
    except ValidationError as error:
        raise BadRequest(f"version {version!r}: {error.errors()[0]['msg']}") from None
    if version.isdigit():
        raise BadRequest(f"version {version!r} is a number to the engine: write it as {version}.0 or v{version}")


def _trace_versions(history: Sequence[UpdateSummary]) -> list[str]:
    """The versions that led to the one that runs, of a history with the last update first.

    Who returned to a version left those after it behind: they are no way back.
    """
    led: list[str] = []
    for update in reversed(history):
        if update.kind == "update" and update.result == "succeeded":
            service = decode_config(update, SERVICE) or {}
            version = str(service.get("version") or ServiceSettings().version)
            led = [*led[: led.index(version)], version] if version in led else [*led, version]
    return led
