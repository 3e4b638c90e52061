"""The single host: one instance that runs the service, with its data on a disk of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_alicloud as alicloud

from infra.alicloud import roles
from infra.alicloud.images import find_host_image
from infra.alicloud.machines import LONGEST_NAME, InstanceSpec, make_data_disk, make_instance
from infra.alicloud.traffic import HTTPS_PORT, admit_ranges, make_group, release_calls
from infra.naming import fix_name
from infra.tagging import Tags
from sizing.plan import ComputeSpec

WEB_PORTS = (80, HTTPS_PORT)
"""HTTPS, and HTTP for its certificate and a redirect."""

BANDWIDTH_MBPS = 100
"""The most that goes out at once; traffic is paid by the GB, so it costs nothing. 200 are the limit (provider's page of
EipAddress)."""


@dataclass(frozen=True, kw_only=True)
class HostArgs:
    """What a host is made of.

    ``subnet_id`` is a public vSwitch, in ``zone_name``. ``allowed_cidrs`` reach HTTP and HTTPS; none are given
    where there is no domain, and then only Cloud Assistant gets in. ``inner_ports`` are the TCP ports inside ``cidr``
    that the service calls, where a store is beside the host. ``write_user_data`` makes the user data, base64, of
    the data disk's id; without secrets, since the host reads those by its role. The role, the public address and the
    disk come some seconds after the start, so it must wait for all three. ``bucket_arns`` are read and written,
    ``release_bucket_arns`` read, ``dump_bucket_arns`` written; ``statements`` are what its role may do beside that.
    ``kms_key_id`` encrypts both disks, the key that
    the service manages does else; ``kms_key_arn`` names it in the role. ``image_id`` pins the image; without one a
    new host gets the newest. With ``keeps_copies`` a destroyed stack leaves the data disk, since no last snapshot of
    it can be had.
    """

    spec: ComputeSpec
    vpc_id: pulumi.Input[str]
    cidr: str
    subnet_id: pulumi.Input[str]
    zone_name: str
    write_user_data: Callable[[pulumi.Output[str]], pulumi.Input[str]]
    tags: Tags
    protect: bool
    keeps_copies: bool
    allowed_cidrs: Sequence[str] = ()
    inner_ports: Sequence[int] = ()
    secret_arns: Sequence[pulumi.Input[str]] = ()
    bucket_arns: Sequence[pulumi.Input[str]] = ()
    release_bucket_arns: Sequence[pulumi.Input[str]] = ()
    dump_bucket_arns: Sequence[pulumi.Input[str]] = ()
    statements: Sequence[roles.Statement] = ()
    kms_key_id: pulumi.Input[str] | None = None
    kms_key_arn: pulumi.Input[str] | None = None
    image_id: str | None = None


class ServiceHost(pulumi.ComponentResource):
    """One ECS instance with a fixed public address.

    It can be replaced and the data stays: that is on a protected disk of its own. Other user data replace it, which a
    machine reads at its first start alone; settings and the release are not in them. A newer image changes nothing;
    another pinned one gives the same instance a new system disk, from which it starts as a new one. With ``protect``
    neither Pulumi nor the console deletes the instance, so its replacement is refused until that is lifted. When its
    hardware fails ECS starts it elsewhere by itself. Nobody has a password or a key to log in. Its metadata are given
    out for a token alone, which only new images take (ECS user guide, "Access instance metadata in hardened-only
    mode"): a pinned one must be one of them.

    Attributes: ``instance_id``, ``private_ip``, ``public_ip``, ``role_arn``, ``role_name``,
    ``data_volume_id``, ``security_group_id``.
    """

    instance_id: pulumi.Output[str]
    private_ip: pulumi.Output[str]
    public_ip: pulumi.Output[str]
    role_arn: pulumi.Output[str]
    role_name: pulumi.Output[str]
    data_volume_id: pulumi.Output[str]
    security_group_id: pulumi.Output[str]

    def __init__(self, name: str, args: HostArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:alicloud:ServiceHost", name, {}, opts)
        self.name = name
        group = self._make_group(args)
        role = self._make_role(args)
        disk = make_data_disk(
            f"{name}-data",
            zone_name=args.zone_name,
            size_gb=args.spec.data_disk_gb,
            kms_key_id=args.kms_key_id,
            component="host",
            tags=args.tags,
            protect=args.protect,
            keeps_copies=args.keeps_copies,
            parent=self,
        )
        instance = self._make_instance(args, group, args.write_user_data(disk.id))
        # A new instance takes over what the old one had: each is taken from it first.
        handed_over = pulumi.ResourceOptions(parent=self, delete_before_replace=True)
        alicloud.ecs.RamRoleAttachment(
            f"{name}-role-attachment",
            instance_id=instance.id,
            ram_role_name=role.role_name,
            opts=pulumi.ResourceOptions(parent=self),
        )
        address = self._make_address(args)
        alicloud.ecs.EipAssociation(
            f"{name}-address-association",
            allocation_id=address.id,
            instance_id=instance.id,
            instance_type="EcsInstance",
            opts=handed_over,
        )
        alicloud.ecs.EcsDiskAttachment(
            f"{name}-data-attachment",
            disk_id=disk.id,
            instance_id=instance.id,
            delete_with_instance=False,
            opts=handed_over,
        )
        self.instance_id = instance.id
        self.private_ip = instance.private_ip
        self.public_ip = address.ip_address
        self.role_arn = role.arn
        self.role_name = role.role_name
        self.data_volume_id = disk.id
        self.security_group_id = group.id
        self.register_outputs({"instance_id": self.instance_id, "public_ip": self.public_ip})

    def _make_group(self, args: HostArgs) -> alicloud.ecs.SecurityGroup:
        group = make_group(
            f"{self.name}-group",
            vpc_id=args.vpc_id,
            purpose="The host that runs the service",
            component="host",
            tags=args.tags,
            parent=self,
        )
        for port in WEB_PORTS:
            admit_ranges(
                f"{self.name}-web-{port}",
                group,
                cidrs=args.allowed_cidrs,
                port=port,
                purpose="Clients of the service",
                parent=self,
            )
        release_calls(f"{self.name}-out", group, cidr=args.cidr, inner_ports=args.inner_ports, parent=self)
        return group

    def _make_role(self, args: HostArgs) -> alicloud.ram.Role:
        return roles.make_role(
            f"{self.name}-role",
            trust=roles.describe_trust("ecs"),
            statements=[
                *roles.read_secrets(args.secret_arns),
                *roles.use_objects(args.bucket_arns),
                *roles.read_objects(args.release_bucket_arns),
                *roles.put_objects(args.dump_bucket_arns, args.kms_key_arn),
                *roles.use_key(args.kms_key_arn, write=bool(args.bucket_arns)),
                *args.statements,
            ],
            component="host",
            tags=args.tags,
            parent=self,
        )

    def _make_instance(
        self, args: HostArgs, group: alicloud.ecs.SecurityGroup, user_data: pulumi.Input[str]
    ) -> alicloud.ecs.Instance:
        machine = InstanceSpec(
            instance_class=args.spec.instance_class,
            image_id=args.image_id or find_host_image(args.spec, self),
            pins_image=args.image_id is not None,
            subnet_id=args.subnet_id,
            group_id=group.id,
            user_data=user_data,
            root_disk_gb=args.spec.root_disk_gb,
            kms_key_id=args.kms_key_id,
            component="host",
            tags=args.tags,
            protect=args.protect,
        )
        return make_instance(f"{self.name}-instance", machine, parent=self)

    def _make_address(self, args: HostArgs) -> alicloud.ecs.EipAddress:
        return alicloud.ecs.EipAddress(
            f"{self.name}-address",
            address_name=fix_name(args.tags.stack, f"{self.name}-address", LONGEST_NAME),
            payment_type="PayAsYouGo",
            internet_charge_type="PayByTraffic",
            bandwidth=str(BANDWIDTH_MBPS),
            deletion_protection=args.protect,
            tags=args.tags.named("host"),
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
