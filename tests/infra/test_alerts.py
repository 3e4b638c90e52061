"""The alert rules on series that are made up, evaluated by Prometheus' own tool: when each fires, and when not."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from infra.alert_rules import RULES_FILE, build_rules
from infra.collector import Collector, configure_collector
from infra.monitoring_start import configure_prometheus
from tests.servers.installation import PLACE

PROMTOOL = PLACE / "promtool" / "bin" / "promtool"
pytestmark = pytest.mark.skipif(
    not PROMTOOL.exists(), reason="promtool is not installed: run `bash tools/install-promtool.sh`"
)

LATENCY, LEG = "reme_http_request_duration_seconds_bucket", "reme_search_leg_seconds_bucket"
REQUESTS, TOKENS = "reme_http_requests_total", "reme_llm_tokens_total"


def buckets(series: str, labels: str, at_bound: int, bound: str, beyond: int) -> dict[str, str]:
    """A histogram that takes up to `bound` so many events every 30 s, and beyond it, up to 10 s, as many more."""
    rise = {bound: at_bound, "10": at_bound + beyond, "+Inf": at_bound + beyond}
    return {f'{series}{{{labels},le="{edge}"}}': f"0+{step}x300" for edge, step in rise.items()}


SEARCH, HEALTH = 'operation="search_memories"', 'operation="health"'
CASES: list[tuple[str, str, dict[str, str], str, bool]] = [
    ("HighAPILatency", "slow for long", buckets(LATENCY, SEARCH, 90, "1", 10), "12m", True),
    ("HighAPILatency", "slow just now", buckets(LATENCY, SEARCH, 90, "1", 10), "4m", False),
    ("HighAPILatency", "fast", buckets(LATENCY, SEARCH, 97, "1", 3), "12m", False),
    ("HighAPILatency", "a probe is slow", buckets(LATENCY, HEALTH, 10, "1", 90), "12m", False),
    (
        "HighErrorRate",
        "two of a hundred, in two operations",
        {
            f'{REQUESTS}{{operation="list_memories",method="GET",status="200"}}': "0+98x300",
            f'{REQUESTS}{{operation="add_memory",method="POST",status="503"}}': "0+2x300",
        },
        "12m",
        True,
    ),
    (
        "HighErrorRate",
        "the callers' own faults",
        {
            f'{REQUESTS}{{operation="list_memories",method="GET",status="200"}}': "0+90x300",
            f'{REQUESTS}{{operation="list_memories",method="GET",status="404"}}': "0+10x300",
        },
        "12m",
        False,
    ),
    (
        "HighTokenConsumption",
        "1.2 million in an hour, of two operations",
        {f'{TOKENS}{{operation="{each}"}}': "0+5000x400" for each in ("summary_task_memory", "compact_working")},
        "2h",
        True,
    ),
    ("HighTokenConsumption", "0.6 million", {f'{TOKENS}{{operation="compact_working"}}': "0+5000x400"}, "2h", False),
    (
        "HighMemoryUsage",
        "95 %",
        {"node_memory_MemAvailable_bytes": "5x60", "node_memory_MemTotal_bytes": "100x60"},
        "10m",
        True,
    ),
    (
        "HighMemoryUsage",
        "85 %",
        {"node_memory_MemAvailable_bytes": "15x60", "node_memory_MemTotal_bytes": "100x60"},
        "10m",
        False,
    ),
    ("HighCPUUsage", "95 %", {'node_cpu_seconds_total{instance="a",mode="idle"}': "0+1.5x200"}, "30m", True),
    ("HighCPUUsage", "50 %", {'node_cpu_seconds_total{instance="a",mode="idle"}': "0+15x200"}, "30m", False),
    (
        "DiskSpaceRunningOut",
        "90 % for over an hour",
        {'node_filesystem_avail_bytes{fstype="xfs"}': "10x300", 'node_filesystem_size_bytes{fstype="xfs"}': "100x300"},
        "70m",
        True,
    ),
    (
        "DiskSpaceRunningOut",
        "90 % for half an hour",
        {'node_filesystem_avail_bytes{fstype="xfs"}': "10x300", 'node_filesystem_size_bytes{fstype="xfs"}': "100x300"},
        "30m",
        False,
    ),
    ("VectorDBHighLatency", "slow", buckets(LEG, 'leg="vector"', 90, "0.5", 10), "12m", True),
    ("VectorDBHighLatency", "another leg is slow", buckets(LEG, 'leg="embed"', 90, "0.5", 10), "12m", False),
    ("SearchesDegraded", "now and then", {'reme_searches_degraded_total{reason="timeout"}': "0+1x100"}, "25m", True),
    ("SearchesDegraded", "once", {'reme_searches_degraded_total{reason="timeout"}': "0 1x100"}, "25m", False),
    ("UnhealthyTargets", "one of two is away", {'up{job="reme",instance="a"}': "0x20"}, "5m", True),
    ("UnhealthyTargets", "both answer", {'up{job="reme",instance="a"}': "1x20"}, "5m", False),
]


def run(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([PROMTOOL, *arguments], cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("alert", "series", "time", "fires"),
    [(alert, series, time, fires) for alert, _, series, time, fires in CASES],
    ids=[f"{alert}: {name}" for alert, name, *_ in CASES],
)
def test_an_alert_fires_when_it_should(
    tmp_path: Path, alert: str, series: dict[str, str], time: str, fires: bool
) -> None:
    expected = [{"labels": "{}", "value": 1}] if fires else []
    firing = f'count(ALERTS{{alertname="{alert}",alertstate="firing",service="reme"}})'
    document: dict[str, Any] = {
        "rule_files": [str(RULES_FILE)],
        "evaluation_interval": "30s",
        "tests": [
            {
                "interval": "30s",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "promql_expr_test": [{"expr": firing, "eval_time": time, "exp_samples": expected}],
            }
        ],
    }
    # JSON is YAML
    (tmp_path / "test.yaml").write_text(json.dumps(document), encoding="utf-8")
    done = run(tmp_path, "test", "rules", "test.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tried_both_ways() -> None:
    alerts = {rule["alert"] for rule in build_rules()["groups"][0]["rules"]}
    assert {(alert, fires) for alert, *_, fires in CASES} == {
        (alert, fires) for alert in alerts for fires in (True, False)
    }


def test_prometheus_takes_the_rules_and_the_agents_settings(tmp_path: Path) -> None:
    assert run(tmp_path, "check", "rules", "--lint-fatal", str(RULES_FILE)).returncode == 0
    collector = Collector(
        image="docker.io/prom/prometheus@sha256:" + "a" * 64,
        stack="aws-prod",
        port=8002,
        write_url="https://aps-workspaces.us-east-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write",
        region="us-east-1",
    )
    (tmp_path / "agent.json").write_text(json.dumps(configure_collector(collector)), encoding="utf-8")
    done = run(tmp_path, "check", "config", "--agent", "agent.json")
    assert done.returncode == 0, done.stderr
    server = configure_prometheus() | {"rule_files": [str(RULES_FILE)]}
    del server["scrape_configs"][0]["authorization"]
    (tmp_path / "server.json").write_text(json.dumps(server), encoding="utf-8")
    assert run(tmp_path, "check", "config", "server.json").returncode == 0
