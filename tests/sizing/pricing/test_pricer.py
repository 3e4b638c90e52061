"""What each kind of resource is billed for, and what is said where it cannot be priced."""

from decimal import Decimal
from typing import Any

import pytest

from sizing.graph.resources import UNKNOWN, Resource
from sizing.pricing.pricer import price_graph
from sizing.pricing.quotation import PricedResource
from tests.sizing.pricing.stacks import graph_of, make, price, quantities

HOURS = 730

BILLED: dict[str, tuple[Resource, dict[tuple[str, str], float]]] = {
    "an instance with the image's disk": (
        make("aws:ec2/instance", instanceType="t3.medium"),
        {("ec2", "t3.medium"): HOURS, ("ebs", "gp2"): 8},
    ),
    "an instance with disks, watched closely, with an address": (
        make(
            "aws:ec2/instance",
            instanceType="t3.medium",
            monitoring=True,
            associatePublicIpAddress=True,
            rootBlockDevice={"volumeSize": 30, "volumeType": "gp3", "iops": 4000},
            ebsBlockDevices=[{"volumeSize": 100, "volumeType": "gp3", "throughput": 225}],
        ),
        {
            ("ec2", "t3.medium"): HOURS,
            ("ebs", "gp3"): 130,
            ("ebs", "gp3-iops"): 1000,
            ("ebs", "gp3-throughput"): 100,
            ("cloudwatch", "metric"): 7,
            ("public-ipv4", "address"): HOURS,
        },
    ),
    "a volume whose size is text": (make("aws:ebs/volume", size="40", type="gp3"), {("ebs", "gp3"): 40}),
    "a database in two zones": (
        make("aws:rds/instance", engine="postgres", instanceClass="db.t4g.medium", allocatedStorage=50, multiAz=True),
        {("rds-postgres", "db.t4g.medium:multi-az"): HOURS, ("rds", "storage:multi-az"): 50},
    ),
    "a cache of shards": (
        make("aws:elasticache/replicationGroup", nodeType="cache.t4g.small", numNodeGroups=2, replicasPerNodeGroup=1),
        {("elasticache", "redis:cache.t4g.small"): 4 * HOURS},
    ),
    "a cache of two nodes": (
        make("aws:elasticache/replicationGroup", nodeType="cache.t4g.small", engine="valkey", numCacheClusters=2),
        {("elasticache", "valkey:cache.t4g.small"): 2 * HOURS},
    ),
    "an application balancer by an earlier token": (
        make("aws:alb/loadBalancer", subnets=["a", UNKNOWN, "c"]),
        {("alb", "balancer"): HOURS, ("public-ipv4", "address"): 3 * HOURS},
    ),
    "an inner balancer": (
        make("aws:lb/loadBalancer", subnets=["a", "b"], internal=True),
        {("alb", "balancer"): HOURS},
    ),
    "a network balancer with own addresses": (
        make(
            "aws:lb/loadBalancer",
            loadBalancerType="network",
            subnetMappings=[{"subnetId": "a", "allocationId": UNKNOWN}, {"subnetId": "b"}],
        ),
        {("nlb", "balancer"): HOURS, ("public-ipv4", "address"): HOURS},
    ),
    "an address": (make("aws:ec2/eip"), {("public-ipv4", "address"): HOURS}),
    "a gateway": (make("aws:ec2/natGateway", subnetId=UNKNOWN), {("nat", "gateway"): HOURS}),
    "an endpoint in two zones": (
        make("aws:ec2/vpcEndpoint", vpcEndpointType="Interface", subnetIds=["a", "b"]),
        {("vpc-endpoint", "interface"): 2 * HOURS},
    ),
    "a key": (make("aws:kms/key"), {("kms", "key"): 1}),
    "a secret with a copy": (
        make("aws:secretsmanager/secret", replicas=[{"region": "eu-west-1"}]),
        {("secretsmanager", "secret"): 2},
    ),
    "an alarm": (make("aws:cloudwatch/metricAlarm", period=300), {("cloudwatch", "alarm"): 1}),
    "an alarm on two metrics": (
        make("aws:cloudwatch/metricAlarm", metricQueries=[{"metric": {}}, {"metric": {}}, {"expression": "a/b"}]),
        {("cloudwatch", "alarm"): 2},
    ),
    "a firewall": (make("aws:wafv2/webAcl", rules=[{}, {}]), {("wafv2", "web-acl"): 1, ("wafv2", "rule"): 2}),
    "a zone": (make("aws:route53/zone"), {("route53", "hosted-zone"): 1}),
    "a fast check": (
        make("aws:route53/healthCheck", type="HTTPS", requestInterval=10),
        {("route53", "health-check"): 1, ("route53", "health-check-option"): 2},
    ),
    "a search domain": (
        make(
            "aws:opensearch/domain",
            clusterConfig={"instanceType": "t3.small.search", "instanceCount": 2},
            ebsOptions={"ebsEnabled": True, "volumeSize": 20, "volumeType": "gp3"},
        ),
        {("opensearch", "t3.small.search"): 2 * HOURS, ("opensearch", "gp3"): 40},
    ),
    "a cluster of Kubernetes": (make("aws:eks/cluster"), {("eks", "cluster"): HOURS}),
    "a machine of Alibaba": (
        make(
            "alicloud:ecs/instance",
            region="cn-beijing",
            instanceType="ecs.c7.large",
            systemDiskCategory="cloud_essd",
            dataDisks=[{"size": 100, "category": "cloud_essd", "performanceLevel": "PL0"}],
        ),
        {("ecs", "ecs.c7.large"): HOURS, ("essd", "PL1"): 40, ("essd", "PL0"): 100},
    ),
    "an instance of keys": (
        make("alicloud:kms/instance", region="ap-southeast-1"),
        {("kms", "software-instance"): HOURS / 24},
    ),
    "a serverless database": (
        make(
            "alicloud:rds/instance",
            region="cn-beijing",
            engine="PostgreSQL",
            category="serverless_standard",
            instanceStorage=50,
            serverlessConfigs=[{"minCapacity": 1, "maxCapacity": 3}],
        ),
        {("rds-postgres-serverless", "rcu"): 4 * HOURS, ("rds-postgres-serverless", "storage"): 100 * HOURS},
    ),
}


