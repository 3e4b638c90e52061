"""The cache: over TLS and with a password, for the service's networks alone, with a replica that takes over."""

from typing import Any

import pulumi
import pytest

from infra.alicloud.cache import Cache, CacheArgs
from infra.service.configuration import APSARADB_AUTHORITIES_URL
from infra.tagging import Tags
from sizing.plan import CacheSpec
from tests.infra.alicloud.computed import ACCOUNT
from tests.infra.recorder import Recording, record

SPEC = CacheSpec(engine="redis", node_class="tair.rdb.1g", nodes=2)
TYPE = "alicloud:redis/tairInstance:TairInstance"


def build(**change: Any) -> Recording:
    values: dict[str, Any] = {
        "spec": SPEC,
        "zone_names": ["cn-hangzhou-h", "cn-hangzhou-i"],
        "subnet_ids": ["vsw-1", "vsw-2"],
        "vpc_id": "vpc-1",
        "client_cidrs": ["10.20.16.0/20", "10.20.0.0/20"],
        "password": "Generated0Password",
        "kms_key_id": None,
        "tags": Tags(environment="prod", stack="alicloud-prod", more={}),
        "protect": True,
    }

    def program() -> None:
        made = Cache("cache", CacheArgs(**{**values, **change}))
        pulumi.export("place", pulumi.Output.format("{0}:{1}", made.address, made.port))
        pulumi.export("authorities", made.authorities_url)

    return record(program, region="cn-hangzhou")


@pytest.mark.parametrize("nodes", [2, 1])
def test_it_is_what_the_plan_says_and_has_a_replica_since_tls_needs_one(nodes: int) -> None:
    props = build(spec=CacheSpec(engine="redis", node_class="tair.rdb.2g", nodes=nodes)).one(TYPE).props
    assert (props["instanceClass"], props["instanceType"], props["engineVersion"]) == ("tair.rdb.2g", "tair_rdb", "7.0")
    assert (props["nodeType"], props["paymentType"]) == ("MASTER_SLAVE", "PayAsYouGo")
    assert (props["zoneId"], props["vswitchId"]) == ("cn-hangzhou-h", "vsw-1")
    assert props.get("secondaryZoneId") == ("cn-hangzhou-i" if nodes == 2 else None)


def test_it_is_encrypted_on_the_wire_and_on_disk_and_wants_a_password() -> None:
    made = build().one(TYPE)
    assert (made.props["sslEnabled"], made.props["tdeStatus"]) == ("Enable", "enabled")
    assert made.props["vpcAuthMode"] == "Open", "Close would let everyone in without a password"
    assert "password" in made.secret
    assert not {"encryptionKey", "roleArn"} & made.props.keys()
    keyed = build(kms_key_id="key-data").one(TYPE).props
    assert keyed["encryptionKey"] == "key-data"
    assert keyed["roleArn"] == f"acs:ram::{ACCOUNT}:role/aliyunrdsinstanceencryptiondefaultrole"


def test_only_the_services_networks_reach_it() -> None:
    found = build()
    assert found.one(TYPE).props["securityIps"] == "10.20.0.0/20,10.20.16.0/20"
    assert not [each for each in found if "onnection" in each.type], "a connection would be a public address"


def test_no_command_is_logged_and_the_least_used_keys_go_first() -> None:
    found = build()
    assert not found.of("alicloud:kvstore/auditLogConfig:AuditLogConfig")
    assert found.one(TYPE).props["config"] == {"maxmemory-policy": "volatile-lru"}


@pytest.mark.parametrize("protect", [True, False])
def test_it_is_backed_up_and_pulumi_guards_it(protect: bool) -> None:
    found = build(protect=protect)
    assert found.one(TYPE).protect is protect
    policy = found.one("alicloud:kvstore/backupPolicy:BackupPolicy").props
    assert (policy["instanceId"], len(policy["backupPeriods"])) == ("cache-nodes-id", 7)


def test_the_service_is_told_where_it_is_and_whose_certificate_it_has() -> None:
    outputs = build().outputs
    assert outputs == {"place": "cache-nodes.redis.rds.aliyuncs.com:6379", "authorities": APSARADB_AUTHORITIES_URL}
