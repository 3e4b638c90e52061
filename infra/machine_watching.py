"""How machines of their own are watched other than by the cloud's own monitoring: by Datadog's agent."""

from collections.abc import Mapping

from infra.datadog import MachineAgent
from infra.errors import InvalidStack
from infra.service.configuration import DATADOG_SECRET
from infra.settings import StackSettings
from sizing.plan import RegionPlan

ON_CLUSTERS = ("prometheus", "managed-prometheus")


def refuse_clusters_only(plan: RegionPlan) -> None:
    """Raise InvalidStack where a single host is to be watched by what watches clusters only."""
    if plan.monitoring.kind in ON_CLUSTERS:
        raise InvalidStack(
            "workload.overrides.monitoring", plan.monitoring.kind, "cloud or datadog, where the service is on one host"
        )


def watch_machine(
    plan: RegionPlan, settings: StackSettings, known: Mapping[str, str], *, port: int = 0
) -> MachineAgent | None:
    """Datadog's agent for a machine, where that watches. `known` has the address of its key's secret as
    ``secret datadog``; `port` is the service's on this machine, 0 where it is not there."""
    if plan.monitoring.kind != "datadog":
        return None
    return MachineAgent(
        site=settings.alerts.datadog_site,
        stack=settings.stack,
        key_arn=known[f"secret {DATADOG_SECRET}"],
        port=port,
    )
