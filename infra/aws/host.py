"""The single host: one instance that runs the service, with its data on a volume of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws import roles
from infra.aws.images import find_host_image
from infra.aws.traffic import HTTPS_PORT, admit_ranges, make_group, release_calls
from infra.tagging import Tags
from sizing.plan import ComputeSpec

DATA_DEVICE = "/dev/sdf"
"""The name under which the volume is attached (EC2 user guide, "Device names": /dev/sd[f-p] for data); Amazon Linux
links it to the NVMe disk that appears."""

GP3_MBPS = 125
"""The throughput that gp3 includes (EBS price page); the bill has no line for more."""

WEB_PORTS = (80, HTTPS_PORT)
"""HTTPS, and HTTP for its certificate and a redirect."""


@dataclass(frozen=True, kw_only=True)
class HostArgs:
    """What a host is made of.

    ``subnet_id`` is a public one, in ``zone_name``. ``allowed_cidrs`` reach HTTP and HTTPS; none are given
    where there is no domain, and then only Session Manager gets in. ``inner_ports`` are the TCP ports inside
    ``cidr`` that the service calls, where a store is beside the host. ``write_user_data`` makes the user
    data, base64, of the data volume's id; without secrets, since the host reads those by its role. The public
    address and the volume come some seconds after the start, so it must wait for both. ``bucket_arns`` are
    read and written, ``release_bucket_arns`` read, ``dump_bucket_arns`` written under ``dump_key_arn``.
    ``image_id`` pins the image; without one a new host gets the newest. With ``keeps_copies`` a deleted data
    volume leaves a final snapshot.
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
    dump_key_arn: pulumi.Input[str] | None = None
    log_group_arns: Sequence[pulumi.Input[str]] = ()
    repository_arns: Sequence[pulumi.Input[str]] = ()
    kms_key_arn: pulumi.Input[str] | None = None
    image_id: str | None = None


class ServiceHost(pulumi.ComponentResource):
    """One EC2 instance with a fixed public address.

    It can be replaced and the data stays: that is on a protected volume of its own, attached as DATA_DEVICE.
    So the instance itself is not protected. A newer image never replaces it, another pinned one does. So do
    other user data, which a machine reads at its first start alone; settings and the release are not in them.
    EC2 moves it to other hardware by itself when its hardware fails
    (simplified automatic recovery, free of charge). No address is asked for at launch: the provider reads a
    fixed address back as one, and would replace the instance for the difference.

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
        super().__init__("reme:aws:ServiceHost", name, {}, opts)
        self.name = name
        group = self._make_group(args)
        role = self._make_role(args)
        volume = self._make_volume(args)
        instance = self._make_instance(args, group, role, volume)
        address = aws.ec2.Eip(
            f"{name}-address",
            domain="vpc",
            instance=instance.id,
            tags=args.tags.named("host"),
            # A new instance takes the old one's address over.
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        aws.ec2.VolumeAttachment(
            f"{name}-data-attachment",
            device_name=DATA_DEVICE,
            volume_id=volume.id,
            instance_id=instance.id,
            # A disk that is pulled from a running database loses what was not yet written.
            stop_instance_before_detaching=True,
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        self.instance_id = instance.id
        self.private_ip = instance.private_ip
        self.public_ip = address.public_ip
        self.role_arn = role.arn
        self.role_name = role.name
        self.data_volume_id = volume.id
        self.security_group_id = group.id
        self.register_outputs({"instance_id": self.instance_id, "public_ip": self.public_ip})

    def _make_group(self, args: HostArgs) -> aws.ec2.SecurityGroup:
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

    def _make_role(self, args: HostArgs) -> aws.iam.Role:
        return roles.make_role(
            f"{self.name}-role",
            trust=roles.describe_trust("ec2"),
            statements=[
                *roles.read_secrets(args.secret_arns),
                *roles.use_objects(args.bucket_arns),
                *roles.read_objects(args.release_bucket_arns),
                *roles.put_objects(args.dump_bucket_arns, args.dump_key_arn),
                *roles.use_key(args.kms_key_arn, write=bool(args.bucket_arns)),
                *roles.write_logs(args.log_group_arns),
                *roles.pull_images(args.repository_arns),
                *roles.publish_metrics(),
            ],
            managed=[roles.SESSION_POLICY],
            component="host",
            tags=args.tags,
            parent=self,
        )

    def _make_instance(
        self, args: HostArgs, group: aws.ec2.SecurityGroup, role: aws.iam.Role, volume: aws.ebs.Volume
    ) -> aws.ec2.Instance:
        spec, tags = args.spec, {**args.tags.named("host"), "Name": f"{args.tags.stack}-host"}
        profile = roles.make_profile(f"{self.name}-profile", role, component="host", tags=args.tags, parent=self)
        return aws.ec2.Instance(
            f"{self.name}-instance",
            ami=args.image_id or find_host_image(spec, self),
            instance_type=spec.instance_class,
            subnet_id=args.subnet_id,
            vpc_security_group_ids=[group.id],
            iam_instance_profile=profile.name,
            user_data_base64=args.write_user_data(volume.id),
            user_data_replace_on_change=True,
            ebs_optimized=True,
            # The bill has no line for credits beyond the baseline, so they are not taken.
            credit_specification=aws.ec2.InstanceCreditSpecificationArgs(cpu_credits="standard")
            if is_burstable(spec.instance_class)
            else None,
            maintenance_options=aws.ec2.InstanceMaintenanceOptionsArgs(auto_recovery="default"),
            # One hop: containers get at the role's credentials only in the host's network.
            metadata_options=aws.ec2.InstanceMetadataOptionsArgs(
                http_endpoint="enabled", http_tokens="required", http_put_response_hop_limit=1
            ),
            root_block_device=aws.ec2.InstanceRootBlockDeviceArgs(
                volume_type="gp3",
                volume_size=spec.root_disk_gb,
                encrypted=True,
                kms_key_id=args.kms_key_arn,
                delete_on_termination=True,
                tags=tags,
            ),
            tags=tags,
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=[] if args.image_id else ["ami"]),
        )

    def _make_volume(self, args: HostArgs) -> aws.ebs.Volume:
        return aws.ebs.Volume(
            f"{self.name}-data",
            availability_zone=args.zone_name,
            type="gp3",
            size=args.spec.data_disk_gb,
            iops=args.spec.disk_iops,
            throughput=GP3_MBPS,
            encrypted=True,
            kms_key_id=args.kms_key_arn,
            final_snapshot=args.keeps_copies,
            tags={**args.tags.named("host"), "Name": f"{args.tags.stack}-data"},
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )


def is_burstable(instance_class: str) -> bool:
    """Whether a class works by CPU credits: those of the t families (EC2 user guide)."""
    return instance_class.startswith("t")
