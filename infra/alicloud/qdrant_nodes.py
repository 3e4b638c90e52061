"""Qdrant on its own instances: one cluster, its nodes in different zones, each with a disk of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_alicloud as alicloud

from infra.alicloud.images import find_plain_image
from infra.alicloud.machines import InstanceSpec, make_data_disk, make_instance
from infra.alicloud.qdrant_access import AuthorityArgs, NodeRights, make_authority, make_node_role
from infra.alicloud.traffic import admit_group, admit_ranges, make_group, release_calls
from infra.facts import QDRANT_GRPC_PORT, QDRANT_PEER_PORT, QDRANT_PORT
from infra.tagging import Tags
from infra.vector_nodes import (
    CLUSTER_NAME,
    CLUSTER_URL,
    COMPONENT,
    RECORD_TTL_S,
    ZONE,
    Authority,
    NodePlace,
    NodeStart,
    NodeSubnet,
    list_names,
    place_nodes,
)
from sizing.instances import instances
from sizing.plan import VectorStoreSpec

RESERVED = 3
"""The last addresses of a vSwitch, which Alibaba Cloud keeps (ECS, RunInstances, `PrivateIpAddress`)."""
IMAGE_SETTING = "service.vector_machine_image"


@dataclass(frozen=True, kw_only=True)
class QdrantNodesArgs:
    """`write_user_data` makes a node's user data, base64, without secrets.

    Whoever is in `client_cidrs` reaches the nodes, which are in the network `cidr`. A node reads the API key from
    `secret_arns` by its role, and with `snapshot_bucket_arn` writes below facts.SNAPSHOTS_PREFIX there. The role and
    the disk come some seconds after the start, so it must wait for both. `image_id` pins the image, and another one
    gives the nodes new system disks; without one a new node gets the newest. `account` is the account's id;
    `kms_key_id` encrypts disks and parameters, `kms_key_arn` names it in roles, and `key_instance_id` is the instance
    that it is in. With `keeps_copies` a destroyed stack leaves the disks and the authority.
    """

    spec: VectorStoreSpec
    region: str
    account: str
    vpc_id: pulumi.Input[str]
    cidr: str
    subnets: Sequence[NodeSubnet]
    client_cidrs: Sequence[str]
    write_user_data: Callable[[NodeStart], pulumi.Input[str]]
    secret_arns: Sequence[pulumi.Input[str]]
    root_disk_gb: int
    tags: Tags
    protect: bool
    keeps_copies: bool
    kms_key_id: pulumi.Input[str] | None = None
    kms_key_arn: pulumi.Input[str] | None = None
    key_instance_id: str = ""
    snapshot_bucket_arn: pulumi.Input[str] | None = None
    image_id: str | None = None


class QdrantNodes(pulumi.ComponentResource):
    """The instances, their protected disks, a security group, and names in a private zone.

    A node is replaced when its user data changes, one after the other; its disk, name and address stay. With `protect`
    neither Pulumi nor the console deletes a node, so that is refused until it is lifted.
    Attributes: `url`, `places`, `authority_certificate_arn` (a secret, for the service to trust the nodes),
    `security_group_id`, `instance_ids` and `disk_ids`, in their order.
    """

    url: str
    places: tuple[NodePlace, ...]
    authority_certificate_arn: pulumi.Output[str]
    security_group_id: pulumi.Output[str]
    instance_ids: tuple[pulumi.Output[str], ...]
    disk_ids: tuple[pulumi.Output[str], ...]

    def __init__(self, name: str, args: QdrantNodesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:alicloud:QdrantNodes", name, {}, opts)
        self._name, self._args = name, args
        self.places = place_nodes(args.spec.nodes, [subnet.cidr for subnet in args.subnets], reserved=RESERVED)
        self._group = self._make_group()
        authority = self._make_authority()
        roles = self._make_roles(authority)
        image = args.image_id or self._find_image()
        instances_made: list[alicloud.ecs.Instance] = []
        disks: list[alicloud.ecs.EcsDisk] = []
        before: list[pulumi.Resource] = []
        for number, place in enumerate(self.places, start=1):
            disk = self._make_disk(number, place)
            start = self._describe_start(number, disk, authority)
            instance = self._make_instance(start, image, before)
            instances_made.append(instance)
            disks.append(disk)
            # One at a time: a cluster of copies stands while only one node is away.
            before = [self._equip(number, instance, roles[0 if number == 1 else -1], disk)]
        self._make_records()
        self.url = CLUSTER_URL
        self.authority_certificate_arn = authority.certificate_arn
        self.security_group_id = self._group.id
        self.instance_ids = tuple(instance.id for instance in instances_made)
        self.disk_ids = tuple(disk.id for disk in disks)
        self.register_outputs({"url": self.url})

    def _make_group(self) -> alicloud.ecs.SecurityGroup:
        args = self._args
        group = make_group(
            f"{self._name}-group",
            vpc_id=args.vpc_id,
            purpose="Nodes of the vector store",
            component=COMPONENT,
            tags=args.tags,
            parent=self,
        )
        for port in (QDRANT_PORT, QDRANT_GRPC_PORT):
            admit_ranges(
                f"{self._name}-client-{port}",
                group,
                cidrs=args.client_cidrs,
                port=port,
                purpose="The service",
                parent=self,
            )
        admit_group(
            f"{self._name}-peers", group, source_id=group.id, port=QDRANT_PEER_PORT, purpose="Other nodes", parent=self
        )
        release_calls(f"{self._name}-out", group, cidr=args.cidr, inner_ports=(QDRANT_PEER_PORT,), parent=self)
        return group

    def _make_authority(self) -> Authority:
        args = self._args
        return make_authority(
            self._name,
            AuthorityArgs(
                region=args.region,
                account=args.account,
                tags=args.tags,
                protect=args.protect,
                keeps_copies=args.keeps_copies,
                key_id=args.kms_key_id,
                key_instance_id=args.key_instance_id,
            ),
            parent=self,
        )

    def _make_roles(self, authority: Authority) -> list[alicloud.ram.Role]:
        """The first node's and the others'."""
        args = self._args
        rights = NodeRights(
            authority=authority,
            secret_arns=args.secret_arns,
            snapshot_bucket_arn=args.snapshot_bucket_arn,
            kms_key_arn=args.kms_key_arn,
        )
        kinds = ["first", "other"] if args.spec.nodes > 1 else ["first"]
        return [
            make_node_role(f"{self._name}-{kind}-role", rights, founds=kind == "first", tags=args.tags, parent=self)
            for kind in kinds
        ]

    def _describe_start(self, number: int, disk: alicloud.ecs.EcsDisk, authority: Authority) -> NodeStart:
        return NodeStart(
            number=number,
            place=self.places[number - 1],
            first_name=self.places[0].name,
            cluster_name=CLUSTER_NAME,
            volume_id=disk.id,
            authority=authority,
        )

    def _find_image(self) -> pulumi.Output[str]:
        wanted = self._args.spec.instance_class
        architecture = next(each.architecture for each in instances("alicloud", "ecs") if each.name == wanted)
        return find_plain_image(architecture, IMAGE_SETTING, self)

    def _make_instance(
        self, start: NodeStart, image: pulumi.Input[str], before: Sequence[pulumi.Resource]
    ) -> alicloud.ecs.Instance:
        args = self._args
        wanted = InstanceSpec(
            instance_class=args.spec.instance_class,
            image_id=image,
            pins_image=args.image_id is not None,
            subnet_id=args.subnets[start.place.subnet].id,
            group_id=self._group.id,
            user_data=args.write_user_data(start),
            root_disk_gb=args.root_disk_gb,
            kms_key_id=args.kms_key_id,
            component=COMPONENT,
            tags=args.tags,
            protect=args.protect,
            private_address=start.place.address,
        )
        return make_instance(f"{self._name}-{start.number}", wanted, parent=self, depends_on=before)

    def _make_disk(self, number: int, place: NodePlace) -> alicloud.ecs.EcsDisk:
        args = self._args
        return make_data_disk(
            f"{self._name}-{number}-data",
            zone_name=args.subnets[place.subnet].zone_name,
            size_gb=args.spec.disk_gb,
            kms_key_id=args.kms_key_id,
            component=COMPONENT,
            tags=args.tags,
            protect=args.protect,
            keeps_copies=args.keeps_copies,
            parent=self,
        )

    def _equip(
        self, number: int, instance: alicloud.ecs.Instance, role: alicloud.ram.Role, disk: alicloud.ecs.EcsDisk
    ) -> pulumi.Resource:
        """Its role first, so that a node that has its disk may ask for what it needs next."""
        attached = alicloud.ecs.RamRoleAttachment(
            f"{self._name}-{number}-role-attachment",
            instance_id=instance.id,
            ram_role_name=role.role_name,
            opts=pulumi.ResourceOptions(parent=self),
        )
        return alicloud.ecs.EcsDiskAttachment(
            f"{self._name}-{number}-attachment",
            disk_id=disk.id,
            instance_id=instance.id,
            delete_with_instance=False,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[attached], delete_before_replace=True),
        )

    def _make_records(self) -> None:
        """A record for each address, since one has a single value here."""
        args, child = self._args, pulumi.ResourceOptions(parent=self)
        zone = alicloud.pvtz.Zone(
            f"{self._name}-zone",
            zone_name=ZONE,
            remark="Names inside the network",
            tags=args.tags.named(COMPONENT),
            opts=child,
        )
        alicloud.pvtz.ZoneAttachment(
            f"{self._name}-zone-attachment", zone_id=zone.id, vpc_ids=[args.vpc_id], opts=child
        )
        for full_name, addresses in list_names(self.places).items():
            label = full_name.partition(".")[0]
            for number, address in enumerate(addresses, start=1):
                alicloud.pvtz.ZoneRecord(
                    f"{self._name}-name-{label}" if len(addresses) == 1 else f"{self._name}-name-{label}-of-{number}",
                    zone_id=zone.id,
                    rr=label,
                    type="A",
                    value=address,
                    ttl=RECORD_TTL_S,
                    opts=child,
                )
