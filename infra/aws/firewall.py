"""The web application firewall: managed rule groups and a limit of requests, before a balancer or a distribution."""

from dataclasses import dataclass
from typing import Literal

import pulumi
import pulumi_aws as aws

from infra.aws.fixed_names import make_log_group
from infra.errors import InfraError
from infra.tables import read_table
from infra.tagging import Tags
from infra.way_in import FIREWALL_RULES

SECRET_HEADERS = ("authorization", "cookie", "x-api-key")
"""Left out of the log: they carry keys. AWS WAF compares names in lower case."""
LOG_DAYS = 365
"""Requirements §10.2 and errata 7.3: access logs stay 365 days."""


class TooManyRules(InfraError):
    """The plan asks for more rules than the table has."""

    def __init__(self, wanted: int, known: int) -> None:
        super().__init__(f"the plan has {wanted} firewall rules and infra/data/{FIREWALL_RULES} has {known}: add a row")


@dataclass(frozen=True, kw_only=True)
class FirewallArgs:
    """`rules` is the number of rows taken from the table, in order of priority.

    `scope` is REGIONAL for a balancer, CLOUDFRONT for a distribution (which must be made in us-east-1).
    `resource_arn` is the balancer; a distribution names the list itself and gives none. `behind_edge` counts
    requests by the address that a CDN forwards, since every connection then comes from the CDN. `log_key_arn`
    encrypts the log.
    """

    rules: int
    scope: Literal["REGIONAL", "CLOUDFRONT"]
    resource_arn: pulumi.Input[str] | None = None
    behind_edge: bool = False
    log_key_arn: pulumi.Input[str] | None
    tags: Tags


class Firewall(pulumi.ComponentResource):
    """A web ACL with exactly `rules` rules, its log of what was blocked or counted, and its association.

    Attributes: `arn` of the ACL.
    """

    arn: pulumi.Output[str]

    def __init__(self, name: str, args: FirewallArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:aws:Firewall", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        acl = aws.wafv2.WebAcl(
            f"{name}-acl",
            description="Requests to the memory service",
            scope=args.scope,
            default_action={"allow": {}},
            rules=build_rules(args.rules, behind_edge=args.behind_edge),
            visibility_config=_watch(name),
            tags=args.tags.named("firewall"),
            opts=child,
        )
        log = make_log_group(
            f"{name}-log",
            # the firewall accepts only names that begin so
            f"aws-waf-logs-{pulumi.get_project()}-{pulumi.get_stack()}-{name}",
            days=LOG_DAYS,
            kms_key_arn=args.log_key_arn,
            component="firewall",
            tags=args.tags,
            parent=self,
        )
        aws.wafv2.WebAclLoggingConfiguration(
            f"{name}-logging",
            resource_arn=acl.arn,
            log_destination_configs=[log.arn],
            # what passed is in the balancer's access log already
            logging_filter={
                "default_behavior": "DROP",
                "filters": [
                    {
                        "behavior": "KEEP",
                        "requirement": "MEETS_ANY",
                        "conditions": [
                            {"action_condition": {"action": "BLOCK"}},
                            {"action_condition": {"action": "COUNT"}},
                        ],
                    }
                ],
            },
            redacted_fields=[{"single_header": {"name": header}} for header in SECRET_HEADERS],
            opts=child,
        )
        if args.resource_arn is not None:
            aws.wafv2.WebAclAssociation(
                f"{name}-association", resource_arn=args.resource_arn, web_acl_arn=acl.arn, opts=child
            )
        self.arn = acl.arn
        self.register_outputs({"arn": self.arn})


def build_rules(count: int, *, behind_edge: bool) -> list[aws.wafv2.WebAclRuleArgsDict]:
    """The first `count` rules of the table. Raises TooManyRules where it has fewer."""
    rows = sorted(read_table(FIREWALL_RULES), key=lambda row: int(row["priority"]))
    if count > len(rows):
        raise TooManyRules(count, len(rows))
    return [_build_rule(row, behind_edge=behind_edge) for row in rows[:count]]


def _build_rule(row: dict[str, str], *, behind_edge: bool) -> aws.wafv2.WebAclRuleArgsDict:
    rule: aws.wafv2.WebAclRuleArgsDict = {
        "name": row["name"],
        "priority": int(row["priority"]),
        "visibility_config": _watch(row["name"]),
        "statement": {},
    }
    if row["kind"] == "rate":
        rule["action"] = {"block": {}}
        rule["statement"] = {"rate_based_statement": _limit_rate(int(row["limit"]), int(row["window_s"]), behind_edge)}
    else:
        rule["override_action"] = {"none": {}}
        rule["statement"] = {
            "managed_rule_group_statement": {
                "name": row["group"],
                "vendor_name": "AWS",
                "rule_action_overrides": [
                    {"name": counted, "action_to_use": {"count": {}}}
                    for counted in row["counted"].split("|")
                    if counted
                ],
            }
        }
    return rule


def _limit_rate(
    limit: int, window_s: int, behind_edge: bool
) -> aws.wafv2.WebAclRuleStatementRateBasedStatementArgsDict:
    statement: aws.wafv2.WebAclRuleStatementRateBasedStatementArgsDict = {
        "limit": limit,
        "evaluation_window_sec": window_s,
        "aggregate_key_type": "FORWARDED_IP" if behind_edge else "IP",
    }
    if behind_edge:
        statement["forwarded_ip_config"] = {"header_name": "X-Forwarded-For", "fallback_behavior": "MATCH"}
    return statement


def _watch(metric: str) -> aws.wafv2.WebAclVisibilityConfigArgsDict:
    return {
        "metric_name": metric,
        "cloudwatch_metrics_enabled": True,
        # samples hold whole requests, keys included
        "sampled_requests_enabled": False,
    }
