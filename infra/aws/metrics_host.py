"""The host of a plan that is watched by Prometheus: Prometheus, Alertmanager and Grafana on one instance."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.alarms import limit_tokens
from infra.aws.images import HOST_IMAGES
from infra.aws.roles import SESSION_POLICY, Statement, describe_trust, make_profile, make_role, read_secrets
from infra.aws.traffic import ANYWHERE, HTTPS_PORT, make_group, release_port
from infra.errors import InvalidStack
from infra.monitoring_start import MonitoringStart, write_monitoring_user_data
from infra.service.rendering import encode_user_data
from infra.tagging import Tags
from sizing.billing.plan_usage import MONITORING_CLASSES, MONITORING_DISK_GB
from sizing.plan import RegionPlan

COMPONENT = "monitoring"


@dataclass(frozen=True, kw_only=True)
class MetricsHostArgs:
    """`subnet_id` is a private one with a way out; `network_cidr` is where the service's tasks are, in the security
    group `service_group_id` of the cluster `cluster_arn`. `key_secret_arn` holds a key that reads every workspace.
    `topic_key_arn` encrypts the topic, where a key of ours does. `images` are pinned, by `monitoring_start.SERVERS`.
    """

    plan: RegionPlan
    region: str
    vpc_id: pulumi.Input[str]
    network_cidr: pulumi.Input[str]
    subnet_id: pulumi.Input[str]
    service_group_id: pulumi.Input[str]
    cluster_arn: pulumi.Input[str]
    cluster_name: pulumi.Input[str]
    key_secret_arn: pulumi.Input[str]
    topic_arn: pulumi.Input[str]
    topic_key_arn: pulumi.Input[str] | None
    data_key_arn: pulumi.Input[str] | None
    images: Mapping[str, str]
    tags: Tags


class MetricsHost(pulumi.ComponentResource):
    """One instance without a public address or an open port: Grafana is reached through a port that SSM forwards.

    It finds the service's tasks by ECS' API, and tells the topic of notices by its role. Its metrics go with it.
    Attributes: `instance_id`, `security_group_id`. Raises InvalidStack where the service runs on a single host, whose
    metrics are read at that host only.
    """

    instance_id: pulumi.Output[str]
    security_group_id: pulumi.Output[str]

    def __init__(self, name: str, args: MetricsHostArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        if args.plan.compute.placement != "cluster":
            raise InvalidStack("workload.overrides.monitoring", "prometheus", "cloud, where the service is on one host")
        super().__init__("reme:aws:MetricsHost", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        tags = {**args.tags.named(COMPONENT), "Name": f"{args.tags.stack}-monitoring"}
        group = self._open_ways(name, args)
        role = make_role(
            f"{name}-role",
            trust=describe_trust("ec2"),
            statements=[*read_secrets([args.key_secret_arn]), *_find_tasks(args), *_publish(args)],
            managed=[SESSION_POLICY],
            component=COMPONENT,
            tags=args.tags,
            parent=self,
        )
        profile = make_profile(f"{name}-profile", role, component=COMPONENT, tags=args.tags, parent=self)
        image = aws.ssm.get_parameter_output(
            name=HOST_IMAGES[args.plan.compute.architecture], opts=pulumi.InvokeOutputOptions(parent=self)
        )
        instance = aws.ec2.Instance(
            f"{name}-instance",
            ami=pulumi.Output.unsecret(image.value),
            instance_type=MONITORING_CLASSES["aws", args.plan.compute.architecture],
            subnet_id=args.subnet_id,
            associate_public_ip_address=False,
            vpc_security_group_ids=[group.id],
            iam_instance_profile=profile.name,
            user_data_base64=_write_user_data(args),
            user_data_replace_on_change=True,
            ebs_optimized=True,
            credit_specification={"cpu_credits": "standard"},
            metadata_options={"http_endpoint": "enabled", "http_tokens": "required", "http_put_response_hop_limit": 1},
            root_block_device={
                "volume_type": "gp3",
                "volume_size": MONITORING_DISK_GB,
                "encrypted": True,
                "kms_key_id": args.data_key_arn,
                "delete_on_termination": True,
                "tags": tags,
            },
            tags=tags,
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["ami"]),
        )
        aws.vpc.SecurityGroupIngressRule(
            f"{name}-to-service",
            security_group_id=args.service_group_id,
            referenced_security_group_id=group.id,
            ip_protocol="tcp",
            from_port=args.plan.balancer.target_port,
            to_port=args.plan.balancer.target_port,
            description="Prometheus reads metrics",
            opts=child,
        )
        self.instance_id = instance.id
        self.security_group_id = group.id
        self.register_outputs({"instance_id": self.instance_id})

    def _open_ways(self, name: str, args: MetricsHostArgs) -> aws.ec2.SecurityGroup:
        group = make_group(
            f"{name}-group",
            vpc_id=args.vpc_id,
            purpose="Prometheus and Grafana",
            component=COMPONENT,
            tags=args.tags,
            parent=self,
        )
        for target, cidr, port, purpose in (
            ("service", args.network_cidr, args.plan.balancer.target_port, "Metrics of the service"),
            ("out", ANYWHERE, HTTPS_PORT, "Images, AWS, updates"),
        ):
            release_port(f"{name}-{target}", group, cidr=cidr, port=port, purpose=purpose, parent=self)
        return group


def _find_tasks(args: MetricsHostArgs) -> list[Statement]:
    """List and describe the tasks of one cluster."""
    tasks = pulumi.Output.from_input(args.cluster_arn).apply(lambda arn: f"{arn.replace(':cluster/', ':task/')}/*")
    of_cluster = {"ArnEquals": {"ecs:cluster": args.cluster_arn}}
    return [
        {"Sid": "DescribeTasks", "Effect": "Allow", "Action": ["ecs:DescribeTasks"], "Resource": [tasks]},
        # the resource of this action is a container instance, which the call does not name
        {"Sid": "ListTasks", "Effect": "Allow", "Action": ["ecs:ListTasks"], "Resource": "*", "Condition": of_cluster},
    ]


def _publish(args: MetricsHostArgs) -> list[Statement]:
    found: list[Statement] = [
        {"Sid": "Tell", "Effect": "Allow", "Action": ["sns:Publish"], "Resource": [args.topic_arn]}
    ]
    if args.topic_key_arn is not None:
        actions = ["kms:Decrypt", "kms:GenerateDataKey"]
        found.append({"Sid": "UseTopicKey", "Effect": "Allow", "Action": actions, "Resource": [args.topic_key_arn]})
    return found


def _write_user_data(args: MetricsHostArgs) -> pulumi.Output[str]:
    def write(found: dict[str, str]) -> str:
        start = MonitoringStart(
            region=args.region,
            cluster=found["cluster"],
            port=args.plan.balancer.target_port,
            key_secret=found["key"],
            topic_arn=found["topic"],
            tokens_per_hour=limit_tokens(args.plan.load),
            images=args.images,
        )
        return encode_user_data(write_monitoring_user_data(start))

    given = pulumi.Output.all(cluster=args.cluster_name, key=args.key_secret_arn, topic=args.topic_arn)
    return given.apply(write)
