"""Products find their component; what none names is shown as other."""

from pathlib import Path

import pytest

from sizing.catalogue import catalogue
from sizing.cost.report import COMPONENTS
from sizing.errors import BillError
from sizing.tables import read_table
from sizing.watch.services import OTHER, find_class, find_service, read_rules, rules

AWS = {
    ("AmazonEC2", "USE1-BoxUsage:c6i.xlarge"): ("compute", "ec2"),
    ("AmazonEC2", "BoxUsage:t3.medium"): ("compute", "ec2"),
    ("AmazonEC2", "EUC1-EBS:VolumeUsage.gp3"): ("compute", "ebs"),
    ("AmazonEC2", "EBS:SnapshotUsage"): ("backup", "ebs"),
    ("AmazonEC2", "APS1-NatGateway-Hours"): ("network", "nat"),
    ("AmazonEC2", "USE1-DataTransfer-Out-Bytes"): ("network", "egress"),
    ("AmazonS3", "USE1-EUC1-AWS-Out-Bytes"): ("network", "egress"),
    ("AmazonVPC", "USE1-PublicIPv4:InUseAddress"): ("network", "public-ipv4"),
    ("AWSELB", "USE1-LCUUsage"): ("balancer", "alb"),
    ("awswaf", "USE1-WebACLV2"): ("balancer", "wafv2"),
    ("AmazonRDS", "USE1-Multi-AZUsage:db.t4g.medium"): ("database", "rds-postgres"),
    ("AmazonRDS", "USE1-RDS:Multi-AZ-GP3-Storage"): ("database", "rds"),
    ("AmazonRDS", "USE1-RDS:ChargedBackupUsage"): ("backup", "rds"),
    ("AmazonElastiCache", "USE1-NodeUsage:cache.t4g.small"): ("cache", "elasticache"),
    ("AmazonS3", "USE1-TimedStorage-ByteHrs"): ("object_store", "s3"),
    ("AmazonS3", "USE1-TimedStorage-GlacierByteHrs"): ("backup", "s3"),
    ("AmazonCloudWatch", "USE1-DataProcessing-Bytes"): ("logs", "cloudwatch"),
    ("AmazonCloudWatch", "USE1-CW:AlarmMonitorUsage"): ("monitoring", "cloudwatch"),
    ("awskms", "us-east-1-KMS-Keys"): ("security", "kms"),
    ("AmazonES", "USE1-ESInstance:r6g.large"): ("vector_store", "opensearch"),
    ("AmazonECR", "USE1-TimedStorage-ByteHrs"): ("registry", "ecr"),
    ("AmazonBedrock", "USE1-TitanEmbedV2-Text-input-tokens"): ("embedding", "embedding"),
    ("AmazonBedrock", "USE1-Nova-input-tokens"): ("llm", "llm"),
}


@pytest.mark.parametrize("line", list(AWS))
def test_aws_products(line: tuple[str, str]) -> None:
    assert find_service("aws", line[0], "", line[1]) == AWS[line]


@pytest.mark.parametrize(
    ("code", "name", "item", "component"),
    [
        ("ecs", "云服务器 ECS", "实例", "compute"),
        ("ecs", "云服务器 ECS", "数据盘", "compute"),
        ("", "云服务器 ECS", "", "compute"),
        ("rds", "云数据库RDS", "", "database"),
        ("kvstore", "云数据库 Tair（兼容 Redis）", "", "cache"),
        ("", "云数据库 Redis 版", "", "cache"),
        ("oss", "对象存储 OSS", "标准存储", "object_store"),
        ("oss", "对象存储 OSS", "归档存储容量", "backup"),
        ("slb", "传统型负载均衡 CLB", "", "balancer"),
        ("", "弹性公网IP", "", "network"),
        ("sls", "日志服务", "", "logs"),
        ("sfm", "大模型服务平台百炼", "qwen-plus 输入", "llm"),
        ("sfm", "大模型服务平台百炼", "text-embedding-v4", "embedding"),
        ("x", "Elastic Compute Service", "", "compute"),
    ],
)
def test_alibaba_products(code: str, name: str, item: str, component: str) -> None:
    assert find_service("alicloud", code, name, item)[0] == component


