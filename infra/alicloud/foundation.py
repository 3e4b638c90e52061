"""What every stack on Alibaba Cloud has, whatever its tier: network, keys, secrets, log stores, notices."""

from dataclasses import dataclass

import pulumi
import pulumi_alicloud as alicloud

from infra.address_ranges import ExistingNetwork, count_zones
from infra.alicloud.budgets import refuse_budget
from infra.alicloud.credentials import Credentials, CredentialsArgs
from infra.alicloud.keys import Keys, KeysArgs
from infra.alicloud.log_stores import LogStores, LogStoresArgs
from infra.alicloud.network import SUBNET_PREFIX, FlowLogStore, Network, NetworkArgs
from infra.alicloud.notices import Notices, NoticesArgs
from infra.alicloud.trail import AuditTrail, AuditTrailArgs
from infra.alicloud.zones import list_zones
from infra.errors import InvalidStack
from infra.generated import list_generated, read_given
from infra.planning import StackPlan
from infra.settings import StackSettings
from infra.tagging import Tags
from sizing.plan import RegionPlan


@dataclass(frozen=True, kw_only=True)
class Foundation:
    """The parts that the tiers share, and what they were made for. `account` is the id of the account."""

    settings: StackSettings
    planned: StackPlan
    tags: Tags
    account: str
    keys: Keys
    network: Network
    credentials: Credentials
    logs: LogStores
    notices: Notices

    @property
    def plan(self) -> RegionPlan:
        """This region's plan."""
        return self.planned.region


def lay_foundation(settings: StackSettings, planned: StackPlan, *, tags: Tags) -> Foundation:
    """Make what every tier has. Raises InvalidStack, MissingSetting or NotEnoughZones."""
    refuse_budget(settings.alerts.monthly_budget_usd)
    plan = planned.region
    account = find_account()
    keys = Keys(
        "keys",
        KeysArgs(
            instance_id=settings.key_instance_id,
            count=plan.security.keys,
            tags=tags,
            protect=settings.protect,
            keeps_copies=settings.keeps_copies,
        ),
    )
    logs = LogStores(
        "logs",
        LogStoresArgs(
            spec=plan.log_store,
            delivered=_list_delivered(settings, plan),
            key_id=keys.log_key_id or keys.data_key_id,
            region=settings.region,
            account=account,
            tags=tags,
            protect=settings.protect,
            keeps_copies=settings.keeps_copies,
        ),
    )
    network = Network(
        "network",
        NetworkArgs(
            spec=plan.network,
            region=settings.region,
            zone_names=list_zones(
                len(settings.network.public_subnet_ids) or count_zones(plan.network),
                settings.region,
                settings.network.zones,
            ),
            tags=tags,
            cidr=settings.network.cidr,
            existing=_find_network(settings),
            flow_log=FlowLogStore(project=logs.project, store=logs.names["flows"]) if "flows" in logs.names else None,
            keeps_data=settings.keeps_copies and plan.database.engine == "postgresql",
        ),
    )
    credentials = Credentials(
        "credentials",
        CredentialsArgs(
            region=settings.region,
            account=account,
            tags=tags,
            protect=settings.protect,
            keeps_copies=settings.keeps_copies,
            generated=list_generated(plan),
            given=read_given(plan, settings),
            key_id=keys.data_key_id,
            key_instance_id=settings.key_instance_id,
        ),
    )
    notices = Notices("notices", NoticesArgs(emails=settings.alerts.emails, region=settings.region, tags=tags))
    return Foundation(
        settings=settings,
        planned=planned,
        tags=tags,
        account=account,
        keys=keys,
        network=network,
        credentials=credentials,
        logs=logs,
        notices=notices,
    )


def find_account() -> str:
    """The id of the account, by a look-up."""
    return str(alicloud.get_account().id)


def make_trail(base: Foundation, access_log_bucket: pulumi.Input[str] | None = None) -> AuditTrail | None:
    """Who did what to the account, for stacks that last: nobody can destroy the bucket before its time."""
    settings = base.settings
    if not settings.keeps_copies:
        return None
    return AuditTrail(
        "trail",
        AuditTrailArgs(
            spec=base.plan.log_store,
            kms_key_id=base.keys.log_key_id or base.keys.data_key_id,
            account=base.account,
            region=settings.region,
            tags=base.tags,
            protect=settings.protect,
            keeps_copies=settings.keeps_copies,
            access_log_bucket=access_log_bucket,
        ),
    )


def locate_secrets(base: Foundation) -> dict[str, pulumi.Output[str]]:
    """The address of each secret as ``secret <name>``, among the other things that user data are made of."""
    return {f"secret {name}": arn for name, arn in base.credentials.secret_arns.items()}


def _list_delivered(settings: StackSettings, plan: RegionPlan) -> list[str]:
    """Which of the cloud's services write lines: none around a host, and none of a network that was there already."""
    if plan.compute.placement == "host":
        return []
    kinds = {"balancer": plan.balancer.kind != "none", "flows": not settings.network.vpc_id}
    return [kind for kind, written in kinds.items() if written]


def _find_network(settings: StackSettings) -> ExistingNetwork | None:
    wanted = settings.network
    if not wanted.vpc_id:
        return None
    if len(wanted.zones) != len(wanted.public_subnet_ids):
        # a host's disk is made in the zone of its vSwitch, whose id does not say which that is
        raise InvalidStack("network.zones", list(wanted.zones), "the zone of each of public_subnet_ids, in their order")
    return ExistingNetwork(
        vpc_id=wanted.vpc_id,
        cidr=wanted.cidr,
        public_subnet_ids=wanted.public_subnet_ids,
        private_subnet_ids=wanted.private_subnet_ids,
        data_subnet_ids=wanted.data_subnet_ids,
        subnet_prefix=SUBNET_PREFIX,
    )
