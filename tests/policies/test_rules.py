"""Each rule: what keeps it passes, one spoiled property is named with what to do, an unknown one is not judged."""

import base64
import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from policies import kinds as k
from policies.register import all_rules
from policies.rule import Rule
from policies.settings import PolicySettings
from sizing.graph.resources import UNKNOWN, Resource, ResourceGraph
from tests.policies.case import Case
from tests.policies.cases import CASES
from tests.policies.resources import TAGS, graph_of, make, put

PROD = PolicySettings(environment="prod")
RULES = {rule.id: rule for rule in all_rules()}
BY_HAND = {
    "allowed-kinds",
    "allowed-regions",
    "budget-by-service",
    "budget-growth",
    "budget-total",
    "budgets-are-watched",
    "networks-log-flows",
    "protect-data",
}
"""Rules that read something else than a property: tested below, or in `test_budgets.py`."""


def _spoil(case: Case, value: Any) -> ResourceGraph:
    return graph_of(*(put(each, case.path, value) if each.name == case.name else each for each in case.good))


def _messages(rule: Rule, graph: ResourceGraph, settings: PolicySettings = PROD) -> list[str]:
    return [rule.explain(each) for each in rule.find(graph, settings) if not each.unknown]


def _label(case: Case) -> str:
    return f"{case.rule}-{case.good[0].type.partition(':')[0]}-{case.path}"


@pytest.mark.parametrize("case", CASES, ids=_label)
def test_what_is_good_passes(case: Case) -> None:
    assert RULES[case.rule].find(graph_of(*case.good), case.settings) == ()


@pytest.mark.parametrize("case", CASES, ids=_label)
def test_one_spoiled_property_is_named(case: Case) -> None:
    rule = RULES[case.rule]
    assert _messages(rule, _spoil(case, case.bad), case.settings) == [case.message]
    assert rule.remedy.endswith(".")


@pytest.mark.parametrize("case", [case for case in CASES if case.unknown], ids=_label)
def test_an_unknown_value_is_neither_passed_nor_failed(case: Case) -> None:
    found = RULES[case.rule].find(_spoil(case, UNKNOWN), case.settings)
    assert found
    assert all(each.unknown and "{" not in RULES[case.rule].explain(each) for each in found)


def test_every_rule_has_a_case() -> None:
    assert {case.rule for case in CASES} | BY_HAND == set(RULES)


def test_a_network_without_a_flow_log_is_named() -> None:
    network = make(k.AWS_VPC, "vpc")
    rule = RULES["networks-log-flows"]
    assert _messages(rule, graph_of(network)) == ["vpc: the network has no flow log"]
    log = make(k.AWS_FLOW_LOG, "log", of={"vpcId": network.urn}, vpcId=UNKNOWN)
    assert rule.find(graph_of(network, log), PROD) == ()
    stray = make(k.AWS_FLOW_LOG, "log", vpcId=UNKNOWN)
    assert [each.unknown for each in rule.find(graph_of(network, stray), PROD)] == ["vpc.its flow log"]


def test_a_stack_of_alibaba_cloud_without_a_trail_is_named() -> None:
    rule = RULES["account-is-audited"]
    assert _messages(rule, graph_of(make(k.ALI_INSTANCE, "host"))) == ["the stack has no trail of the account"]
    assert rule.find(graph_of(make(k.AWS_INSTANCE, "host")), PROD) == ()


def test_data_without_protection_is_named() -> None:
    bucket = make(k.AWS_BUCKET, "store")
    assert RULES["protect-data"].find(graph_of(bucket), PROD) == ()
    said = _messages(RULES["protect-data"], graph_of(replace(bucket, protected=False)))
    assert said == ["store: the resource holds data and has not the option protect"]


@pytest.mark.parametrize(
    ("kind", "environment", "reason"),
    [
        ("aws:iam/accessKey:AccessKey", "dev", "a key that lives for ever; use a role"),
        (k.AWS_BUCKET, "cn", "data of the Chinese environment lies at Alibaba Cloud in Beijing"),
        (k.AWS_BUCKET, "prod", ""),
        ("aws:eks/cluster:Cluster", "prod", ""),
    ],
)
def test_kinds_depend_on_the_environment(kind: str, environment: str, reason: str) -> None:
    settings = PolicySettings.model_validate({"environment": environment})
    expected = [f"x: {kind} is not for this environment: {reason}"] if reason else []
    assert _messages(RULES["allowed-kinds"], graph_of(make(kind, "x")), settings) == expected


def test_a_region_is_named_once_and_an_unknown_one_is_not_judged() -> None:
    settings = PolicySettings(environment="global")
    rule = RULES["allowed-regions"]
    far = graph_of(make(k.AWS_VPC, "a", region="sa-east-1"), make(k.AWS_SUBNET, "b", region="sa-east-1"))
    (said,) = _messages(rule, far, settings)
    assert said.startswith("a: it lies in aws/sa-east-1; this environment may use ")
    assert rule.find(graph_of(make(k.AWS_VPC, "a", region="eu-west-1")), settings) == ()
    assert (
        rule.find(graph_of(make(k.AWS_VPC, "a", region="sa-east-1")), PolicySettings(regions=("aws/sa-east-1",))) == ()
    )
    (open_one,) = rule.find(graph_of(make(k.AWS_VPC, "a")), settings)
    assert open_one.unknown


def test_a_stack_without_a_budget_is_named() -> None:
    rule = RULES["budgets-are-watched"]
    assert _messages(rule, graph_of(make(k.AWS_VPC, "vpc"))) == ["the stack has no budget with notifications"]
    assert rule.find(graph_of(make(k.AWS_VPC, "vpc"), make(k.AWS_BUDGET, "budget")), PROD) == ()


