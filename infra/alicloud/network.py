"""The network of one region: vSwitches for balancers, for nodes and for data in each zone, and the ways out.

Unlike on AWS a machine with an elastic address needs no gateway, and none without one gets out but by NAT. The
security groups that a network is born with are not ours to close; nothing of ours is in them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_alicloud as alicloud

from infra.address_ranges import FEWEST_ZONES, PLACES, ExistingNetwork, count_zones, cut_range
from infra.alicloud.traffic import ANYWHERE
from infra.errors import InvalidStack, NotEnoughZones
from infra.tagging import Tags
from sizing.plan import NetworkSpec

SUBNET_PREFIX = "vsw-"
"""How ids of vSwitches begin."""

FLOW_LOG_INTERVAL_MIN = 10
"""The longest of 1, 5 and 10 (VPC, CreateFlowLog, in minutes): a tenth of the records."""

NAT_BANDWIDTH_MBPS = 200
"""The most that an address has that is paid by traffic; it costs nothing by itself (EIP, AllocateEipAddress)."""


@dataclass(frozen=True, kw_only=True)
class FlowLogStore:
    """Where flow logs go: a store of the log service, by the names of its project and of itself."""

    project: pulumi.Input[str]
    store: pulumi.Input[str]


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """What a network is made of.

    ``zone_names`` are at least count_zones(spec). Without ``flow_log`` no flow logs are kept. With ``keeps_data`` a
    destroyed stack leaves the VPC and its data vSwitches, in which a database is left that nothing can move.
    """

    spec: NetworkSpec
    region: str
    zone_names: Sequence[str]
    tags: Tags
    cidr: str = "10.20.0.0/16"
    existing: ExistingNetwork | None = None
    flow_log: FlowLogStore | None = None
    keeps_data: bool = False


class Network(pulumi.ComponentResource):
    """The VPC and its vSwitches, or those that are there already.

    Attributes: ``vpc_id``; ``cidr``; ``public_subnet_ids`` (for what has an elastic address), ``private_subnet_ids``
    (out by NAT where the plan has one) and ``data_subnet_ids`` (no way out), vSwitches, one for each of
    ``zone_names``; ``public_cidrs`` and ``private_cidrs``, their ranges in the same order, or the whole network's where
    it was there already; ``nat_addresses``, from which private ones call the internet by gateways that are made here.
    Raises InvalidStack or NotEnoughZones.
    """

    vpc_id: pulumi.Output[str]
    cidr: str
    zone_names: tuple[str, ...]
    public_subnet_ids: tuple[pulumi.Output[str], ...]
    private_subnet_ids: tuple[pulumi.Output[str], ...]
    data_subnet_ids: tuple[pulumi.Output[str], ...]
    public_cidrs: tuple[str, ...]
    private_cidrs: tuple[str, ...]
    nat_addresses: tuple[pulumi.Output[str], ...] = ()

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:alicloud:Network", name, {}, opts)
        wanted = count_zones(args.spec) if args.existing is None else max(args.spec.zones, FEWEST_ZONES)
        if len(args.zone_names) < wanted:
            raise NotEnoughZones(args.region, len(args.zone_names), wanted)
        self.name = name
        self.tags = args.tags
        self.zone_names = tuple(args.zone_names)
        if args.existing is None:
            self._build(args)
        else:
            self._adopt(args.existing)
        self.register_outputs({"vpc_id": self.vpc_id, "private_subnet_ids": list(self.private_subnet_ids)})

    def _adopt(self, found: ExistingNetwork) -> None:
        if len(found.public_subnet_ids) != len(self.zone_names):
            raise InvalidStack(
                "network.public_subnet_ids", list(found.public_subnet_ids), f"{len(self.zone_names)}, one for each zone"
            )
        self.vpc_id = pulumi.Output.from_input(found.vpc_id)
        self.cidr = found.cidr
        self.public_cidrs = self.private_cidrs = (found.cidr,)
        self.public_subnet_ids = tuple(pulumi.Output.from_input(each) for each in found.public_subnet_ids)
        self.private_subnet_ids = tuple(pulumi.Output.from_input(each) for each in found.private_subnet_ids)
        self.data_subnet_ids = tuple(pulumi.Output.from_input(each) for each in found.data_subnet_ids)

    def _build(self, args: NetworkArgs) -> None:
        blocks = cut_range(args.cidr)
        self.cidr = args.cidr
        vpc = alicloud.vpc.Network(
            f"{self.name}-vpc",
            vpc_name=self._title("vpc"),
            cidr_block=args.cidr,
            tags=self._label(),
            opts=self._child(keeps=args.keeps_data),
        )
        self.vpc_id = vpc.id
        public = self._make_switches("public", blocks[:PLACES])
        private = self._make_switches("private", blocks[PLACES : 2 * PLACES])
        data = self._make_switches("data", blocks[2 * PLACES : 3 * PLACES], keeps=args.keeps_data)
        self.public_cidrs = tuple(blocks[: len(public)])
        self.private_cidrs = tuple(blocks[PLACES : PLACES + len(private)])
        gateways = [
            self._make_nat(number, switch) for number, switch in enumerate(public[: args.spec.nat_gateways], start=1)
        ]
        self.nat_addresses = tuple(address.ip_address for _, address, _ in gateways)
        if gateways:
            self._lead_out(private, gateways)
        # A table without a route to anywhere: the first NAT gateway of a network enters itself into the network's own.
        self._make_table("data", data)
        if args.flow_log is not None:
            alicloud.vpc.FlowLog(
                f"{self.name}-flow-log",
                flow_log_name=self._title("flow-log"),
                resource_type="VPC",
                resource_id=vpc.id,
                traffic_type="All",
                project_name=args.flow_log.project,
                log_store_name=args.flow_log.store,
                aggregation_interval=str(FLOW_LOG_INTERVAL_MIN),
                tags=self._label(),
                opts=self._child(),
            )
        self.public_subnet_ids = tuple(switch.id for switch in public)
        self.private_subnet_ids = tuple(switch.id for switch in private)
        self.data_subnet_ids = tuple(switch.id for switch in data)

    def _make_switches(self, kind: str, blocks: Sequence[str], *, keeps: bool = False) -> list[alicloud.vpc.Switch]:
        return [
            alicloud.vpc.Switch(
                f"{self.name}-{kind}-{number}",
                vswitch_name=self._title(f"{kind}-{number}"),
                vpc_id=self.vpc_id,
                cidr_block=block,
                zone_id=zone,
                tags=self._label(),
                opts=self._child(keeps=keeps),
            )
            for number, (zone, block) in enumerate(zip(self.zone_names, blocks, strict=False), start=1)
        ]

    def _make_table(self, label: str, switches: Sequence[alicloud.vpc.Switch]) -> alicloud.vpc.RouteTable:
        table = alicloud.vpc.RouteTable(
            f"{self.name}-{label}-routes",
            vpc_id=self.vpc_id,
            route_table_name=self._title(label),
            associate_type="VSwitch",
            tags=self._label(),
            opts=self._child(),
        )
        for number, switch in enumerate(switches, start=1):
            alicloud.vpc.RouteTableAttachment(
                f"{self.name}-{label}-routes-{number}",
                route_table_id=table.id,
                vswitch_id=switch.id,
                opts=self._child(),
            )
        return table

    def _make_nat(
        self, number: int, switch: alicloud.vpc.Switch
    ) -> tuple[alicloud.vpc.NatGateway, alicloud.ecs.EipAddress, alicloud.ecs.EipAssociation]:
        label = f"nat-{number}"
        address = alicloud.ecs.EipAddress(
            f"{self.name}-{label}-address",
            address_name=self._title(label),
            payment_type="PayAsYouGo",
            internet_charge_type="PayByTraffic",
            bandwidth=str(NAT_BANDWIDTH_MBPS),
            tags=self._label(),
            opts=self._child(),
        )
        gateway = alicloud.vpc.NatGateway(
            f"{self.name}-{label}",
            nat_gateway_name=self._title(label),
            vpc_id=self.vpc_id,
            vswitch_id=switch.id,
            nat_type="Enhanced",
            network_type="internet",
            payment_type="PayAsYouGo",
            internet_charge_type="PayByLcu",
            tags=self._label(),
            opts=self._child(),
        )
        bound = alicloud.ecs.EipAssociation(
            f"{self.name}-{label}-association",
            allocation_id=address.id,
            instance_id=gateway.id,
            instance_type="Nat",
            opts=self._child(),
        )
        return gateway, address, bound

    def _lead_out(
        self,
        private: Sequence[alicloud.vpc.Switch],
        gateways: Sequence[tuple[alicloud.vpc.NatGateway, alicloud.ecs.EipAddress, alicloud.ecs.EipAssociation]],
    ) -> None:
        """A route and a translation of addresses for each private vSwitch, over the gateways in turn."""
        for place, switch in enumerate(private):
            gateway, address, bound = gateways[place % len(gateways)]
            label = f"private-{place + 1}"
            table = self._make_table(label, [switch])
            alicloud.vpc.RouteEntry(
                f"{self.name}-{label}-out",
                route_table_id=table.id,
                destination_cidrblock=ANYWHERE,
                nexthop_type="NatGateway",
                nexthop_id=gateway.id,
                opts=self._child(),
            )
            alicloud.vpc.SnatEntry(
                f"{self.name}-{label}-translation",
                snat_table_id=gateway.snat_table_ids,
                source_vswitch_id=switch.id,
                snat_ip=address.ip_address,
                opts=self._child(depends_on=[bound]),
            )

    def _title(self, part: str) -> str:
        return f"{self.tags.stack}-{part}"

    def _label(self) -> dict[str, str]:
        return self.tags.named("network")

    def _child(self, depends_on: Sequence[pulumi.Resource] = (), *, keeps: bool = False) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, depends_on=list(depends_on), retain_on_delete=keeps)
