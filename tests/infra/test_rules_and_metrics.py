"""Rules and dashboard ask for what the service exports: every series by its name, every label as it is."""

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.telemetry.metrics import Metrics, StoreState
from infra import alert_rules, collector
from infra.alert_rules import build_rules
from infra.aws.agent import scrape_configuration
from infra.collector import METRICS
from infra.grafana_dashboard import PANELS
from sizing.billing.plan_usage import RULES_INTERVAL_S, SCRAPE_INTERVAL_S
from tests.infra.service.plans import TEAM, plan_region

pytest.importorskip("promql_parser", reason="promql-parser is not installed")

from tests.infra.expressions import list_selectors

RULES = {rule["alert"]: rule["expr"] for rule in build_rules()["groups"][0]["rules"]}
SHOWN = {f"{title}, {legend}": text for title, _, texts, _ in PANELS for legend, text in texts.items()}
SCRAPED = frozenset({"job", "instance"})
"""Labels that whoever scrapes adds to every series."""
NODE = {
    "node_memory_MemAvailable_bytes": frozenset(),
    "node_memory_MemTotal_bytes": frozenset(),
    "node_cpu_seconds_total": frozenset({"cpu", "mode"}),
    "node_filesystem_avail_bytes": frozenset({"device", "fstype", "mountpoint"}),
    "node_filesystem_size_bytes": frozenset({"device", "fstype", "mountpoint"}),
    "up": frozenset(),
}
"""Series of node_exporter (its documentation, collectors `meminfo`, `cpu`, `filesystem`), and the scraper's own."""


def export() -> dict[str, frozenset[str]]:
    """Every series of the service's own registry, after one event of each kind, with its labels."""
    metrics = Metrics(
        facts={"version": "0.1.0", "store": "sqlite", "embedder": "hash"},
        observe=lambda: StoreState(memories={"personal": 1}, workspaces=1, db_bytes=1),
    )
    metrics.count_request("search_memories", "POST", 500, 0.1)
    metrics.count_tokens("summary_task_memory", 5)
    metrics.count_legs({"vector": 3.0})
    metrics.count_degraded("embedding-unavailable")
    metrics.count_cache(1, 1)
    found: dict[str, frozenset[str]] = {}
    for family in text_string_to_metric_families(metrics.render().decode()):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, frozenset()) | set(sample.labels)
    return found


EXPORTED = export()


@pytest.mark.parametrize("expression", [*RULES.values(), *SHOWN.values()], ids=[*RULES, *SHOWN])
def test_every_series_is_exported_with_the_labels_that_are_asked_of_it(expression: str) -> None:
    known = EXPORTED | NODE
    selectors = list_selectors(expression)
    assert selectors
    for name, labels in selectors:
        assert name in known, f"nobody exports {name}"
        assert labels <= known[name] | SCRAPED, f"{name} has no {', '.join(labels - known[name] - SCRAPED)}"


def test_a_rule_on_what_is_not_exported_would_be_seen() -> None:
    (found,) = list_selectors('sum by (route) (rate(reme_http_requests_total{status=~"5.."}[5m])) > 1')
    assert found == ("reme_http_requests_total", frozenset({"route", "status"}))
    assert not found[1] <= EXPORTED[found[0]]


def test_what_agents_send_and_keep_is_exported() -> None:
    asked = {name for each in RULES.values() for name, _ in list_selectors(each) if name.startswith("reme_")}
    assert asked <= {name for name in EXPORTED if re.fullmatch(METRICS, name)}
    (job,) = scrape_configuration(plan_region(**TEAM), stack="aws-team")["scrape_configs"]
    assert set(job["metric_relabel_configs"][0]["regex"].split("|")) <= set(EXPORTED)


def test_the_bill_counts_samples_and_rules_as_often_as_they_are_taken() -> None:
    assert (collector.INTERVAL_S, alert_rules.INTERVAL_S) == (SCRAPE_INTERVAL_S, RULES_INTERVAL_S)
