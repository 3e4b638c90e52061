"""Vector stores: Qdrant's nodes with disks of their own, a search domain in zones that it takes, or neither."""

import base64
import json
from dataclasses import fields, replace
from typing import Any

import pulumi
import pytest

from infra.aws.qdrant_nodes import RESERVED, QdrantNodesArgs
from infra.aws.search_domain import SearchDomainArgs, choose_zones
from infra.aws.vector_store import make_vector_store
from infra.errors import MissingSetting, NotEnoughZones
from infra.facts import SNAPSHOTS_PREFIX
from infra.service.qdrant_start import QdrantNode
from infra.tagging import Tags
from infra.vector_endpoint import VectorEndpoint
from infra.vector_nodes import NodeStart, NodeSubnet, place_nodes
from sizing.plan import VectorStoreSpec
from tests.infra.recorder import ACCOUNT, Recording, record
from tests.infra.service.plans import COMPANY, PERSONAL, plan_region

PLAN = plan_region(**COMPANY)
SPEC = PLAN.vector_store
SEARCH = replace(SPEC, engine="elasticsearch", nodes=3, instance_class="m7g.large.search")
KEY = "arn:aws:kms:us-east-1:123456789012:key/5a6b7c8d-1111-2222-3333-444455556666"
TAGS = Tags(environment="prod", stack="aws-prod", more={})
CIDRS = ("10.20.64.0/20", "10.20.80.0/20")
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:qdrant"  # noqa: S105 - an address


def write_user_data(start: NodeStart) -> pulumi.Output[str]:
    told = pulumi.Output.concat(start.place.name, " ", start.place.address, " ", start.volume_id, " ", start.first_name)
    return told.apply(lambda each: base64.b64encode(each.encode()).decode())


def list_qdrant_args(spec: VectorStoreSpec) -> QdrantNodesArgs:
    return QdrantNodesArgs(
        spec=spec,
        vpc_id="vpc-1",
        subnets=[
            NodeSubnet(id=f"subnet-{number}", cidr=cidr, zone_name=f"us-east-1{'ab'[number]}")
            for number, cidr in enumerate(CIDRS)
        ],
        client_security_group_ids=["sg-service"],
        write_user_data=write_user_data,
        secret_arns=[SECRET],
        snapshot_bucket_arn="arn:aws:s3:::dumps",
        root_disk_gb=PLAN.compute.root_disk_gb,
        kms_key_arn=KEY,
        tags=TAGS,
        protect=True,
        keeps_copies=True,
    )


def list_search_args(spec: VectorStoreSpec, subnets: int = 3) -> SearchDomainArgs:
    return SearchDomainArgs(
        spec=spec,
        region="us-east-1",
        vpc_id="vpc-1",
        subnet_ids=[f"subnet-{number}" for number in range(subnets)],
        client_security_group_ids=["sg-service"],
        password="a generated password",  # noqa: S106 - of the test
        kms_key_arn=KEY,
        log_key_arn="arn:log",
        log_days=90,
        tags=TAGS,
        protect=True,
    )


def build(spec: VectorStoreSpec, **kwargs: Any) -> Recording:
    def program() -> None:
        made = make_vector_store("vectors", spec, **kwargs)
        pulumi.export("url", pulumi.Output.from_input(made.url))
        pulumi.export("volumes", pulumi.Output.all(*made.volume_arns))

    return record(program)


def build_qdrant(nodes: int = SPEC.nodes) -> Recording:
    spec = replace(SPEC, nodes=nodes)
    return build(spec, qdrant=list_qdrant_args(spec))


