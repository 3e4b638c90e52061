"""The firewall: as many rules as the plan pays for, and none that would refuse the texts of memories."""

import pytest

from infra.aws.firewall import Firewall, FirewallArgs, TooManyRules, build_rules
from infra.tagging import Tags
from tests.infra.recorder import Recording, record

TAGS = Tags(environment="test", stack="aws-test", more={})
ACL = "aws:wafv2/webAcl:WebAcl"


def protect(rules: int = 3, resource_arn: str | None = "arn:aws:elasticloadbalancing:x") -> Recording:
    def program() -> None:
        Firewall(
            "firewall",
            FirewallArgs(rules=rules, scope="REGIONAL", resource_arn=resource_arn, log_key_arn=None, tags=TAGS),
        )

    return record(program)


@pytest.mark.parametrize("count", [1, 3, 5])
def test_it_has_exactly_as_many_rules_as_the_plan(count: int) -> None:
    rules = protect(count).one(ACL).props["rules"]
    assert len(rules) == count == len({rule["priority"] for rule in rules})


def test_more_rules_than_are_known_are_refused() -> None:
    with pytest.raises(TooManyRules, match="9 firewall rules"):
        build_rules(9, behind_edge=False)


def test_three_rules_are_known_bad_inputs_a_rate_and_the_common_ones() -> None:
    bad, rate, common = (rule["statement"] for rule in protect().one(ACL).props["rules"])

    assert bad["managedRuleGroupStatement"]["name"] == "AWSManagedRulesKnownBadInputsRuleSet"
    assert rate["rateBasedStatement"] == {"limit": 30000, "evaluationWindowSec": 300, "aggregateKeyType": "IP"}
    assert common["managedRuleGroupStatement"]["name"] == "AWSManagedRulesCommonRuleSet"


def test_bodies_with_code_or_of_many_kilobytes_are_only_counted() -> None:
    common = protect().one(ACL).props["rules"][2]["statement"]["managedRuleGroupStatement"]
    counted = {each["name"] for each in common["ruleActionOverrides"] if each["actionToUse"] == {"count": {}}}
    assert {"SizeRestrictions_BODY", "CrossSiteScripting_BODY"} <= counted


def test_its_log_has_no_keys() -> None:
    made = protect()

    logging = made.one("aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration").props
    assert {field["singleHeader"]["name"] for field in logging["redactedFields"]} >= {"authorization", "x-api-key"}
    group = made.one("aws:cloudwatch/logGroup:LogGroup").props
    assert group["name"].startswith("aws-waf-logs-") and group["retentionInDays"] == 365
    assert logging["logDestinationConfigs"] == ["arn:aws:cloudwatch:us-east-1:123456789012:firewall-log"]
    config = made.one(ACL).props["visibilityConfig"]
    assert not config["sampledRequestsEnabled"] and config["cloudwatchMetricsEnabled"]


def test_without_a_balancer_nothing_is_associated() -> None:
    association = "aws:wafv2/webAclAssociation:WebAclAssociation"
    assert protect().one(association).props["resourceArn"] == "arn:aws:elasticloadbalancing:x"
    assert not protect(resource_arn=None).of(association)