@pytest.mark.parametrize("name", BILLED)
def test_each_kind_is_billed_in_the_units_of_the_catalogue(name: str) -> None:
    resource, expected = BILLED[name]
    found = quantities(price(resource))
    assert {sku: float(round(quantity, 6)) for sku, quantity in found.items()} == pytest.approx(expected, abs=1e-5)


REASONS: dict[str, tuple[Resource, str, str]] = {
    "free": (make("aws:ec2/vpc"), "free", "network is free"),
    "a gateway endpoint": (make("aws:ec2/vpcEndpoint"), "free", "gateway endpoints are free"),
    "a bucket": (make("aws:s3/bucketV2"), "by-use", "GB and requests"),
    "a function": (make("aws:lambda/function"), "by-use", "GB-seconds"),
    "a table on demand": (make("aws:dynamodb/table", billingMode="PAY_PER_REQUEST"), "by-use", "on demand"),
    "a table with kept capacity": (make("aws:dynamodb/table"), "no-price", "kept capacity"),
    "an unknown class": (make("aws:ec2/instance", instanceType=UNKNOWN), "unknown", "instanceType is unknown"),
    "no class": (
        make("aws:rds/instance", engine="postgres", allocatedStorage=9),
        "unknown",
        "instanceClass is not given",
    ),
    "no region": (make("aws:kms/key", region=""), "unknown", "the region is unknown"),
    "a region without prices": (make("aws:kms/key", region="mars-1"), "no-price", "kms key in mars-1"),
    "a class without a price": (
        make("aws:ec2/instance", instanceType="x9.mega"),
        "no-price",
        "ec2 x9.mega in us-east-1",
    ),
    "provisioned disks": (make("aws:ebs/volume", size=9, type="io2"), "no-price", "io2"),
    "dedicated hardware": (
        make("aws:ec2/instance", instanceType="t3.medium", tenancy="dedicated"),
        "no-price",
        "tenancy",
    ),
    "another engine": (
        make("aws:rds/instance", engine="oracle-ee", instanceClass="db.t3.large", allocatedStorage=9),
        "no-price",
        "rds-oracle-ee",
    ),
    "a subscription": (make("alicloud:vpc/natGateway", paymentType="Subscription"), "no-price", "subscriptions"),
    "a disk of Alibaba": (
        make("alicloud:ecs/disk", region="cn-beijing", category="cloud_essd", size=40),
        "no-price",
        "essd PL1 in cn-beijing",
    ),
    "kept bandwidth": (make("alicloud:ecs/eipAddress", region="cn-beijing"), "no-price", "kept bandwidth"),
    "a warehouse": (make("aws:redshift/cluster", nodeType="ra3.xlplus"), "no-price", "nodes of Redshift"),
    "a stream": (make("aws:kinesis/stream", shardCount=1), "no-price", "streams of Kinesis"),
    "a GraphQL interface": (make("aws:appsync/graphQLApi"), "by-use", "queries"),
    "a job of Glue": (make("aws:glue/job"), "by-use", "DPU-hours"),
    "another cloud": (make("gcp:compute/instance"), "unsupported", "not known"),
}


