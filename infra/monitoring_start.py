"""What a monitoring host starts with: Prometheus, Alertmanager and Grafana, their settings and the rules of §7.2."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from infra.alert_rules import render_rules
from infra.grafana_dashboard import SOURCE, render_grafana_dashboard
from infra.service.delivery import check_image
from infra.service.rendering import render, write_cloud_config
from infra.tables import DATA

FINDER = DATA.parent / "monitoring" / "find_targets.py"
CONFIGURATION = "/etc/monitoring"
FOLDER = "/var/lib/monitoring"
TARGETS = f"{FOLDER}/targets"
SERVERS = ("prometheus", "alertmanager", "grafana")
PORTS = {"prometheus": 9090, "alertmanager": 9093, "grafana": 3000}
"""Each server's own default. All listen at 127.0.0.1: they are reached through a port that SSM forwards."""
USERS = {"prometheus": 65534, "alertmanager": 65534, "grafana": 472}
"""The users of the images."""
MEMORY_MB = {"prometheus": 2000, "alertmanager": 200, "grafana": 600}
"""Ours: of the host's 4 GB."""
RETENTION_DAYS, RETENTION_GB = 90, 45
"""Application data are kept 90 days (§7.3); the disk has 50 GB for metrics."""
FIND_EVERY_S = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class MonitoringStart:
    """`images` are pinned by digests, by server. `key_secret` is the ARN of a key that reads every workspace, which
    the service wants of whoever reads its metrics. `tokens_per_hour` is the threshold of tokens."""

    region: str
    cluster: str
    port: int
    key_secret: str
    topic_arn: str
    tokens_per_hour: int
    images: Mapping[str, str]


def write_monitoring_user_data(start: MonitoringStart) -> str:
    """The host's user data, for `encode_user_data`. Raises `InvalidDelivery` for an image that is not pinned.

    The text has no secret.
    """
    find = f"/usr/local/libexec/find-targets {start.region} {start.cluster} {start.port} {start.key_secret} {TARGETS}"
    files = {
        "/usr/local/libexec/find-targets": FINDER.read_text(encoding="utf-8"),
        f"{CONFIGURATION}/prometheus.yml": _write_yaml(configure_prometheus()),
        f"{CONFIGURATION}/rules.yml": render_rules(start.tokens_per_hour, of_nodes=False),
        f"{CONFIGURATION}/alertmanager.yml": _write_yaml(configure_alertmanager(start.topic_arn, start.region)),
        f"{CONFIGURATION}/grafana/datasources/prometheus.yaml": _write_yaml(_name_source()),
        f"{CONFIGURATION}/grafana/dashboards/files.yaml": _write_yaml(_name_dashboards()),
        f"{CONFIGURATION}/dashboards/reme.json": render_grafana_dashboard(of_nodes=False),
        "/etc/systemd/system/find-targets.service": f"[Service]\nType=oneshot\nExecStart={find}\n",
        "/etc/systemd/system/find-targets.timer": (
            f"[Timer]\nOnBootSec=30\nOnUnitActiveSec={FIND_EVERY_S}\n[Install]\nWantedBy=timers.target\n"
        ),
    }
    for name in SERVERS:
        files[f"/etc/systemd/system/{name}.service"] = _write_unit(name, start.images[name])
    folders = [
        ["install", "-d", "-o", str(USERS[name]), "-g", str(USERS[name]), "-m", "0750", f"{FOLDER}/{name}"]
        for name in SERVERS
    ]
    keys = str(USERS["prometheus"])
    units = ["docker.service", "find-targets.timer", *(f"{name}.service" for name in SERVERS)]
    commands = [
        *folders,
        ["install", "-d", "-o", keys, "-g", keys, "-m", "0750", TARGETS],
        ["systemctl", "daemon-reload"],
        ["systemctl", "enable", "--now", *units],
    ]
    return write_cloud_config(files, packages=["docker"], commands=commands)


def configure_prometheus() -> dict[str, Any]:
    """Prometheus' settings, with paths as its container has them."""
    return {
        "global": {"scrape_interval": "30s", "evaluation_interval": "30s"},
        "rule_files": ["/etc/monitoring/rules.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{PORTS['alertmanager']}"]}]}]},
        "scrape_configs": [
            {
                "job_name": "reme",
                "metrics_path": "/metrics",
                "authorization": {"type": "Bearer", "credentials_file": "/targets/key"},
                "file_sd_configs": [{"files": ["/targets/service.json"], "refresh_interval": f"{FIND_EVERY_S}s"}],
            }
        ],
    }


def configure_alertmanager(topic_arn: str, region: str) -> dict[str, Any]:
    """Alertmanager's settings: everything goes to the topic of notices, by the host's role."""
    return {
        "route": {"receiver": "notices", "group_by": ["alertname"], "repeat_interval": "4h"},
        "receivers": [
            {
                "name": "notices",
                "sns_configs": [{"topic_arn": topic_arn, "sigv4": {"region": region}, "send_resolved": True}],
            }
        ],
    }


def _write_unit(name: str, image: str) -> str:
    port = PORTS[name]
    commands = {
        "prometheus": (
            f"--config.file={CONFIGURATION}/prometheus.yml",
            "--storage.tsdb.path=/prometheus",
            f"--storage.tsdb.retention.time={RETENTION_DAYS}d",
            f"--storage.tsdb.retention.size={RETENTION_GB}GB",
            f"--web.listen-address=127.0.0.1:{port}",
        ),
        "alertmanager": (
            f"--config.file={CONFIGURATION}/alertmanager.yml",
            "--storage.path=/alertmanager",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        ),
        "grafana": (),
    }
    volumes = {f"{FOLDER}/{name}": "/var/lib/grafana" if name == "grafana" else f"/{name}"}
    volumes[CONFIGURATION] = f"{CONFIGURATION}:ro"
    if name == "prometheus":
        volumes[TARGETS] = "/targets:ro"
    environment = {
        "GF_SERVER_HTTP_ADDR": "127.0.0.1",
        "GF_PATHS_PROVISIONING": f"{CONFIGURATION}/grafana",
        # whoever has the forwarded port may look; nobody can sign in, so there is no password to guess
        "GF_AUTH_ANONYMOUS_ENABLED": "true",
        "GF_AUTH_DISABLE_LOGIN_FORM": "true",
        "GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION": "true",
        "GF_ANALYTICS_REPORTING_ENABLED": "false",
    }
    return render(
        "container.service",
        name=name,
        description=name.capitalize(),
        folder=f"{FOLDER}/{name}",
        image=check_image(name, image),
        user=USERS[name],
        memory_mb=MEMORY_MB[name],
        host_network=True,
        low_ports=False,
        ports=(),
        volumes=volumes,
        environment=environment if name == "grafana" else {},
        secrets=(),
        before=(),
        command=commands[name],
    )


def _name_source() -> dict[str, Any]:
    source = {"name": "Prometheus", **SOURCE, "access": "proxy", "isDefault": True}
    return {"apiVersion": 1, "datasources": [{**source, "url": f"http://127.0.0.1:{PORTS['prometheus']}"}]}


def _name_dashboards() -> dict[str, Any]:
    return {
        "apiVersion": 1,
        "providers": [{"name": "reme", "type": "file", "options": {"path": f"{CONFIGURATION}/dashboards"}}],
    }


def _write_yaml(document: object) -> str:
    return yaml.safe_dump(document, sort_keys=False, width=120)
