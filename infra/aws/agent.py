"""The configuration of the CloudWatch agent: memory, disks, the service's metrics and its log file."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from infra.alarms import list_parts
from infra.aws.alarms import METRICS_TABLE
from infra.aws.watched import HOST_NAMESPACE, SERVICE_ROLE, name_agent_dimensions
from infra.tables import read_table
from sizing.plan import RegionPlan

Role = Literal["service", "vectors"]

INTERVAL_S = 60
"""Standard resolution: a finer one costs more, and no alarm looks closer."""
METRICS_PATH = "/metrics"
_MEASURED = {"memory": "mem", "disk": "disk", "process": "procstat"}


def agent_configuration(
    plan: RegionPlan,
    *,
    stack: str,
    role: Role,
    log_files: Mapping[str, str] | None = None,
    scrape: str | None = None,
    scrape_log_group: str | None = None,
) -> dict[str, Any]:
    """The agent's JSON for an instance of a role, from the metrics of ``infra/data/metrics.csv``; without metrics where
    something else than CloudWatch watches.

    `log_files` are log groups by the path of the file that goes there. `scrape` is where the agent finds what
    `scrape_configuration` answers: SCRAPE_PATH on a host, ``env:PROMETHEUS_CONFIG_CONTENT`` in a container; what it
    reads travels through the log group `scrape_log_group`. A group must exist: the agent may not make one.
    """
    found: dict[str, Any] = {
        "agent": {"metrics_collection_interval": INTERVAL_S, "omit_hostname": True},
    }
    collected = _collect(_list_rows(plan, "agent", role), stack) if plan.monitoring.kind == "cloud" else {}
    if collected:
        found["metrics"] = {"namespace": HOST_NAMESPACE, "metrics_collected": collected}
    logs: dict[str, Any] = {}
    if log_files:
        logs["logs_collected"] = {
            "files": {
                "collect_list": [
                    {"file_path": path, "log_group_name": group, "log_stream_name": "{instance_id}"}
                    for path, group in log_files.items()
                ]
            }
        }
    if scrape is not None and role == SERVICE_ROLE:
        logs["metrics_collected"] = {"prometheus": _take_over(plan, scrape, scrape_log_group)}
    if logs:
        found["logs"] = logs
    return found


def scrape_configuration(plan: RegionPlan, *, stack: str) -> dict[str, Any]:
    """The configuration of the agent's scraper, to be written as YAML: the service on the same machine or in the same
    task, which needs no key from a local address."""
    names = [row["name"] for row in _list_rows(plan, "scrape", SERVICE_ROLE)]
    return {
        "global": {"scrape_interval": f"{INTERVAL_S}s", "scrape_timeout": "10s"},
        "scrape_configs": [
            {
                "job_name": "reme",
                "metrics_path": METRICS_PATH,
                "static_configs": [{"targets": [f"127.0.0.1:{plan.balancer.target_port}"], "labels": {"Stack": stack}}],
                "metric_relabel_configs": [{"source_labels": ["__name__"], "regex": "|".join(names), "action": "keep"}],
            }
        ],
    }


def _list_rows(plan: RegionPlan, source: str, role: str) -> list[dict[str, str]]:
    """The rows of the table that a role's machines publish."""
    parts = list_parts(plan, scraped=True)
    return [
        row
        for row in read_table(METRICS_TABLE)
        if row["source"] == source and (not row["needs"] or row["needs"] in parts) and _role_of(row) == role
    ]


def _role_of(row: Mapping[str, str]) -> str:
    kind, _, of = row["dimensions"].partition(":")
    return SERVICE_ROLE if kind in ("process", "scrape") else of.partition("-")[0]


def _collect(rows: Sequence[Mapping[str, str]], stack: str) -> dict[str, Any]:
    """The plug-ins that measure: memory, the disks that are named, processes by their program."""
    found: dict[str, Any] = {}
    for row in rows:
        kind, _, of = row["dimensions"].partition(":")
        plugin = _MEASURED[kind]
        dimensions = name_agent_dimensions(kind, of, stack)
        measurement = row["name"].removeprefix(f"{plugin}_")
        fixed = {key: value for key, value in dimensions.items() if key in ("Stack", "Role")}
        if plugin == "procstat":
            programs = found.setdefault(plugin, [])
            program = next((each for each in programs if each["exe"] == of), None)
            if program is None:
                program = {"exe": of, "measurement": [], "append_dimensions": fixed}
                programs.append(program)
            program["measurement"].append(measurement)
            continue
        settings = found.setdefault(plugin, {"measurement": [], "append_dimensions": fixed})
        if measurement not in settings["measurement"]:
            settings["measurement"].append(measurement)
        if plugin == "disk":
            settings["drop_device"] = True
            settings.setdefault("resources", []).append(dimensions["path"])
    return found


def _take_over(plan: RegionPlan, scrape: str, log_group: str | None) -> dict[str, Any]:
    names = [row["name"] for row in _list_rows(plan, "scrape", SERVICE_ROLE)]
    found: dict[str, Any] = {
        "prometheus_config_path": scrape,
        "emf_processor": {
            "metric_namespace": HOST_NAMESPACE,
            "metric_declaration": [
                {
                    "source_labels": ["job"],
                    "label_matcher": "^reme$",
                    "dimensions": [["Stack"]],
                    "metric_selectors": [f"^{name}$" for name in names],
                }
            ],
        },
    }
    if log_group is not None:
        found["log_group_name"] = log_group
    return found