@pytest.mark.parametrize("name", REASONS)
def test_what_cannot_be_priced_says_why(name: str) -> None:
    resource, status, words = REASONS[name]
    found = price(resource)
    assert found.status == status
    assert words in found.reason


def test_a_price_of_one_region_is_never_anothers() -> None:
    here, there = (
        price(make("aws:ebs/volume", size=100, type="gp3", region=name)) for name in ("us-east-1", "eu-west-1")
    )
    assert here.total.expected == Decimal("8.00") and there.total.expected == Decimal("8.80")
    assert price(make("aws:ebs/volume", size=100, type="gp3", region="sa-east-1")).status == "no-price"


def test_the_mainland_is_one_group_of_prices_and_hong_kong_is_not_of_it() -> None:
    def serve(region: str) -> str:
        inputs: dict[str, Any] = {"engine": "PostgreSQL", "category": "serverless_basic", "instanceStorage": 20}
        configs = [{"minCapacity": 1, "maxCapacity": 1}]
        return price(make("alicloud:rds/instance", region=region, serverlessConfigs=configs, **inputs)).status

    assert [serve(region) for region in ("cn-beijing", "cn-shanghai", "mars-1")] == ["priced", "priced", "no-price"]


def group(**inputs: Any) -> tuple[Resource, Resource]:
    template = make(
        "aws:ec2/launchTemplate",
        "template",
        instanceType="t3.medium",
        blockDeviceMappings=[{"deviceName": "/dev/xvda", "ebs": {"volumeSize": 30, "volumeType": "gp3"}}],
    )
    return make("aws:autoscaling/group", "group", launchTemplate={"id": "id-of-template"}, **inputs), template


def test_a_group_is_billed_for_its_least_desired_and_largest_size() -> None:
    found = price(*group(minSize=1, desiredCapacity=2, maxSize=4))
    assert [quantities(found, corner)["ec2", "t3.medium"] for corner in range(3)] == [730, 1460, 2920]
    assert [quantities(found, corner)["ebs", "gp3"] for corner in range(3)] == [30, 60, 120]
    assert found.total.low < found.total.expected < found.total.high


def test_a_group_begins_at_its_least_size_where_none_is_desired() -> None:
    found = price(*group(minSize=1, maxSize=4))
    assert quantities(found, 1)["ec2", "t3.medium"] == 730
    assert price(*group(minSize=1, maxSize=4, desiredCapacity=UNKNOWN)).status == "unknown"


def test_a_group_without_its_template_is_unknown() -> None:
    found = price(group(minSize=1, maxSize=4)[0])
    assert found.status == "unknown" and "launch template" in found.reason


