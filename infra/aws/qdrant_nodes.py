"""Qdrant on its own instances: one cluster, its nodes in different zones, each with a disk of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws.host import DATA_DEVICE, GP3_MBPS, is_burstable
from infra.aws.images import HOST_IMAGES
from infra.aws.qdrant_access import NodeRights, make_authority, make_node_profile
from infra.aws.traffic import ANYWHERE, HTTPS_PORT, admit_group, make_group, release_port
from infra.facts import QDRANT_GRPC_PORT, QDRANT_PEER_PORT, QDRANT_PORT
from infra.tagging import Tags
from infra.vector_nodes import (
    CLUSTER_NAME,
    CLUSTER_URL,
    COMPONENT,
    LABEL,
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

RESERVED = 2
"""Addresses at the end of a subnet that no node takes: the last, which AWS keeps (VPC user guide, "Subnet CIDR
blocks"), and one more."""


@dataclass(frozen=True, kw_only=True)
class QdrantNodesArgs:
    """`write_user_data` makes a node's user data, base64, without secrets.

    A node reads the API key from `secret_arns` by its role, and with `snapshot_bucket_arn` writes below
    facts.SNAPSHOTS_PREFIX there. The volume is attached after the start as host.DATA_DEVICE, so it must wait for it.
    `image_id` pins the image, and another one replaces the nodes; without one a new node gets the newest. With
    `keeps_copies` a deleted disk leaves a final snapshot.
    """

    spec: VectorStoreSpec
    vpc_id: pulumi.Input[str]
    subnets: Sequence[NodeSubnet]
    client_security_group_ids: Sequence[pulumi.Input[str]]
    write_user_data: Callable[[NodeStart], pulumi.Input[str]]
    secret_arns: Sequence[pulumi.Input[str]]
    root_disk_gb: int
    kms_key_arn: pulumi.Input[str] | None
    tags: Tags
    protect: bool
    keeps_copies: bool
    snapshot_bucket_arn: pulumi.Input[str] | None = None
    image_id: str | None = None


class QdrantNodes(pulumi.ComponentResource):
    """The instances, their protected disks, a security group, and names in a private zone.

    A node is replaced when its user data changes, one after the other; its disk, name and address stay.
    Attributes: `url`, `places`, `authority_certificate_arn` (a secret, for the service to trust the nodes),
    `security_group_id`, `instance_ids`, `volume_arns` (for backups).
    """

    url: str
    places: tuple[NodePlace, ...]
    authority_certificate_arn: pulumi.Output[str]
    security_group_id: pulumi.Output[str]
    instance_ids: tuple[pulumi.Output[str], ...]
    volume_arns: tuple[pulumi.Output[str], ...]

    def __init__(self, name: str, args: QdrantNodesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:aws:QdrantNodes", name, {}, opts)
        self._name, self._args = name, args
        self.places = place_nodes(args.spec.nodes, [subnet.cidr for subnet in args.subnets], reserved=RESERVED)
        group = self._make_group()
        authority = make_authority(
            name,
            kms_key_arn=args.kms_key_arn,
            tags=args.tags,
            protect=args.protect,
            keeps_copies=args.keeps_copies,
            parent=self,
        )
        profiles = self._make_profiles(authority)
        image = args.image_id or self._find_image()
        instances_made: list[aws.ec2.Instance] = []
        volumes: list[aws.ebs.Volume] = []
        before: list[pulumi.Resource] = []
        for number, place in enumerate(self.places, start=1):
            volume = self._make_volume(number, place)
            instance = self._make_instance(
                self._describe_start(number, volume, authority), group, profiles, image, before
            )
            instances_made.append(instance)
            volumes.append(volume)
            # One at a time: a cluster of copies stands while only one node is away.
            before = [self._attach(number, volume, instance)]
        self._make_records()
        self.url = CLUSTER_URL
        self.authority_certificate_arn = authority.certificate_arn
        self.security_group_id = group.id
        self.instance_ids = tuple(instance.id for instance in instances_made)
        self.volume_arns = tuple(volume.arn for volume in volumes)
        self.register_outputs({"url": self.url})

    def _make_group(self) -> aws.ec2.SecurityGroup:
        args = self._args
        group = make_group(
            f"{self._name}-group",
            vpc_id=args.vpc_id,
            purpose="Nodes of the vector store",
            component=COMPONENT,
            tags=args.tags,
            parent=self,
        )
        for number, client in enumerate(args.client_security_group_ids, start=1):
            for port in (QDRANT_PORT, QDRANT_GRPC_PORT):
                admit_group(
                    f"{self._name}-client-{number}-{port}",
                    group,
                    source_id=client,
                    port=port,
                    purpose="The service",
                    parent=self,
                )
        admit_group(
            f"{self._name}-peers", group, source_id=group.id, port=QDRANT_PEER_PORT, purpose="Other nodes", parent=self
        )
        aws.vpc.SecurityGroupEgressRule(
            f"{self._name}-to-peers",
            security_group_id=group.id,
            referenced_security_group_id=group.id,
            ip_protocol="tcp",
            from_port=QDRANT_PEER_PORT,
            to_port=QDRANT_PEER_PORT,
            description="Other nodes",
            opts=pulumi.ResourceOptions(parent=self),
        )
        release_port(
            f"{self._name}-out", group, cidr=ANYWHERE, port=HTTPS_PORT, purpose="Image, AWS, updates", parent=self
        )
        return group

    def _make_profiles(self, authority: Authority) -> list[aws.iam.InstanceProfile]:
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
            make_node_profile(f"{self._name}-{kind}", rights, founds=kind == "first", tags=args.tags, parent=self)
            for kind in kinds
        ]

    def _describe_start(self, number: int, volume: aws.ebs.Volume, authority: Authority) -> NodeStart:
        return NodeStart(
            number=number,
            place=self.places[number - 1],
            first_name=self.places[0].name,
            cluster_name=CLUSTER_NAME,
            volume_id=volume.id,
            authority=authority,
        )

    def _find_image(self) -> pulumi.Output[str]:
        wanted = self._args.spec.instance_class
        architecture = next(each.architecture for each in instances("aws", "ec2") if each.name == wanted)
        found = aws.ssm.get_parameter_output(
            name=HOST_IMAGES[architecture], opts=pulumi.InvokeOutputOptions(parent=self)
        )
        return pulumi.Output.unsecret(found.value)

    def _make_instance(
        self,
        start: NodeStart,
        group: aws.ec2.SecurityGroup,
        profiles: Sequence[aws.iam.InstanceProfile],
        image: pulumi.Input[str],
        before: Sequence[pulumi.Resource],
    ) -> aws.ec2.Instance:
        args = self._args
        tags = self._tag(start.number)
        return aws.ec2.Instance(
            f"{self._name}-{start.number}",
            ami=image,
            instance_type=args.spec.instance_class,
            subnet_id=args.subnets[start.place.subnet].id,
            private_ip=start.place.address,
            associate_public_ip_address=False,
            vpc_security_group_ids=[group.id],
            iam_instance_profile=profiles[0 if start.number == 1 else -1].name,
            user_data_base64=args.write_user_data(start),
            user_data_replace_on_change=True,
            ebs_optimized=True,
            credit_specification=aws.ec2.InstanceCreditSpecificationArgs(cpu_credits="standard")
            if is_burstable(args.spec.instance_class)
            else None,
            maintenance_options=aws.ec2.InstanceMaintenanceOptionsArgs(auto_recovery="default"),
            metadata_options=aws.ec2.InstanceMetadataOptionsArgs(
                http_endpoint="enabled", http_tokens="required", http_put_response_hop_limit=1
            ),
            root_block_device=aws.ec2.InstanceRootBlockDeviceArgs(
                volume_type="gp3",
                volume_size=args.root_disk_gb,
                encrypted=True,
                kms_key_id=args.kms_key_arn,
                delete_on_termination=True,
                tags=tags,
            ),
            tags=tags,
            # Its address is fixed, so the old node goes before the new one comes.
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=list(before),
                delete_before_replace=True,
                ignore_changes=[] if args.image_id else ["ami"],
            ),
        )

    def _make_volume(self, number: int, place: NodePlace) -> aws.ebs.Volume:
        args = self._args
        return aws.ebs.Volume(
            f"{self._name}-{number}-data",
            availability_zone=args.subnets[place.subnet].zone_name,
            type="gp3",
            size=args.spec.disk_gb,
            throughput=GP3_MBPS,
            encrypted=True,
            kms_key_id=args.kms_key_arn,
            final_snapshot=args.keeps_copies,
            tags=self._tag(number),
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )

    def _attach(self, number: int, volume: aws.ebs.Volume, instance: aws.ec2.Instance) -> aws.ec2.VolumeAttachment:
        return aws.ec2.VolumeAttachment(
            f"{self._name}-{number}-attachment",
            device_name=DATA_DEVICE,
            volume_id=volume.id,
            instance_id=instance.id,
            stop_instance_before_detaching=True,
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )

    def _make_records(self) -> None:
        args, child = self._args, pulumi.ResourceOptions(parent=self)
        zone = aws.route53.Zone(
            f"{self._name}-zone",
            name=ZONE,
            comment="Names inside the network",
            vpcs=[aws.route53.ZoneVpcArgs(vpc_id=args.vpc_id)],
            force_destroy=False,
            tags=args.tags.named(COMPONENT),
            opts=child,
        )
        for full_name, addresses in list_names(self.places).items():
            aws.route53.Record(
                f"{self._name}-name-{full_name.partition('.')[0]}",
                zone_id=zone.zone_id,
                name=full_name,
                type="A",
                ttl=RECORD_TTL_S,
                records=addresses,
                opts=child,
            )

    def _tag(self, number: int) -> dict[str, str]:
        tags = self._args.tags
        return {**tags.named(COMPONENT), "Name": f"{tags.stack}-{LABEL}-{number}"}
