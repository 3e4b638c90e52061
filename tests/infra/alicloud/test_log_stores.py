"""The log stores: each line goes where its kind is kept, access and audit whole and beyond anyone's reach."""

import json
import logging
import re
from dataclasses import replace
from typing import Any

import pulumi
import pytest

from app.telemetry.logs import JsonFormatter
from app.telemetry.masking import Masker
from infra.alicloud.log_stores import LogStores, LogStoresArgs, choose_lines, list_days
from infra.service.configuration import MASKED_FIELDS
from infra.tagging import Tags
from policies.judgement import judge
from policies.settings import PolicySettings
from tests.infra.alicloud.facts import OF_STACKS, find_limit, find_unknown
from tests.infra.recorded_graph import read_recording
from tests.infra.recorder import Recording, record
from tests.infra.service.plans import PERSONAL, plan_region

SPEC = plan_region(**PERSONAL, clouds=["alicloud"]).log_store
PROJECT, STORE = "alicloud:log/project:Project", "alicloud:log/store:Store"
KINDS = {"application", "access", "audit"}
TRACE = "0123456789abcdef0123456789abcde"


def build(made: list[LogStores] | None = None, *, stack: str = "alicloud-dev", **change: Any) -> Recording:
    values: dict[str, Any] = {
        "spec": SPEC,
        "key_id": None,
        "account": "1234567890123456",
        "region": "cn-beijing",
        "tags": Tags(environment="dev", stack=stack, more={}),
        "protect": True,
        "keeps_copies": True,
    }

    def program() -> None:
        stores = LogStores("logs", LogStoresArgs(**{**values, **change}))
        pulumi.export("arns", stores.arns)
        pulumi.export("project", stores.project)
        if made is not None:
            made.append(stores)

    return record(program, stack_name=stack, region="cn-beijing", config={"alicloud:region": "cn-beijing"})


def write_line(logger: str, **fields: object) -> str:
    """A line as the service writes it."""
    given = {"name": logger, "msg": "done", "levelno": logging.INFO, "levelname": "INFO", **fields}
    return JsonFormatter(Masker(MASKED_FIELDS.split(","))).format(logging.makeLogRecord(given))


def find_kinds(line: str, share: float = 0.1) -> set[str]:
    return {kind for kind in KINDS if re.fullmatch(choose_lines(kind, share), line)}


def test_requests_are_whole_in_access_and_a_sample_of_them_in_application() -> None:
    counted = [
        find_kinds(write_line("reme.http", http_status=200, trace_id=f"{TRACE}{digit:x}")) for digit in range(16)
    ]
    assert all("access" in kinds and "audit" not in kinds for kinds in counted)
    sampled = sum("application" in kinds for kinds in counted) / 16
    assert SPEC.sample_share <= sampled <= 2 * SPEC.sample_share
    assert find_kinds(write_line("reme.http", http_status=200, trace_id=f"{TRACE}f"), share=1.0) >= {"application"}


def test_refused_requests_are_audited_too() -> None:
    for status, audited in ((401, True), (403, True), (404, False), (500, False)):
        kinds = find_kinds(write_line("reme.http", http_status=status, trace_id=f"{TRACE}f", key_id="k"))
        assert kinds == {"access"} | ({"audit"} if audited else set()), status


def test_other_lines_are_never_sampled() -> None:
    assert find_kinds(write_line("reme.index")) == {"application"}
    assert find_kinds("2 parts, 1,234 bytes compressed, in oss://backup-dumps-1a2b3c4d/reme") == {"application"}


