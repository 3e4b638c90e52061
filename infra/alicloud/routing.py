"""The name of the service: a zone of Alibaba Cloud's DNS, its own or one that is there already, and a record in it."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_alicloud as alicloud

from infra.errors import InvalidStack
from infra.tagging import Tags

RECORD_TTL_S = 600
"""The shortest that the free edition has (Alibaba Cloud DNS, "TTL")."""
LONGEST_TAG = 20
"""Characters of a tag of a zone, far fewer than other services take (the provider's page of AlidnsDomain)."""


@dataclass(frozen=True, kw_only=True)
class ZoneArgs:
    """A zone named ``domain`` is made. The zone above must name its servers; where another account holds that one,
    Alibaba Cloud asks for a TXT record in it first (Alibaba Cloud DNS API, GetTxtRecordForVerify)."""

    domain: str
    tags: Tags
    protect: bool


class Zone(pulumi.ComponentResource):
    """The zone that holds the service's names. Attributes: ``name``, known once it is made; ``name_servers``."""

    name: pulumi.Output[str]
    name_servers: pulumi.Output[Sequence[str]]

    def __init__(self, name: str, args: ZoneArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:alicloud:Zone", name, {}, opts)
        zone = alicloud.dns.AlidnsDomain(
            f"{name}-zone",
            domain_name=args.domain,
            remark="Names of the memory service",
            tags={key[:LONGEST_TAG]: value[:LONGEST_TAG] for key, value in args.tags.named("dns").items()},
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        self.name, self.name_servers = zone.domain_name, zone.dns_servers
        self.register_outputs({"name": self.name})


@dataclass(frozen=True, kw_only=True)
class RoutingArgs:
    """``record_name`` lies in the zone ``zone_name``, such as memory.example.com in example.com, and leads to one
    ``address``, or to the name of a balancer or a CDN, ``dns_name``. ``zone`` is the zone's name where this stack makes
    it. Raises InvalidStack for a name outside of the zone and for one that leads nowhere, or to two places."""

    record_name: str
    zone_name: str
    zone: pulumi.Input[str] | None = None
    address: pulumi.Input[str] | None = None
    dns_name: pulumi.Input[str] | None = None

    def __post_init__(self) -> None:
        if self.record_name != self.zone_name and not self.record_name.endswith(f".{self.zone_name}"):
            raise InvalidStack("zone-id", self.zone_name, f"the zone that {self.record_name} lies in, by its name")
        if (self.address is None) == (self.dns_name is None):
            raise InvalidStack("domain", self.record_name, "a domain only where one address or one balancer is made")


class Routing(pulumi.ComponentResource):
    """One record, of type A or CNAME; a zone of Alibaba Cloud's DNS is named by its domain."""

    def __init__(self, name: str, args: RoutingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:alicloud:Routing", name, {}, opts)
        alicloud.dns.AlidnsRecord(
            f"{name}-record",
            domain_name=args.zone if args.zone is not None else args.zone_name,
            rr=args.record_name.removesuffix(args.zone_name).rstrip(".") or "@",
            type="A" if args.address is not None else "CNAME",
            value=args.address if args.address is not None else args.dns_name,
            ttl=RECORD_TTL_S,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
