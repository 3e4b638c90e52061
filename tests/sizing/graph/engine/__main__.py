"""A small program in two states, of which the engine's files in `data` were made: `STATE` says which."""

import os

import pulumi
import pulumi_alicloud as alicloud
import pulumi_aws as aws


class Site(pulumi.ComponentResource):
    """A component with a network and a host."""

    def __init__(self, name: str, *, after: bool, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("demo:index:Site", name, {}, opts)
        mine = pulumi.ResourceOptions(parent=self)
        self.vpc = aws.ec2.Vpc(f"{name}-vpc", cidr_block="10.0.0.0/16", opts=mine)
        self.subnet = aws.ec2.Subnet(f"{name}-subnet", vpc_id=self.vpc.id, cidr_block="10.0.1.0/24", opts=mine)
        disk = aws.ec2.InstanceRootBlockDeviceArgs(volume_size=40 if after else 20, volume_type="gp3")
        self.host = aws.ec2.Instance(
            f"{name}-host",
            ami="ami-1",
            instance_type="t3.large" if after else "t3.medium",
            subnet_id=self.subnet.id,
            root_block_device=disk,
            opts=mine,
        )
        self.register_outputs({})


def declare(*, after: bool) -> None:
    """The resources before or after."""
    site = Site("site", after=after)
    ireland = aws.Provider("ireland", region="eu-west-1")
    aws.ebs.Volume("data", size=100, availability_zone="us-east-1b" if after else "us-east-1a")
    aws.ebs.Volume("far", size=10, availability_zone="eu-west-1a", opts=pulumi.ResourceOptions(provider=ireland))
    aws.sqs.Queue("own-region", region="ap-southeast-1")
    password = pulumi.Config().require_secret("password")
    aws.rds.Instance(
        "db",
        engine="postgres",
        instance_class="db.t4g.medium",
        allocated_storage=50,
        username="keeper",
        password=password,
        multi_az=after,
        opts=pulumi.ResourceOptions(protect=True),
    )
    bucket = aws.s3.Bucket("objects", opts=pulumi.ResourceOptions(retain_on_delete=True))
    if after:
        former = pulumi.ResourceOptions(aliases=[pulumi.Alias(name="key")])
        aws.kms.Key("renamed-key", description=bucket.arn, opts=former)
        address = aws.ec2.Eip("address", instance=site.host.id)
        aws.ec2.Instance("computed", ami="ami-1", instance_type=address.arn)
    else:
        aws.kms.Key("key", description=bucket.arn)
        aws.ec2.NatGateway("nat", subnet_id=site.subnet.id)
        aws.s3.Bucket("left", opts=pulumi.ResourceOptions(retain_on_delete=True))
    aws.ec2.Vpc.get("of-others", "vpc-1")
    alicloud.ecs.EcsDisk("disk", category="cloud_essd", size=40, zone_id="cn-beijing-h")
    pulumi.export("bucket", bucket.arn)
    pulumi.export("password", password)


declare(after=os.environ["STATE"] == "after")
