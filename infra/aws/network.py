"""The network of one region: subnets for balancers, for nodes and for data in each zone, and the ways out."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.address_ranges import FEWEST_ZONES, PLACES, ExistingNetwork, count_zones, cut_range
from infra.errors import InvalidStack, NotEnoughZones
from infra.tagging import Tags
from sizing.plan import NetworkSpec

FLOW_LOG_INTERVAL_S = 600
"""The longer of the two that flow logs have (VPC user guide): a tenth of the records."""


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """What a network is made of.

    ``zone_names`` are at least count_zones(spec). ``flow_log_bucket_arn`` is a bucket whose policy admits
    delivery.logs.amazonaws.com; None where the plan has none, and then no flow logs are kept.
    """

    spec: NetworkSpec
    region: str
    zone_names: Sequence[str]
    tags: Tags
    cidr: str = "10.20.0.0/16"
    existing: ExistingNetwork | None = None
    flow_log_bucket_arn: pulumi.Input[str] | None = None


class Network(pulumi.ComponentResource):
    """The VPC and its subnets, or those that are there already.

    Attributes: ``vpc_id``; ``cidr``; ``public_subnet_ids`` (a route to the internet, no address given out at
    launch), ``private_subnet_ids`` (out by NAT where the plan has one) and ``data_subnet_ids`` (no way out
    but to S3), one for each of ``zone_names``; ``private_route_table_ids``, one for each zone, and none
    where the network was there already; ``nat_addresses``, from which private ones call the internet by gateways that
    are made here.
    """

    vpc_id: pulumi.Output[str]
    cidr: str
    zone_names: tuple[str, ...]
    public_subnet_ids: tuple[pulumi.Output[str], ...]
    private_subnet_ids: tuple[pulumi.Output[str], ...]
    data_subnet_ids: tuple[pulumi.Output[str], ...]
    private_route_table_ids: tuple[pulumi.Output[str], ...]
    nat_addresses: tuple[pulumi.Output[str], ...] = ()

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:aws:Network", name, {}, opts)
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
        self.public_subnet_ids = tuple(pulumi.Output.from_input(each) for each in found.public_subnet_ids)
        self.private_subnet_ids = tuple(pulumi.Output.from_input(each) for each in found.private_subnet_ids)
        self.data_subnet_ids = tuple(pulumi.Output.from_input(each) for each in found.data_subnet_ids)
        self.private_route_table_ids = ()

    def _build(self, args: NetworkArgs) -> None:
        blocks = cut_range(args.cidr)
        self.cidr = args.cidr
        vpc = aws.ec2.Vpc(
            f"{self.name}-vpc",
            cidr_block=args.cidr,
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags=self._label("vpc"),
            opts=self._child(),
        )
        self.vpc_id = vpc.id
        # Nothing is in the default group, so that what forgets its own group reaches nothing.
        aws.ec2.DefaultSecurityGroup(
            f"{self.name}-default-group",
            vpc_id=vpc.id,
            ingress=[],
            egress=[],
            tags=self._label("default"),
            opts=self._child(),
        )
        public = self._make_subnets("public", blocks[:PLACES])
        private = self._make_subnets("private", blocks[PLACES : 2 * PLACES])
        data = self._make_subnets("data", blocks[2 * PLACES : 3 * PLACES])
        public_table = self._make_table("public", public)
        gateway = aws.ec2.InternetGateway(
            f"{self.name}-internet", vpc_id=vpc.id, tags=self._label("internet"), opts=self._child()
        )
        way_out = self._make_route("public", public_table, gateway_id=gateway.id)
        private_tables = [
            self._make_table(f"private-{number}", [subnet]) for number, subnet in enumerate(private, start=1)
        ]
        gateways = [
            self._make_nat(number, subnet, way_out)
            for number, subnet in enumerate(public[: args.spec.nat_gateways], start=1)
        ]
        self.nat_addresses = tuple(address for _, address in gateways)
        if gateways:
            for place, table in enumerate(private_tables):
                self._make_route(f"private-{place + 1}", table, nat_gateway_id=gateways[place % len(gateways)][0].id)
        data_table = self._make_table("data", data)
        # Free of charge, and keeps images' layers and objects off the NAT gateways.
        aws.ec2.VpcEndpoint(
            f"{self.name}-objects",
            vpc_id=vpc.id,
            service_name=f"com.amazonaws.{args.region}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=[table.id for table in (public_table, *private_tables, data_table)],
            tags=self._label("objects"),
            opts=self._child(),
        )
        if args.flow_log_bucket_arn is not None:
            aws.ec2.FlowLog(
                f"{self.name}-flow-log",
                vpc_id=vpc.id,
                traffic_type="ALL",
                log_destination_type="s3",
                log_destination=args.flow_log_bucket_arn,
                max_aggregation_interval=FLOW_LOG_INTERVAL_S,
                tags=self._label("flow-log"),
                opts=self._child(),
            )
        self.public_subnet_ids = tuple(subnet.id for subnet in public)
        self.private_subnet_ids = tuple(subnet.id for subnet in private)
        self.data_subnet_ids = tuple(subnet.id for subnet in data)
        self.private_route_table_ids = tuple(table.id for table in private_tables)

    def _make_subnets(self, kind: str, blocks: Sequence[str]) -> list[aws.ec2.Subnet]:
        return [
            aws.ec2.Subnet(
                f"{self.name}-{kind}-{number}",
                vpc_id=self.vpc_id,
                cidr_block=block,
                availability_zone=zone,
                map_public_ip_on_launch=False,
                tags=self._label(f"{kind}-{number}"),
                opts=self._child(),
            )
            for number, (zone, block) in enumerate(zip(self.zone_names, blocks, strict=False), start=1)
        ]

    def _make_table(self, label: str, subnets: Sequence[aws.ec2.Subnet]) -> aws.ec2.RouteTable:
        table = aws.ec2.RouteTable(
            f"{self.name}-{label}-routes", vpc_id=self.vpc_id, tags=self._label(label), opts=self._child()
        )
        for number, subnet in enumerate(subnets, start=1):
            aws.ec2.RouteTableAssociation(
                f"{self.name}-{label}-routes-{number}",
                route_table_id=table.id,
                subnet_id=subnet.id,
                opts=self._child(),
            )
        return table

    def _make_route(
        self,
        label: str,
        table: aws.ec2.RouteTable,
        *,
        gateway_id: pulumi.Input[str] | None = None,
        nat_gateway_id: pulumi.Input[str] | None = None,
    ) -> aws.ec2.Route:
        return aws.ec2.Route(
            f"{self.name}-{label}-out",
            route_table_id=table.id,
            destination_cidr_block="0.0.0.0/0",
            gateway_id=gateway_id,
            nat_gateway_id=nat_gateway_id,
            opts=self._child(),
        )

    def _make_nat(
        self, number: int, subnet: aws.ec2.Subnet, way_out: aws.ec2.Route
    ) -> tuple[aws.ec2.NatGateway, pulumi.Output[str]]:
        address = aws.ec2.Eip(
            f"{self.name}-nat-{number}-address", domain="vpc", tags=self._label(f"nat-{number}"), opts=self._child()
        )
        gateway = aws.ec2.NatGateway(
            f"{self.name}-nat-{number}",
            subnet_id=subnet.id,
            allocation_id=address.allocation_id,
            connectivity_type="public",
            tags=self._label(f"nat-{number}"),
            opts=self._child(depends_on=[way_out]),
        )
        return gateway, address.public_ip

    def _label(self, part: str) -> dict[str, str]:
        return {**self.tags.named("network"), "Name": f"{self.tags.stack}-{part}"}

    def _child(self, depends_on: Sequence[pulumi.Resource] = ()) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, depends_on=list(depends_on))