def test_tasks_on_fargate_are_billed_between_the_limits_of_their_scaling() -> None:
    service = make("aws:ecs/service", "api", launchType="FARGATE", desiredCount=2, taskDefinition="id-of-task")
    task = make("aws:ecs/taskDefinition", "task", cpu="512", memory="1024")
    target = make("aws:appautoscaling/target", "t", resourceId="service/main/api", minCapacity=1, maxCapacity=3)
    found = price(service, task, target)
    assert [quantities(found, corner)["fargate", "vcpu"] for corner in range(3)] == [365, 730, 1095]
    assert price(make("aws:ecs/service", desiredCount=2)).status == "free"


def test_an_address_of_an_instance_is_billed_once() -> None:
    instance = make("aws:ec2/instance", "host", instanceType="t3.medium", associatePublicIpAddress=True)
    address = Resource(
        urn="urn:pulumi:dev::demo::aws:ec2/eip:Eip::a",
        type="aws:ec2/eip:Eip",
        name="a",
        region="us-east-1",
        inputs={"instance": "id-of-host"},
        property_dependencies={"instance": (instance.urn,)},
    )
    cost = price_graph(graph_of(instance, address))
    assert sum(quantities(each).get(("public-ipv4", "address"), Decimal(0)) for each in cost.resources) == HOURS


@pytest.mark.parametrize(("asked", "maps", "hours"), [(None, True, HOURS), (None, False, 0), (False, True, 0)])
def test_an_instance_has_an_address_by_its_subnets_word(asked: bool | None, maps: bool, hours: int) -> None:
    subnet = make("aws:ec2/subnet", "public", mapPublicIpOnLaunch=maps)
    own: dict[str, Any] = {} if asked is None else {"associatePublicIpAddress": asked}
    found = price(make("aws:ec2/instance", instanceType="t3.medium", subnetId="id-of-public", **own), subnet)
    assert quantities(found).get(("public-ipv4", "address"), 0) == hours


def test_nodes_of_public_subnets_have_an_address_each_and_of_mixed_ones_nobody_knows() -> None:
    def price_nodes(*maps: bool) -> PricedResource:
        subnets = [make("aws:ec2/subnet", f"s{index}", mapPublicIpOnLaunch=each) for index, each in enumerate(maps)]
        ids = [each.id for each in subnets]
        scaling = {"minSize": 1, "desiredSize": 2, "maxSize": 3}
        return price(make("aws:eks/nodeGroup", subnetIds=ids, scalingConfig=scaling), *subnets)

    address = ("public-ipv4", "address")
    assert [quantities(price_nodes(True, True), corner)[address] for corner in range(3)] == [730, 1460, 2190]
    assert address not in quantities(price_nodes(False, False))
    assert price_nodes(True, False).status == "unknown"


def test_a_public_database_has_an_address() -> None:
    database = make(
        "aws:rds/instance",
        engine="postgres",
        instanceClass="db.t4g.medium",
        allocatedStorage=50,
        publiclyAccessible=True,
    )
    assert quantities(price(database))["public-ipv4", "address"] == HOURS


def test_tasks_with_public_addresses_are_billed_for_them() -> None:
    network = {"assignPublicIp": True, "subnets": ["a"]}
    task = make("aws:ecs/taskDefinition", "task", cpu="256", memory="512")
    found = price(
        make(
            "aws:ecs/service",
            launchType="FARGATE",
            desiredCount=3,
            taskDefinition="id-of-task",
            networkConfiguration=network,
        ),
        task,
    )
    assert quantities(found)["public-ipv4", "address"] == 3 * HOURS


def test_dashboards_above_the_free_ones_have_no_price() -> None:
    cost = price_graph(graph_of(*(make("aws:cloudwatch/dashboard", f"d{number}") for number in range(4))))
    assert [each.status for each in cost.resources] == ["free"] * 3 + ["no-price"]


def test_what_is_billed_by_use_is_named() -> None:
    assert price(make("aws:lb/loadBalancer", subnets=["a"])).unmetered == ("lcu_hours", "egress_gb")
