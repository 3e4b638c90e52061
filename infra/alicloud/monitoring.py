"""When somebody is told: the alarms of §7.2 on Alibaba Cloud, as many as the plan pays for."""

from dataclasses import dataclass

import pulumi

from infra.alicloud.alarm_rows import choose_watched
from infra.alicloud.alarms import Lines, Readers, raise_alarms
from infra.alicloud.watched import Watched
from infra.tagging import Tags
from sizing.plan import RegionPlan


@dataclass(frozen=True, kw_only=True)
class MonitoringArgs:
    """`watched` names the stack's resources. `log_store` of `log_project` has a line for each request, `dump_store` all
    other lines, those of dumps among them, `balancer_store` what the balancer answered, None where there is none.
    `topic_arn` and `action_policy_id` are Notices' attributes."""

    plan: RegionPlan
    region: str
    watched: Watched
    log_project: pulumi.Input[str]
    log_store: pulumi.Input[str]
    dump_store: pulumi.Input[str]
    topic_arn: pulumi.Input[str]
    action_policy_id: pulumi.Input[str]
    tags: Tags
    balancer_store: pulumi.Input[str] | None = None


class Monitoring(pulumi.ComponentResource):
    """Exactly as many alarms as the plan pays for, the most important first: on metrics, on events and on lines.

    A plan that is watched by Prometheus or Datadog gets none. Attributes: `alarm_names` in order of rank. Raises
    TooFewWatched or NotWatched.
    """

    alarm_names: tuple[str, ...]

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:alicloud:Monitoring", name, {}, opts)
        self.alarm_names = ()
        if args.plan.monitoring.kind == "cloud":
            alarms = choose_watched(args.plan)
            stores = {"access": args.log_store, "application": args.dump_store}
            if args.balancer_store is not None:
                stores["balancer"] = args.balancer_store
            raise_alarms(
                name,
                alarms,
                watched=args.watched,
                lines=Lines(project=args.log_project, region=args.region, stores=stores),
                readers=Readers(contact_group=args.topic_arn, action_policy_id=args.action_policy_id),
                tags=args.tags,
                parent=self,
            )
            self.alarm_names = tuple(alarm.name for alarm, _ in alarms)
        self.register_outputs({"alarm_names": list(self.alarm_names)})
