"""What every stack on Alibaba Cloud has, whatever its tier: network, keys, secrets, log stores, notices."""

from dataclasses import dataclass

import pulumi_alicloud as alicloud

from infra.address_ranges import ExistingNetwork, count_zones
from infra.alicloud.budgets import refuse_budget
from infra.alicloud.credentials import Credentials, CredentialsArgs
from infra.alicloud.keys import Keys, KeysArgs
from infra.alicloud.log_stores import LogStores, LogStoresArgs
from infra.alicloud.network import SUBNET_PREFIX, Network, NetworkArgs
from infra.alicloud.notices import Notices, NoticesArgs
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
    account = alicloud.get_account().id
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
    logs = LogStores(
        "logs",
        LogStoresArgs(
            spec=plan.log_store,
            key_id=keys.log_key_id or keys.data_key_id,
            region=settings.region,
            account=account,
            tags=tags,
            protect=settings.protect,
            keeps_copies=settings.keeps_copies,
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
