"""The dashboard of §7.4 on CloudWatch: requests, latency, errors, tokens, and each metric that an alarm watches."""

from collections.abc import Sequence
from typing import Any

from infra.alarms import Alarm
from infra.aws.watched import Watched, name_log_namespace

WIDTH = 8
HEIGHT = 6
"""Three panels a row: a dashboard is 24 units wide (CloudWatch's dashboard body structure, read 2026-11-22)."""
PER_ROW = 24 // WIDTH
LATENCY_LEVELS_MS = (100, 500, 1000)
"""§7.4: thresholds of the panel of latencies."""
FIVE_MINUTES_S = 300
HOUR_S = 3600


def build_dashboard(alarms: Sequence[Alarm], *, region: str, stack: str, watched: Watched) -> dict[str, Any]:
    """The body of the dashboard. Values may be Outputs, so it is for `pulumi.Output.json_dumps`.

    Raises NotWatched where an alarm's resource was not named.
    """
    lines = name_log_namespace(stack)
    drawn = [_draw(f"§7.4 {title}", region, metrics, **more) for title, metrics, more in _list_panels(lines)]
    documented = {"RequestDuration", "RequestFailed", "TokensConsumed"}
    for alarm in alarms:
        if alarm.metric in documented:
            continue
        namespace = lines if alarm.dimensions == "log" else alarm.namespace
        pairs = [part for pair in watched.dimensions(alarm.dimensions, stack).items() for part in pair]
        metric = [namespace, alarm.metric, *pairs, {"stat": alarm.statistic, "period": max(alarm.period_s, 60)}]
        drawn.append(_draw(alarm.name, region, [metric], levels=(alarm.threshold,)))
    return {
        "widgets": [
            {**widget, "x": place % PER_ROW * WIDTH, "y": place // PER_ROW * HEIGHT}
            for place, widget in enumerate(drawn)
        ]
    }


def _list_panels(lines: str) -> list[tuple[str, list[list[Any]], dict[str, Any]]]:
    """§7.4's panels from the metrics of the log."""
    latency = [
        [lines, "RequestDuration", {"stat": level, "period": FIVE_MINUTES_S, "label": level}]
        for level in ("p50", "p95", "p99")
    ]
    rate = [[lines, "RequestDuration", {"stat": "SampleCount", "period": FIVE_MINUTES_S, "label": "requests in 5 min"}]]
    errors = [[lines, "RequestFailed", {"stat": "Average", "period": FIVE_MINUTES_S, "label": "share that fails"}]]
    tokens = [[lines, "TokensConsumed", {"stat": "Sum", "period": HOUR_S, "label": "tokens in an hour"}]]
    return [
        ("requests", rate, {}),
        ("latency in ms", latency, {"levels": LATENCY_LEVELS_MS}),
        ("errors", errors, {"levels": (0.01,)}),
        ("tokens", tokens, {}),
    ]


def _draw(title: str, region: str, metrics: list[list[Any]], *, levels: Sequence[float] = ()) -> dict[str, Any]:
    properties: dict[str, Any] = {"title": title, "region": region, "view": "timeSeries", "metrics": metrics}
    if levels:
        properties["annotations"] = {"horizontal": [{"value": level} for level in levels]}
    return {"type": "metric", "width": WIDTH, "height": HEIGHT, "properties": properties}
