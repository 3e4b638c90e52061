"""The dashboard of §7.4 for Grafana, with the expressions corrected (errata 7.2).

``python -m infra.grafana_dashboard`` prints the file that ships as ``infra/monitoring/reme-dashboard.json``.
"""

import json
import sys
from typing import Any

from infra.tables import DATA

DASHBOARD_FILE = DATA.parent / "monitoring" / "reme-dashboard.json"
SOURCE = {"type": "prometheus", "uid": "prometheus"}
WIDTH, HEIGHT, PER_ROW = 12, 8, 2
_SERVED = 'operation!~"health|livez|readyz|metrics"'

NODES_PANEL = "Resources in use"
PANELS: tuple[tuple[str, str, dict[str, str], tuple[float, ...]], ...] = (
    (
        "Requests",
        "reqps",
        {"{{operation}}": f"sum by (operation) (rate(reme_http_requests_total{{{_SERVED}}}[5m]))"},
        (),
    ),
    (
        "Latency",
        "s",
        {
            f"p{level}": f"histogram_quantile({level / 100}, sum by (le) "
            f"(rate(reme_http_request_duration_seconds_bucket{{{_SERVED}}}[5m])))"
            for level in (50, 95, 99)
        },
        (0.1, 0.5, 1.0),
    ),
    (
        "Share of requests that fail",
        "percentunit",
        {
            "failed": f'sum(rate(reme_http_requests_total{{status=~"5..",{_SERVED}}}[5m])) '
            f"/ sum(rate(reme_http_requests_total{{{_SERVED}}}[5m]))"
        },
        (0.01,),
    ),
    ("Tokens in an hour", "short", {"{{operation}}": "sum by (operation) (increase(reme_llm_tokens_total[1h]))"}, ()),
    (
        "Legs of a search, p95",
        "s",
        {"{{leg}}": "histogram_quantile(0.95, sum by (leg, le) (rate(reme_search_leg_seconds_bucket[5m])))"},
        (0.5,),
    ),
    (
        NODES_PANEL,
        "percent",
        {
            "CPU": '100 * (1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[5m])))',
            "Memory": "100 * (1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes)",
            "Disk": '100 * (1 - node_filesystem_avail_bytes{fstype=~"ext4|xfs"} '
            '/ node_filesystem_size_bytes{fstype=~"ext4|xfs"})',
        },
        (85, 90),
    ),
)
"""Title, unit, expressions by legend, thresholds: §7.4's panels, and the search's legs of §7.1."""


def build_grafana_dashboard(*, of_nodes: bool = True) -> dict[str, Any]:
    """The dashboard as Grafana's JSON model; `of_nodes` says whether somebody exports node_exporter's metrics."""
    panels = [panel for panel in PANELS if of_nodes or panel[0] != NODES_PANEL]
    return {
        "uid": "reme",
        "title": "ReMe Production Dashboard",
        "schemaVersion": 39,
        "time": {"from": "now-6h", "to": "now"},
        "refresh": "1m",
        "panels": [_draw(place, *panel) for place, panel in enumerate(panels)],
    }


def render_grafana_dashboard(*, of_nodes: bool = True) -> str:
    """The dashboard as the text of a file."""
    return json.dumps(build_grafana_dashboard(of_nodes=of_nodes), indent=2) + "\n"


def _draw(
    place: int, title: str, unit: str, expressions: dict[str, str], thresholds: tuple[float, ...]
) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    steps += [{"color": "red" if limit == thresholds[-1] else "orange", "value": limit} for limit in thresholds]
    return {
        "id": place + 1,
        "type": "timeseries",
        "title": title,
        "datasource": SOURCE,
        "gridPos": {"x": place % PER_ROW * WIDTH, "y": place // PER_ROW * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {
            "defaults": {
                "unit": unit,
                "thresholds": {"mode": "absolute", "steps": steps},
                "custom": {"thresholdsStyle": {"mode": "line" if thresholds else "off"}},
            },
            "overrides": [],
        },
        "targets": [
            {"refId": chr(ord("A") + number), "datasource": SOURCE, "expr": expression, "legendFormat": legend}
            for number, (legend, expression) in enumerate(expressions.items())
        ],
    }


if __name__ == "__main__":
    sys.stdout.write(render_grafana_dashboard())
