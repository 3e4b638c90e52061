"""What every stack on AWS has, whatever its tier: network, keys, secrets, log groups, notices, budgets."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import pulumi

from infra.aws.budgets import BUDGET_FACTOR, Budgets, BudgetsArgs
from infra.aws.credentials import Credentials, CredentialsArgs
from infra.aws.keys import Keys, KeysArgs
from infra.aws.log_groups import LogGroups, LogGroupsArgs
from infra.aws.monitoring import Notices, NoticesArgs
from infra.aws.network import ExistingNetwork, Network, NetworkArgs, count_zones
from infra.aws.zones import list_zones
from infra.planning import StackPlan
from infra.service.configuration import ADMIN_SECRET, CACHE_SECRET, DATABASE_SECRET, name_secrets
from infra.settings import StackSettings
from infra.tagging import Tags
from sizing.plan import RegionPlan

GENERATED = (ADMIN_SECRET, DATABASE_SECRET, CACHE_SECRET)
"""Secrets that the stack makes; others are keys of providers, from the stack's configuration."""


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
    names = name_secrets(plan)
    credentials = Credentials(
        "credentials",
        CredentialsArgs(
            tags=tags,
            protect=settings.protect,
            keeps_copies=settings.keeps_copies,
            generated=[name for name in names if _is_generated(name, plan)],
            given={
                name: settings.secret(f"{name}-api-key", f"the service calls {name} with it")
                for name in names
                if not _is_generated(name, plan)
            },
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
            monthly_usd=_budget(settings, planned),
            component_usd=_component_usd(planned),
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


def _is_generated(name: str, plan: RegionPlan) -> bool:
    """A vector server of the stack's own gets a key that the stack makes, one of a provider has its own."""
    return name in GENERATED or (name in ("qdrant", "elasticsearch") and plan.vector_store.placement != "managed")


def _budget(settings: StackSettings, planned: StackPlan) -> Decimal:
    """What the plan costs at AWS; a budget of the user's own is divided by the factor that budgets have."""
    if settings.alerts.monthly_budget_usd is not None:
        return Decimal(str(settings.alerts.monthly_budget_usd)) / BUDGET_FACTOR
    return sum(_component_usd(planned).values(), Decimal(0))


def _component_usd(planned: StackPlan) -> Mapping[str, Decimal]:
    """The expected cost of the lines that AWS bills, by component."""
    found: dict[str, Decimal] = {}
    for line in planned.lines:
        if line.provider == "aws" and line.monthly_usd is not None:
            found[line.component] = found.get(line.component, Decimal(0)) + line.monthly_usd.expected
    return found