def test_the_three_stores_read_one_file_by_one_group_of_machines() -> None:
    made: list[LogStores] = []
    found = build(made)
    (stores,) = made
    assert stores.names == {kind: kind for kind in KINDS}
    configs = {
        each.props["logstore"]: json.loads(each.props["inputDetail"])
        for each in found.of("alicloud:log/logTailConfig:LogTailConfig")
    }
    assert set(configs) == KINDS
    for kind, detail in configs.items():
        assert (detail["logPath"], detail["filePattern"]) == ("/var/log/reme", "reme.log")
        assert detail["advanced"]["force_multiconfig"] is True, "else the first configuration takes the file"
        assert (detail["filterKey"], detail["filterRegex"]) == (["content"], [choose_lines(kind, SPEC.sample_share)])
        assert detail["discardUnmatch"] is False
    group = found.one("alicloud:log/machineGroup:MachineGroup").props
    assert group["identifyLists"] == [stores.machine_group] == [group["name"]]
    attached = {
        each.props["logtailConfigName"] for each in found.of("alicloud:log/logTailAttachment:LogTailAttachment")
    }
    assert attached == KINDS


def test_each_kind_is_kept_as_long_as_asked_and_in_china_a_year_at_least() -> None:
    kept = {each.props["logstoreName"]: each.props["retentionPeriod"] for each in build().of(STORE)}
    assert kept == {"application": 90, "access": 365, "audit": 2555}
    short = replace(SPEC, access_days=90, audit_days=9999)
    assert list_days(short, region="cn-hangzhou")["access"] == 365
    assert list_days(short, region="ap-southeast-1") == {"application": 90, "access": 90, "audit": 3649}
    assert list_days(short, region="cn-hangzhou")["audit"] < find_limit("log store days"), "that means for ever"


def test_a_balancer_has_a_store_that_is_kept_and_guarded_as_access_lines_are() -> None:
    made: list[LogStores] = []
    found = build(made, delivered=["balancer"])
    (stores,) = made
    assert stores.names == {kind: kind for kind in KINDS} | {"balancer": "alb_access"}
    kept = {each.props["logstoreName"]: each for each in found.of(STORE)}
    assert kept["alb_access"].props["retentionPeriod"] == kept["access"].props["retentionPeriod"] == 365
    assert kept["alb_access"].protect and kept["alb_access"].retain
    guarded = json.loads(found.one(PROJECT).props["policy"])["Statement"][0]["Resource"]
    arn = found.outputs["arns"]["balancer"]
    assert arn.endswith("/logstore/alb_access") and arn in guarded
    shipped = {each.props["logstore"] for each in found.of("alicloud:log/logTailConfig:LogTailConfig")}
    assert shipped == KINDS, "the balancer writes its lines itself"
    index = next(
        each for each in found.of("alicloud:log/storeIndex:StoreIndex") if each.props["logstore"] == "alb_access"
    )
    types = {field["name"]: field["type"] for field in index.props["fieldSearches"]}
    assert types["status"] == "long" and types["upstream_status"] == "text"
    assert all(field["enableAnalytics"] for field in index.props["fieldSearches"])
    assert find_unknown({("balancer log field", name) for name in ("status", "upstream_status")}) == set()
    assert find_unknown({("log index type", each) for each in types.values()}) == set()
    short = build(spec=replace(SPEC, access_days=90), delivered=["balancer"], region="ap-southeast-1")
    assert {each.props["logstoreName"]: each.props["retentionPeriod"] for each in short.of(STORE)}["alb_access"] == 90


def test_a_network_s_connections_go_to_a_store_of_their_own() -> None:
    found = build(delivered=["flows"])
    store = next(each for each in found.of(STORE) if each.props["logstoreName"] == "vpc_flows")
    assert store.name == "logs-flows" and store.props["retentionPeriod"] == 365 and store.protect and store.retain
    index = next(each for each in found.of("alicloud:log/storeIndex:StoreIndex") if each.name == "logs-flows-index")
    assert {"srcaddr", "dstaddr", "dstport", "action"} <= {each["name"] for each in index.props["fieldSearches"]}


