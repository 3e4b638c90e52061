"""What every stack on AWS has, whatever its tier: network, keys, secrets, log groups, notices, budgets."""

from dataclasses import dataclass

import pulumi

from infra.address_ranges import ExistingNetwork, count_zones
from infra.aws.budgets import Budgets, BudgetsArgs
from infra.aws.credentials import Credentials, CredentialsArgs
from infra.aws.keys import Keys, KeysArgs
from infra.aws.log_groups import LogGroups, LogGroupsArgs
from infra.aws.monitoring import Notices, NoticesArgs
from infra.aws.network import Network, NetworkArgs
from infra.aws.zones import list_zones
from infra.generated import list_generated, read_given
from infra.planning import StackPlan
from infra.settings import StackSettings
from infra.tagging import Tags
from sizing.plan import RegionPlan


@dataclass(frozen=True, kw_only=True)
class Foundation:
    """The parts that the tiers share, and what they were made for."""

    settings: StackSettings
    planned: StackPlan
    tags: Tags
    keys: Keys
    network: Network
    credentials: Credentials
    logs: LogGroups
    notices: Notices

    @property
    def application_log(self) -> pulumi.Output[str]:
        """The name of the group of the service's lines, known once the group is there."""
        name = self.logs.names["application"]
        return self.logs.arns["application"].apply(lambda _: name)

    @property
    def plan(self) -> RegionPlan:
        """This region's plan."""
        return self.planned.region


def lay_foundation(
    settings: StackSettings,
    planned: StackPlan,
    *,
    flow_log_bucket_arn: pulumi.Input[str] | None,
    keys: Keys,
    tags: Tags,
) -> Foundation:
    """Make what every tier has."""
    plan = planned.region
    network = Network(
        "network",
        NetworkArgs(
            spec=plan.network,
            region=settings.region,
            zone_names=list_zones(
                len(settings.network.public_subnet_ids) or count_zones(plan.network), settings.region
            ),
            tags=tags,
            cidr=settings.network.cidr,
            existing=_find_network(settings),
            flow_log_bucket_arn=flow_log_bucket_arn,
        ),
    )
    credentials = Credentials(
        "credentials",
        CredentialsArgs(
            tags=tags,
            protect=settings.protect,
            keeps_copies=settings.keeps_copies,
            generated=list_generated(plan),
            given=read_given(plan, settings),
            kms_key_arn=keys.data_key_arn,
        ),
    )
    logs = LogGroups(
        "logs",
        LogGroupsArgs(
            spec=plan.log_store,
            whole=plan.object_store.kind == "local",
            key_arn=keys.log_key_arn,
            tags=tags,
            protect=settings.protect,
            keeps_copies=settings.keeps_copies,
        ),
    )
    notices = Notices(
        "notices",
        NoticesArgs(
            emails=settings.alerts.emails,
            key_arn=keys.log_key_arn,
            alerts=plan.monitoring.kind == "managed-prometheus",
            tags=tags,
        ),
    )
    Budgets(
        "budgets",
        BudgetsArgs(
            monthly_usd=planned.budgeted_usd(settings.alerts.monthly_budget_usd),
            component_usd=planned.component_usd,
            topic_arn=notices.topic_arn,
            stack=settings.stack,
            tags=tags,
        ),
    )
    return Foundation(
        settings=settings,
        planned=planned,
        tags=tags,
        keys=keys,
        network=network,
        credentials=credentials,
        logs=logs,
        notices=notices,
    )


def make_keys(settings: StackSettings, plan: RegionPlan, tags: Tags) -> Keys:
    """The stack's own keys, which the buckets of its logs need first."""
    return Keys(
        "keys",
        KeysArgs(
            count=plan.security.keys,
            region=settings.region,
            tags=tags,
            protect=settings.protect,
            keeps_copies=settings.keeps_copies,
        ),
    )


def _find_network(settings: StackSettings) -> ExistingNetwork | None:
    wanted = settings.network
    if not wanted.vpc_id:
        return None
    return ExistingNetwork(
        vpc_id=wanted.vpc_id,
        cidr=wanted.cidr,
        public_subnet_ids=wanted.public_subnet_ids,
        private_subnet_ids=wanted.private_subnet_ids,
        data_subnet_ids=wanted.data_subnet_ids,
    )
