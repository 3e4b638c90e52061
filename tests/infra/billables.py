"""What a cloud would bill for the resources that a stack registers, in the units of the catalogue's SKUs.

The other side of `sizing.billing.aws_plan` and `alicloud_plan`: those charge a plan, this one counts resources. Each registered type
is counted here or known to be free, so that nothing is billed unseen.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from sizing.billing.aws_monitoring import INSIGHTS_METRICS
from sizing.measures import HOURS_PER_MONTH
from tests.infra.alicloud import billables as alicloud
from tests.infra.recorder import Recorded, Recording

Sku = tuple[str, str]
Count = Counter[Sku]

FREE_PREFIXES = (
    "aws:appautoscaling/",
    "aws:backup/",
    "aws:budgets/",
    "aws:ec2/defaultSecurityGroup",
    "aws:ec2/flowLog",
    "aws:ec2/internetGateway",
    "aws:ec2/route",
    "aws:ec2/securityGroup",
    "aws:ec2/subnet",
    "aws:ec2/volumeAttachment",
    "aws:ec2/vpc:",
    "aws:iam/",
    "aws:vpc/securityGroup",
    "pulumi:",
    "random:",
    "reme:",
)
"""Free of charge, or billed by what they do with others: a backup's points, a flow log's lines."""
FREE = {
    "aws:acm/certificate:Certificate": "public certificates are free (ACM price page)",
    "aws:acm/certificateValidation:CertificateValidation": "as the certificate",
    "aws:autoscaling/group:Group": "its instances are counted with its template",
    "aws:amp/alertManagerDefinition:AlertManagerDefinition": "part of the workspace",
    "aws:amp/ruleGroupNamespace:RuleGroupNamespace": "its evaluations are samples queried, which are billed by use",
    "aws:amp/workspace:Workspace": "billed by use",
    "aws:cloudfront/distribution:Distribution": "billed by use",
    "aws:cloudfront/responseHeadersPolicy:ResponseHeadersPolicy": "free",
    "aws:cloudwatch/dashboard:Dashboard": "three of an account are free (CloudWatch price page)",
    "aws:cloudwatch/logDelivery:LogDelivery": "billed by use",
    "aws:cloudwatch/logDeliveryDestination:LogDeliveryDestination": "billed by use",
    "aws:cloudwatch/logDeliverySource:LogDeliverySource": "billed by use",
    "aws:cloudwatch/logGroup:LogGroup": "billed by use",
    "aws:cloudwatch/logMetricFilter:LogMetricFilter": "its metric is counted by the plan's table",
    "aws:cloudwatch/eventRule:EventRule": "events of AWS's own services are free (EventBridge price page, read 2026-11)",
    "aws:cloudwatch/eventTarget:EventTarget": "free",
    "aws:cloudwatch/logResourcePolicy:LogResourcePolicy": "free",
    "aws:ec2/vpcEndpoint:VpcEndpoint": "a gateway endpoint is free; an interface one would not be",
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": "free",
    "aws:ecr/repository:Repository": "billed by use",
    "aws:ecs/capacityProvider:CapacityProvider": "free",
    "aws:ecs/clusterCapacityProviders:ClusterCapacityProviders": "free",
    "aws:ecs/service:Service": "as the cluster",
    "aws:ecs/taskDefinition:TaskDefinition": "as the cluster",
    "aws:elasticache/parameterGroup:ParameterGroup": "free",
    "aws:elasticache/subnetGroup:SubnetGroup": "free",
    "aws:kms/alias:Alias": "free",
    "aws:lb/listener:Listener": "part of the balancer",
    "aws:lb/listenerRule:ListenerRule": "part of the balancer",
    "aws:lb/targetGroup:TargetGroup": "part of the balancer",
    "aws:rds/parameterGroup:ParameterGroup": "free",
    "aws:rds/subnetGroup:SubnetGroup": "free",
    "aws:route53/record:Record": "free",
    "aws:secretsmanager/secretVersion:SecretVersion": "part of the secret",
    "aws:sns/topic:Topic": "billed by use",
    "aws:scheduler/schedule:Schedule": "fourteen million calls a month are free (EventBridge price page, read 2026-11)",
    "aws:sns/topicPolicy:TopicPolicy": "free",
    "aws:sns/topicSubscription:TopicSubscription": "billed by use",
    "aws:ssm/association:Association": "State Manager is free (Systems Manager price page)",
    "aws:ssm/document:Document": "as the association",
    "aws:wafv2/webAclAssociation:WebAclAssociation": "free",
    "aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration": "billed by use",
}
"""Types that cost nothing by being there, with the reason."""


def count_billables(recording: Recording) -> Mapping[Sku, Decimal]:
    """Quantities a month by service and SKU. Raises AssertionError for a type that is neither counted nor free."""
    total: Count = Counter()
    for resource in recording:
        count = _COUNTS.get(resource.type) or alicloud.COUNTS.get(resource.type)
        if count is not None:
            total.update(count(resource, recording))
        elif resource.type.startswith("aws:s3/"):
            continue  # billed by use
        elif resource.type in alicloud.FREE or resource.type.startswith(alicloud.FREE_PREFIXES):
            continue
        elif resource.type not in FREE and not resource.type.startswith(FREE_PREFIXES):
            raise AssertionError(f"{resource.type} {resource.name} is neither counted nor known to be free")
    return {sku: Decimal(str(round(quantity, 6))) for sku, quantity in total.items() if quantity}


def _instance(resource: Recorded, _: Recording) -> dict[Sku, float]:
    props = resource.props
    disks = [props.get("rootBlockDevice") or {}]
    return {
        ("ec2", str(props["instanceType"])): HOURS_PER_MONTH,
        ("ebs", "gp3"): sum(float(disk.get("volumeSize") or 0) for disk in disks),
    }


def _template(resource: Recorded, recording: Recording) -> dict[Sku, float]:
    """The instances that a group always has; more come when they are needed, which no bill can tell before."""
    groups = [
        group
        for group in recording.of("aws:autoscaling/group:Group")
        if resource.name in str(group.props.get("launchTemplate")) or resource.name in str(group.props)
    ]
    nodes = sum(float(group.props["minSize"]) for group in groups)
    size = sum(float(each["ebs"]["volumeSize"]) for each in resource.props.get("blockDeviceMappings") or ())
    return {
        ("ec2", str(resource.props["instanceType"])): nodes * HOURS_PER_MONTH,
        ("ebs", "gp3"): nodes * size,
    }


def _volume(resource: Recorded, _: Recording) -> dict[Sku, float]:
    return {("ebs", "gp3"): float(resource.props["size"])}


def _database(resource: Recorded, _: Recording) -> dict[Sku, float]:
    props = resource.props
    zone = "multi-az" if props.get("multiAz") else "single-az"
    return {
        ("rds-postgres", f"{props['instanceClass']}:{zone}"): HOURS_PER_MONTH,
        ("rds", f"storage:{zone}"): float(props["allocatedStorage"]),
    }


def _cache(resource: Recorded, _: Recording) -> dict[Sku, float]:
    props = resource.props
    return {
        ("elasticache", f"{props['engine']}:{props['nodeType']}"): float(props["numCacheClusters"]) * HOURS_PER_MONTH
    }


def _balancer(resource: Recorded, _: Recording) -> dict[Sku, float]:
    kind = "alb" if resource.props.get("loadBalancerType", "application") == "application" else "nlb"
    zones = len(resource.props.get("subnets") or ()) if kind == "alb" else 0
    return {(kind, "balancer"): HOURS_PER_MONTH, ("public-ipv4", "address"): zones * HOURS_PER_MONTH}


def _firewall(resource: Recorded, _: Recording) -> dict[Sku, float]:
    return {("wafv2", "web-acl"): 1, ("wafv2", "rule"): len(resource.props["rules"])}


def _domain(resource: Recorded, _: Recording) -> dict[Sku, float]:
    cluster, disk = resource.props["clusterConfig"], resource.props["ebsOptions"]
    nodes = float(cluster["instanceCount"])
    return {
        ("opensearch", str(cluster["instanceType"])): nodes * HOURS_PER_MONTH,
        ("opensearch", "gp3"): nodes * float(disk["volumeSize"]),
    }


def _one(service: str, sku: str, quantity: float = 1) -> Callable[[Recorded, Recording], dict[Sku, float]]:
    return lambda *_: {(service, sku): quantity}


def _cluster(resource: Recorded, _: Recording) -> dict[Sku, float]:
    """On instances ECS is free (its price page); its insights are metrics of ours. The second service of a rollout adds
    to them while it is there, which no bill can tell before."""
    enabled = {"name": "containerInsights", "value": "enabled"} in resource.props["settings"]
    return {("cloudwatch", "metric"): INSIGHTS_METRICS if enabled else 0}


def _health_check(resource: Recorded, _: Recording) -> dict[Sku, float]:
    """The check, and what is optional: HTTPS, and an interval of 10 s (Route 53 price page)."""
    props = resource.props
    options = (props["type"] == "HTTPS") + (props["requestInterval"] == 10)
    return {("route53", "health-check"): 1, ("route53", "health-check-option"): options}


_COUNTS: Mapping[str, Callable[[Recorded, Recording], Mapping[Any, float]]] = {
    "aws:cloudwatch/metricAlarm:MetricAlarm": _one("cloudwatch", "alarm"),
    "aws:ebs/volume:Volume": _volume,
    "aws:ec2/eip:Eip": _one("public-ipv4", "address", HOURS_PER_MONTH),
    "aws:ec2/instance:Instance": _instance,
    "aws:ec2/launchTemplate:LaunchTemplate": _template,
    "aws:ec2/natGateway:NatGateway": _one("nat", "gateway", HOURS_PER_MONTH),
    "aws:ecs/cluster:Cluster": _cluster,
    "aws:elasticache/replicationGroup:ReplicationGroup": _cache,
    "aws:grafana/workspace:Workspace": _one("grafana", "editor"),
    "aws:kms/key:Key": _one("kms", "key"),
    "aws:lb/loadBalancer:LoadBalancer": _balancer,
    "aws:opensearch/domain:Domain": _domain,
    "aws:rds/instance:Instance": _database,
    "aws:route53/healthCheck:HealthCheck": _health_check,
    "aws:route53/zone:Zone": _one("route53", "hosted-zone"),
    "aws:secretsmanager/secret:Secret": _one("secretsmanager", "secret"),
    "aws:wafv2/webAcl:WebAcl": _firewall,
}