@pytest.mark.parametrize(
    ("service", "component"),
    [
        *((component, component) for component in COMPONENTS),
        ("vector-store", "vector_store"),
        ("llm_api", "llm"),
        ("embedding_api", "embedding"),
        ("vector_database", "vector_store"),
        ("storage", "object_store"),
        ("OpenAI", "llm"),
        ("text-embedding-3-small", "embedding"),
        ("Amazon Relational Database Service", "database"),
        ("AmazonElastiCache", "cache"),
        ("slb", "balancer"),
    ],
)
def test_plain_services(service: str, component: str) -> None:
    assert find_service("plain", service, "", "")[0] == component


def test_unknown_products_are_other_under_their_own_name() -> None:
    assert find_service("aws", "AmazonPinpoint", "Amazon Pinpoint", "") == (OTHER, "Amazon Pinpoint")
    assert find_service("alicloud", "imm", "", "") == (OTHER, "imm")
    assert find_service("plain", "coffee", "", "") == (OTHER, "coffee")


def test_the_table_names_components_and_services_that_exist() -> None:
    priced = {key[1] for key in catalogue().prices} | {"vector_store", "object_store"}
    for row in read_table("bill_services.csv"):
        assert row["component"] in COMPONENTS
        assert row["source"]
        assert row["code"] or row["name"] or row["usage"]
    planned = {
        "ec2",
        "ebs",
        "rds",
        "s3",
        "alb",
        "nat",
        "egress",
        "cloudwatch",
        "kms",
        "ecr",
        "ecs",
        "oss",
        "sls",
        "eip",
    }
    assert planned <= {rule.service for rule in rules()} & priced


def test_no_rule_is_hidden_by_an_earlier_one_with_the_same_patterns() -> None:
    patterns = [(rule.provider, rule.code, rule.name, rule.usage) for rule in rules()]
    assert len(patterns) == len(set(patterns))


def test_instance_classes() -> None:
    assert find_class("USE1-BoxUsage:c6i.xlarge") == "c6i.xlarge"
    assert find_class("SpotUsage:m7g.large") == "m7g.large"
    assert find_class("BoxUsage") == ""
    assert find_class("", "ecs.c7.large") == "ecs.c7.large"


def test_own_rules_go_first(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text(
        "provider,code,name,usage,component,service\n"
        "aws,AmazonPinpoint,,,monitoring,\n"
        "aws,AmazonEC2,,*BoxUsage:r7g*,vector_store,ec2\n"
    )
    own = read_rules(path)

    assert find_service("aws", "AmazonPinpoint", "", "", own) == ("monitoring", "monitoring")
    assert find_service("aws", "AmazonEC2", "", "USE1-BoxUsage:r7g.large", own) == ("vector_store", "ec2")
    assert find_service("aws", "AmazonEC2", "", "USE1-BoxUsage:c7g.large", own) == ("compute", "ec2")
    assert find_service("alicloud", "AmazonPinpoint", "", "", own)[0] == OTHER


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("gcp,x,,,compute,", "'gcp' is no provider"),
        ("aws,x,,,disk,", "'disk' is no component"),
        ("aws,,,,compute,", "would match every line"),
        ("aws,x", "fewer fields"),
    ],
)
def test_own_rules_that_cannot_be(tmp_path: Path, row: str, words: str) -> None:
    path = tmp_path / "own.csv"
    path.write_text(f"provider,code,name,usage,component,service\n{row}\n")
    with pytest.raises(BillError, match=f"line 2: .*{words}"):
        read_rules(path)
    path.write_text("provider,code\n")
    with pytest.raises(BillError, match="columns missing: name, usage, component, service"):
        read_rules(path)
    with pytest.raises(BillError, match="cannot be read as rules"):
        read_rules(tmp_path / "none.csv")