@pytest.mark.parametrize("nodes", [1, 2, 3])
def test_nodes_stand_in_different_zones_at_addresses_known_before(nodes: int) -> None:
    found = build_qdrant(nodes)
    instances = found.of("aws:ec2/instance:Instance")
    addresses = {each.name: (each.props["subnetId"], each.props["privateIp"]) for each in instances}
    all_places = {
        "vectors-1": ("subnet-0", "10.20.79.253"),
        "vectors-2": ("subnet-1", "10.20.95.252"),
        "vectors-3": ("subnet-0", "10.20.79.251"),
    }
    assert addresses == dict(list(all_places.items())[:nodes])
    for instance, place in zip(instances, place_nodes(nodes, CIDRS, reserved=RESERVED), strict=True):
        told = base64.b64decode(instance.props["userDataBase64"]).decode()
        assert told == f"{place.name} {place.address} vol-{instance.name}-data qdrant-1.reme.internal"


def test_names_in_the_private_zone_lead_to_the_nodes() -> None:
    found = build_qdrant()
    zone = found.one("aws:route53/zone:Zone").props
    assert (zone["name"], zone["vpcs"]) == ("reme.internal", [{"vpcId": "vpc-1"}])
    records = {each.props["name"]: each.props["records"] for each in found.of("aws:route53/record:Record")}
    assert records == {
        "qdrant-1.reme.internal": ["10.20.79.253"],
        "qdrant-2.reme.internal": ["10.20.95.252"],
        "qdrant.reme.internal": ["10.20.79.253", "10.20.95.252"],
    }
    assert found.outputs["url"] == "https://qdrant.reme.internal:6333"


def test_each_node_has_a_protected_disk_of_the_plans_size_in_its_own_zone() -> None:
    found = build_qdrant()
    volumes = found.of("aws:ebs/volume:Volume")
    assert [each.props["availabilityZone"] for each in volumes] == ["us-east-1a", "us-east-1b"]
    for volume in volumes:
        assert volume.protect
        assert volume.props["finalSnapshot"] is True
        assert (volume.props["size"], volume.props["encrypted"]) == (SPEC.disk_gb, True)
        assert volume.props["kmsKeyId"] == KEY
    attached = {
        each.props["volumeId"]: each.props["instanceId"]
        for each in found.of("aws:ec2/volumeAttachment:VolumeAttachment")
    }
    assert attached == {f"vol-vectors-{number}-data": f"i-vectors-{number}" for number in (1, 2)}
    assert len(found.outputs["volumes"]) == 2


def test_instances_are_the_plans_and_closed() -> None:
    for instance in build_qdrant().of("aws:ec2/instance:Instance"):
        props = instance.props
        assert props["instanceType"] == SPEC.instance_class
        assert props["rootBlockDevice"]["encrypted"] is True
        assert props["rootBlockDevice"]["volumeSize"] == PLAN.compute.root_disk_gb
        assert props["metadataOptions"]["httpTokens"] == "required"
        assert props["associatePublicIpAddress"] is False
        assert not instance.protect, "what must stay is on the disk, so that a node can be replaced"
        assert instance.ignored == ("ami",)


def test_the_service_reaches_its_ports_and_nodes_reach_each_other() -> None:
    found = build_qdrant()
    rules = {(each.props["referencedSecurityGroupId"], each.props["fromPort"]) for each in found.of(INGRESS)}
    assert rules == {("sg-service", 6333), ("sg-service", 6334), ("vectors-group-id", 6335)}
    outward = found.of("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule")
    assert {each.props["fromPort"] for each in outward} == {443, 6335}


def list_rights(found: Recording, role: str) -> dict[str, list[str]]:
    policy = found.one("aws:iam/rolePolicy:RolePolicy", f"vectors-{role}-role-policy").props["policy"]
    return {action: each["Resource"] for each in json.loads(policy)["Statement"] for action in each["Action"]}


