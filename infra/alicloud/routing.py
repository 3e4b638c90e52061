"""The name of the service: a record in a zone of Alibaba Cloud's DNS that is there already."""

from dataclasses import dataclass

import pulumi
import pulumi_alicloud as alicloud

from infra.errors import InvalidStack

RECORD_TTL_S = 600
"""The shortest that the free edition has (Alibaba Cloud DNS, "TTL")."""


@dataclass(frozen=True, kw_only=True)
class RoutingArgs:
    """``record_name`` lies in the zone ``zone_name``, such as memory.example.com in example.com, and leads to one
    address. Raises InvalidStack where it does not."""

    record_name: str
    zone_name: str
    address: pulumi.Input[str]

    def __post_init__(self) -> None:
        if self.record_name != self.zone_name and not self.record_name.endswith(f".{self.zone_name}"):
            raise InvalidStack("zone-id", self.zone_name, f"the zone that {self.record_name} lies in, by its name")


class Routing(pulumi.ComponentResource):
    """One record of type A; a zone of Alibaba Cloud's DNS is named by its domain."""

    def __init__(self, name: str, args: RoutingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:alicloud:Routing", name, {}, opts)
        alicloud.dns.AlidnsRecord(
            f"{name}-record",
            domain_name=args.zone_name,
            rr=args.record_name.removesuffix(args.zone_name).rstrip(".") or "@",
            type="A",
            value=args.address,
            ttl=RECORD_TTL_S,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
