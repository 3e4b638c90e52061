"""The monitoring host's start: servers that agree with each other, no secret, targets found by ECS' API."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.alert_rules import build_rules
from infra.grafana_dashboard import DASHBOARD_FILE, build_grafana_dashboard, render_grafana_dashboard
from infra.monitoring import find_targets
from infra.monitoring_start import SERVERS, MonitoringStart, write_monitoring_user_data
from infra.service.delivery import InvalidDelivery
from infra.service.rendering import encode_user_data

SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:admin-AbCdEf"  # noqa: S105 - an address
IMAGES = {name: f"docker.io/example/{name}@sha256:{'a' * 64}" for name in SERVERS}


def start(**more: Any) -> str:
    given = {
        "region": "us-east-1",
        "cluster": "reme",
        "port": 8002,
        "key_secret": SECRET,
        "topic_arn": "arn:aws:sns:us-east-1:123456789012:notices",
        "tokens_per_hour": 2_000_000,
        "images": IMAGES,
    }
    return write_monitoring_user_data(MonitoringStart(**{**given, **more}))


def read_files(text: str) -> dict[str, str]:
    return {file["path"]: file["content"] for file in yaml.safe_load(text)["write_files"]}


def test_it_fits_into_user_data() -> None:
    assert encode_user_data(start())


def test_every_file_that_a_server_names_is_there() -> None:
    files = read_files(start())

    prometheus = yaml.safe_load(files["/etc/monitoring/prometheus.yml"])
    assert set(prometheus["rule_files"]) <= set(files)
    assert yaml.safe_load(files["/etc/monitoring/rules.yml"]) == build_rules(2_000_000, of_nodes=False)
    unit = files["/etc/systemd/system/prometheus.service"]
    assert "/var/lib/monitoring/targets:/targets:ro" in unit and "/etc/monitoring:/etc/monitoring:ro" in unit
    (job,) = prometheus["scrape_configs"]
    assert job["file_sd_configs"][0]["files"] == ["/targets/service.json"]
    assert job["authorization"]["credentials_file"] == "/targets/key"
    assert yaml.safe_load(files["/etc/monitoring/alertmanager.yml"])["receivers"][0]["sns_configs"][0]["topic_arn"]


def test_nothing_listens_to_the_network() -> None:
    files = read_files(start())
    assert "--web.listen-address=127.0.0.1:9090" in files["/etc/systemd/system/prometheus.service"]
    assert "--web.listen-address=127.0.0.1:9093" in files["/etc/systemd/system/alertmanager.service"]
    assert "--env GF_SERVER_HTTP_ADDR=127.0.0.1" in files["/etc/systemd/system/grafana.service"]


def test_an_image_without_a_digest_is_refused() -> None:
    with pytest.raises(InvalidDelivery, match="grafana"):
        start(images={**IMAGES, "grafana": "docker.io/grafana/grafana:latest"})


def test_the_shipped_dashboard_is_the_one_that_is_installed() -> None:
    assert DASHBOARD_FILE.read_text(encoding="utf-8") == render_grafana_dashboard()
    assert json.loads(read_files(start())["/etc/monitoring/dashboards/reme.json"]) == build_grafana_dashboard(
        of_nodes=False
    )


def test_the_dashboard_has_the_documents_panels_with_its_thresholds() -> None:
    panels = {panel["title"]: panel for panel in build_grafana_dashboard()["panels"]}

    assert {"Requests", "Latency", "Share of requests that fail", "Tokens in an hour", "Resources in use"} <= set(
        panels
    )
    steps = panels["Latency"]["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert [step["value"] for step in steps] == [None, 0.1, 0.5, 1.0]
    for panel in panels.values():
        assert all("rate(" in target["expr"] for target in panel["targets"] if "reme_" in target["expr"]) or re.search(
            r"increase\(", panel["targets"][0]["expr"]
        )


def answer(calls: list[tuple[str, ...]]) -> Callable[..., Any]:
    def ask(region: str, *words: str) -> Any:
        calls.append(words)
        if words[0] == "secretsmanager":
            return {"SecretString": "rk_key"}
        if words[1] == "list-tasks":
            return {"taskArns": [f"task-{number}" for number in range(101)]}
        details = [{"name": "subnetId", "value": "subnet-1"}, {"name": "privateIPv4Address", "value": "10.20.8.9"}]
        return {"tasks": [{"attachments": [{"details": details}]}]}

    return ask


def test_tasks_are_found_a_hundred_at_a_time_and_the_key_is_kept_for_an_hour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[str, ...]] = []
    monkeypatch.setattr(find_targets, "ask", answer(calls))

    for _ in range(2):
        find_targets.main("us-east-1", "reme", "8002", SECRET, str(tmp_path))

    targets = json.loads((tmp_path / "service.json").read_text())
    assert targets == [{"targets": ["10.20.8.9:8002", "10.20.8.9:8002"], "labels": {"job": "reme"}}]
    assert (tmp_path / "key").read_text() == "rk_key" and (tmp_path / "key").stat().st_mode & 0o777 == 0o400
    assert sorted(path.name for path in tmp_path.iterdir()) == ["key", "service.json"]
    kinds = [words[1] for words in calls]
    assert kinds.count("get-secret-value") == 1 and kinds.count("describe-tasks") == 4


def test_a_cloud_that_refuses_leaves_the_files_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find_targets, "AWS", "/bin/false")
    with pytest.raises(SystemExit, match="secretsmanager get-secret-value"):
        find_targets.main("us-east-1", "reme", "8002", SECRET, str(tmp_path))
    assert not list(tmp_path.iterdir())