def test_nodes_read_their_secrets_and_the_first_one_founds_the_cluster() -> None:
    found = build_qdrant()
    secrets = found.of("aws:secretsmanager/secret:Secret")
    authority = [f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:{each.name}" for each in secrets]
    assert [each.rpartition("-")[2] for each in authority] == ["certificate", "key"]
    for role in ("first", "other"):
        rights = list_rights(found, role)
        assert rights["secretsmanager:GetSecretValue"] == [SECRET, *authority]
        assert rights["s3:PutObject"] == ["arn:aws:s3:::dumps/snapshots/qdrant/*"]
        assert not any(action in rights for action in ("s3:GetObject", "s3:DeleteObject"))
        assert "cloudwatch:PutMetricData" in rights, "their disks and memory are watched"
    assert list_rights(found, "first")["secretsmanager:PutSecretValue"] == authority
    assert "secretsmanager:PutSecretValue" not in list_rights(found, "other")
    carried = [each.props["iamInstanceProfile"] for each in found.of("aws:ec2/instance:Instance")]
    assert [each.startswith(f"vectors-{role}-profile") for each, role in zip(carried, ("first", "other"), strict=True)]


def test_the_authority_is_made_by_the_nodes_and_stands_in_no_state() -> None:
    found = build_qdrant()
    assert found.of("aws:secretsmanager/secretVersion:SecretVersion") == []
    assert all(each.protect and each.props["kmsKeyId"] == KEY for each in found.of("aws:secretsmanager/secret:Secret"))


def test_nodes_put_snapshots_where_their_role_lets_them() -> None:
    defaults = {each.name: each.default for each in fields(QdrantNode)}
    assert defaults["bucket_prefix"] == SNAPSHOTS_PREFIX


def test_a_search_domain_is_in_three_zones_under_our_key_with_a_secret_password() -> None:
    found = build(SEARCH, search=list_search_args(SEARCH))
    domain = found.one("aws:opensearch/domain:Domain")
    cluster = domain.props["clusterConfig"]
    assert (cluster["instanceCount"], cluster["instanceType"]) == (3, "m7g.large.search")
    assert cluster["zoneAwarenessConfig"] == {"availabilityZoneCount": 3}
    assert len(domain.props["vpcOptions"]["subnetIds"]) == 3, "as many as zones, or OpenSearch refuses"
    assert domain.props["encryptAtRest"] == {"enabled": True, "kmsKeyId": KEY}
    assert domain.props["nodeToNodeEncryption"] == {"enabled": True}
    assert domain.props["domainEndpointOptions"]["enforceHttps"] is True
    assert domain.props["domainEndpointOptions"]["tlsSecurityPolicy"] == "Policy-Min-TLS-1-2-PFS-2023-10"
    assert domain.protect
    assert len(domain.props["domainName"]) <= 28
    assert found.outputs["url"].startswith("https://")


def test_the_domains_password_is_a_secret_wherever_it_stands() -> None:
    assert (
        "advancedSecurityOptions"
        in build(SEARCH, search=list_search_args(SEARCH)).one("aws:opensearch/domain:Domain").secret
    )


def test_the_domain_logs_what_it_does_and_not_what_is_asked() -> None:
    domain = build(SEARCH, search=list_search_args(SEARCH)).one("aws:opensearch/domain:Domain").props
    assert {each["logType"] for each in domain["logPublishingOptions"]} == {"AUDIT_LOGS", "ES_APPLICATION_LOGS"}


def test_a_domain_spreads_over_as_many_zones_as_its_nodes_allow() -> None:
    assert [choose_zones(nodes, 3, "us-east-1") for nodes in (1, 2, 3, 4)] == [1, 2, 3, 3]
    assert choose_zones(4, 2, "us-east-1") == 2
    with pytest.raises(NotEnoughZones, match="us-east-1 has 2 zones and the plan needs 3"):
        choose_zones(3, 2, "us-east-1")


def test_nothing_is_made_where_vectors_are_elsewhere() -> None:
    embedded = plan_region(**PERSONAL).vector_store
    assert make_vector_store("vectors", embedded) == VectorEndpoint(engine=embedded.engine)
    managed = replace(SPEC, placement="managed")
    assert make_vector_store("vectors", managed, managed_url="https://x.example:6333").url == "https://x.example:6333"
    with pytest.raises(MissingSetting, match="service.vector_url"):
        make_vector_store("vectors", managed)
