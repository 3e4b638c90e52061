"""The rules for Prometheus: as shipped, of metrics that the service has, at the thresholds of the alarms."""

import re
from pathlib import Path

import pytest
import yaml

from infra.alert_rules import RULES_FILE, build_rules, render_rules

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "metrics-and-logs.md"
RULES = {rule["alert"]: rule for rule in build_rules()["groups"][0]["rules"]}
DOCUMENTED = {
    "HighAPILatency",
    "HighErrorRate",
    "HighTokenConsumption",
    "HighMemoryUsage",
    "HighCPUUsage",
    "DiskSpaceRunningOut",
    "VectorDBHighLatency",
}


def read_series() -> set[str]:
    """Every series that the service exports, with those of a histogram."""
    found = set()
    for name, kind in re.findall(r"^\| `(reme_\w+)` \| (\w+) \|", REFERENCE.read_text(encoding="utf-8"), re.MULTILINE):
        found |= {f"{name}_{part}" for part in ("bucket", "count", "sum")} if kind == "histogram" else {name}
    return found


def test_the_shipped_file_is_the_table() -> None:
    assert RULES_FILE.read_text(encoding="utf-8") == render_rules()
    assert yaml.safe_load(RULES_FILE.read_text(encoding="utf-8")) == build_rules()


def test_every_alert_of_the_document_has_a_rule() -> None:
    assert set(RULES) >= DOCUMENTED


def test_rules_are_about_metrics_that_exist() -> None:
    asked = {name for rule in RULES.values() for name in re.findall(r"\breme_\w+", rule["expr"])}
    assert asked and asked <= read_series()


@pytest.mark.parametrize("alert", ["HighAPILatency", "VectorDBHighLatency"])
def test_quantiles_are_taken_of_rates_of_buckets_in_seconds(alert: str) -> None:
    expression = RULES[alert]["expr"]
    assert re.match(
        r"histogram_quantile\(0\.95, sum by \(le\) \(rate\(reme_\w+_bucket\{.*\}\[5m\]\)\)\) > ", expression
    )
    bound = expression.rpartition(" > ")[2]
    buckets = re.search(r"Buckets in seconds: (.*?)\. The", REFERENCE.read_text(encoding="utf-8"))
    assert buckets is not None and all(
        float(bound) in {float(each) for each in re.findall(r"\d+(?:\.\d+)?", part)} for part in buckets[1].split(";")
    )


def test_errors_are_a_ratio_of_rates() -> None:
    expression = RULES["HighErrorRate"]["expr"]
    failed, all_of_them = expression.rpartition(" > ")[0].split(" / ")
    assert 'status=~"5.."' in failed and "status" not in all_of_them and expression.endswith("> 0.01")


def test_holding_times_are_the_documents() -> None:
    held = {alert: RULES[alert]["for"] for alert in DOCUMENTED}
    assert held == dict.fromkeys(DOCUMENTED, "300s") | {
        "HighTokenConsumption": "600s",
        "HighCPUUsage": "600s",
        "DiskSpaceRunningOut": "3600s",
    }


def test_a_plan_of_many_tokens_raises_the_limit() -> None:
    rules = build_rules(13_700_000)["groups"][0]["rules"]
    assert "sum(increase(reme_llm_tokens_total[1h])) > 13700000" in [rule["expr"] for rule in rules]


def test_a_cluster_has_no_rule_that_nobody_exports_metrics_for() -> None:
    rules = build_rules(of_nodes=False)["groups"][0]["rules"]
    assert not [rule["alert"] for rule in rules if "node_" in rule["expr"]]
    assert set(RULES) - {rule["alert"] for rule in rules} == {"HighMemoryUsage", "HighCPUUsage", "DiskSpaceRunningOut"}


def test_prometheus_can_read_every_expression() -> None:
    promql = pytest.importorskip("promql_parser", reason="promql-parser is not installed")
    for rule in RULES.values():
        promql.parse(rule["expr"])