def _packed(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode())).decode()


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


SECRETS = {
    "an AWS access key": "AKIA" + "ABCDEFGHIJKLMNOP",
    "an Alibaba Cloud access key": "LTAI" + "5tAbcdefGhijKLmn",
    "a key of Anthropic": "sk-ant-" + "api03-abcdefghijKLMNop",
    "a key of Google": "AIza" + "B" * 35,
    "a token of GitHub": "ghp_" + "a1B2" * 9,
    "a key of this service": "rk_" + "0123456789abcdef" * 2,
    "a private key": "-----BEGIN " + "RSA PRIVATE KEY-----",
    "an address with a password": "postgresql://reme:" + "opensesame@db.example.com/reme",
}


@pytest.mark.parametrize("form", SECRETS)
@pytest.mark.parametrize(
    "wrap",
    [
        lambda text: make(k.AWS_INSTANCE, "i", userDataBase64=_packed(f"x={text}\n")),
        lambda text: make(k.ALI_INSTANCE, "i", userData=_encoded(text)),
        lambda text: make(k.ALI_SCALING, "i", userData=_encoded(f"#cloud-config\n- content: {_packed(text)}\n")),
        lambda text: make(k.ALI_INVOCATION, "i", parameters={"Environment": _encoded(f"x={text}\n")}),
        lambda text: make(k.AWS_LISTENER, "i", nested=[{"deep": {"header": f"value {text} end"}}]),
        lambda text: make(k.AWS_TASK, "i", containerDefinitions=json.dumps([{"command": [text]}])),
    ],
    ids=["packed script", "encoded script", "packed file in a script", "parameter", "nested property", "container"],
)
def test_known_forms_are_found_everywhere_and_never_shown(form: str, wrap: Callable[[str], Resource]) -> None:
    found = RULES["no-plain-secrets"].find(graph_of(wrap(SECRETS[form])), PROD)
    said = [RULES["no-plain-secrets"].explain(each) for each in found]
    assert any(form in each for each in said)
    assert not any(SECRETS[form][8:] in each for each in [*said, repr(found)])


def test_a_secret_in_its_own_place_is_no_finding() -> None:
    key = SECRETS["a key of this service"]
    version = make("aws:secretsmanager/secretVersion:SecretVersion", "v", secretString=key)
    assert RULES["no-plain-secrets"].find(graph_of(version), PROD) == ()


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("API_TOKEN", "correct-horse-battery", True),
        ("SIGNATURE", "q8Zr4TnW2xLk9PvB6mYd3HsJ", True),
        ("DB_PASSWORD_FILE", "/run/secrets/db", False),
        ("SECRET_ARN", "arn:aws:secretsmanager:us-east-1:1:secret:x", False),
        ("MAX_TOKENS", "4096", False),
        ("MODEL", "text-embedding-3-small-of-the-provider", False),
    ],
)
def test_names_and_randomness_give_secrets_away(name: str, value: str, found: bool) -> None:
    text = json.dumps([{"name": "app", "environment": [{"name": name, "value": value}]}])
    findings = RULES["secrets-by-reference"].find(graph_of(make(k.AWS_TASK, "t", containerDefinitions=text)), PROD)
    assert bool(findings) is found
    assert not any(value in RULES["secrets-by-reference"].explain(each) for each in findings)


def test_a_model_of_no_known_place_is_refused_in_china() -> None:
    rule, settings = RULES["models-stay-home"], PolicySettings(environment="cn")
    for host, good in (("models.example.com", False), ("qwen.reme.internal", True), ("10.1.2.3", True)):
        config = make(k.KUBERNETES_CONFIG_MAP, "c", data={"REME_EMBEDDING__API_BASE": f"https://{host}/v1"})
        assert (rule.find(graph_of(config), settings) == ()) is good


def test_default_tags_of_the_provider_count() -> None:
    provider = make(k.AWS_PROVIDER, "aws", defaultTags={"tags": TAGS})
    topic = replace(make(k.AWS_TOPIC, "topic"), provider=f"{provider.urn}::some-id")
    assert RULES["required-tags"].find(graph_of(provider, topic), PROD) == ()
    assert _messages(RULES["required-tags"], graph_of(topic))


def test_tags_of_a_scaling_group_are_a_list() -> None:
    tags = [{"key": name, "value": value} for name, value in TAGS.items()]
    assert RULES["required-tags"].find(graph_of(make(k.AWS_AUTOSCALING_GROUP, "g", tags=tags)), PROD) == ()
    assert _messages(RULES["required-tags"], graph_of(make(k.AWS_AUTOSCALING_GROUP, "g", tags=tags[1:])))


def test_an_address_with_a_password_is_named_by_its_host_alone() -> None:
    url = "https://someone:opensesame@api.openai.com/v1"
    config = make(k.KUBERNETES_CONFIG_MAP, "c", data={"LLM_API_BASE": url})
    (found,) = RULES["models-stay-home"].find(graph_of(config), PolicySettings(environment="cn"))
    said = RULES["models-stay-home"].explain(found)
    assert "calls api.openai.com, which answers from us" in said
    assert "someone" not in said and "opensesame" not in said


def test_a_group_of_an_unknown_class_is_not_counted_as_nothing() -> None:
    found = RULES["quotas"].find(graph_of(make(k.AWS_AUTOSCALING_GROUP, "g", maxSize=1)), PROD)
    assert [each.unknown for each in found] == ["g.the number of vCPU of its class"]