def test_nobody_shortens_or_deletes_what_must_stay() -> None:
    found = build()
    project = found.one(PROJECT)
    stores, itself = json.loads(project.props["policy"])["Statement"]
    arn = "acs:log:cn-beijing:1234567890123456:project/alicloud-dev-logs-1a2b3c4d"
    assert (stores["Effect"], stores["Action"]) == ("Deny", ["log:DeleteLogStore", "log:UpdateLogStore"])
    assert stores["Resource"] == [f"{arn}/logstore/access", f"{arn}/logstore/audit"]
    assert (itself["Effect"], itself["Action"], itself["Resource"]) == ("Deny", ["log:DeleteProject"], [arn])
    assert project.protect and project.retain
    lasting = {each.name.removeprefix("logs-"): (each.protect, each.retain) for each in found.of(STORE)}
    assert lasting == {"application": (False, False), "access": (True, True), "audit": (True, True)}
    lifted: dict[str, Any] = {"protect": False, "keeps_copies": False}
    team = build(**lifted, tags=Tags(environment="team", stack="alicloud-team", more={}))
    assert "policy" in team.one(PROJECT).props and team.one(PROJECT).retain, "in China for whoever it serves"
    abroad = build(**lifted, region="ap-southeast-1", tags=Tags(environment="team", stack="alicloud-team", more={}))
    assert "policy" not in abroad.one(PROJECT).props
    test_stack = build(**lifted)
    assert "policy" not in test_stack.one(PROJECT).props
    assert not any(each.retain or each.protect for each in test_stack)


def test_roles_and_alerts_know_each_store() -> None:
    outputs = build().outputs
    arn = "acs:log:cn-beijing:1234567890123456:project/alicloud-dev-logs-1a2b3c4d/logstore/"
    assert outputs["arns"] == {kind: f"{arn}{kind}" for kind in KINDS}
    assert outputs["project"] == "alicloud-dev-logs-1a2b3c4d"


def test_shards_that_split_by_themselves_do_not_replace_a_store() -> None:
    for store in build().of(STORE):
        assert (store.props["shardCount"], store.props["autoSplit"]) == (1, True)
        assert "shardCount" in store.ignored, "another number would make another store"


def test_a_key_of_ours_encrypts_where_there_is_one() -> None:
    for key_id in (None, "key-1"):
        for store in build(key_id=key_id).of(STORE):
            conf = store.props["encryptConf"]
            assert conf["enable"] is True
            assert conf.get("userCmkInfo", {}).get("cmkKeyId") == key_id


def test_values_are_those_of_the_provider_s_pages() -> None:
    found = build()
    used: set[tuple[str, object]] = {
        ("machine identification", found.one("alicloud:log/machineGroup:MachineGroup").props["identifyType"])
    }
    for config in found.of("alicloud:log/logTailConfig:LogTailConfig"):
        used |= {
            ("collection input", config.props["inputType"]),
            ("collection output", config.props["outputType"]),
            ("collection mode", json.loads(config.props["inputDetail"])["logType"]),
        }
    for index in found.of("alicloud:log/storeIndex:StoreIndex"):
        (field,) = index.props["fieldSearches"]
        used |= {("log index type", field["type"])}
        used |= {("log index type", each["type"]) for each in field.get("jsonKeys", [])}
    used |= {("log store key", each.props["encryptConf"]["encryptType"]) for each in found.of(STORE)}
    assert find_unknown(used) == set()
    name = build(stack="a-stack-" + "x" * 80).one(PROJECT).props["projectName"]
    assert len(name) <= find_limit("log project characters")


@pytest.mark.parametrize("environment", ["dev", "cn"])
def test_it_keeps_the_policies(environment: str) -> None:
    settings = PolicySettings.model_validate({"environment": environment})
    key_id = None if environment == "dev" else "key-1"
    found = build(
        key_id=key_id,
        delivered=["balancer", "flows"],
        tags=Tags(environment=environment, stack="alicloud-dev", more={}),
    )
    broken = judge(read_recording(found, "alicloud-dev", "cn-beijing"), settings)
    assert [f"{each.rule}: {each.message}" for each in broken if each.rule not in OF_STACKS] == []
