"""The alert rules of §7.2 for Prometheus, corrected (errata 7.2), from the same table as CloudWatch's alarms.

``python -m infra.alert_rules`` prints the file that ships as ``infra/monitoring/reme-alerts.yaml``.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from infra.alarms import DOCUMENT_TOKENS_PER_HOUR
from infra.tables import DATA, read_table

RULES_FILE = DATA.parent / "monitoring" / "reme-alerts.yaml"
INTERVAL_S = 30
"""§7.2: `interval: 30s`."""
_DOCUMENT_NAME = re.compile(r"§7\.2 (\w+)")
_HEADER = """\
# Alert rules for the metrics of the memory service and of node_exporter, for Prometheus' `rule_files`.
# Written by `python -m infra.alert_rules` from infra/data/alarms.csv: edit that table.
"""


def build_rules(tokens_per_hour: int = DOCUMENT_TOKENS_PER_HOUR, *, of_nodes: bool = True) -> dict[str, Any]:
    """The rules as Prometheus' document; `tokens_per_hour` is the threshold of tokens, by default §7.2's figure.

    `of_nodes` says whether somebody exports node_exporter's metrics; nobody does on a cluster's nodes.
    """
    rules = list(_list_rules(tokens_per_hour, of_nodes=of_nodes))
    return {"groups": [{"name": "reme_alerts", "interval": f"{INTERVAL_S}s", "rules": rules}]}


def render_rules(tokens_per_hour: int = DOCUMENT_TOKENS_PER_HOUR, *, of_nodes: bool = True) -> str:
    """The rules as the text of a file."""
    document = build_rules(tokens_per_hour, of_nodes=of_nodes)
    return f"{_HEADER}{yaml.safe_dump(document, sort_keys=False, width=120, allow_unicode=True)}"


def _list_rules(tokens_per_hour: int, *, of_nodes: bool) -> Iterator[dict[str, Any]]:
    for row in read_table("alarms.csv"):
        if row["expression"] and (of_nodes or row["needs"] != "host"):
            threshold = str(tokens_per_hour) if row["threshold"] == "tokens" else row["threshold"]
            yield {
                "alert": name_alert(row),
                "expr": row["expression"].replace("{threshold}", threshold),
                "for": f"{row['hold_s']}s",
                "labels": {"service": "reme"},
                "annotations": {
                    "summary": f"Expected: {row['summary'].replace('{threshold}', threshold)}.",
                    "description": "The value is {{ $value }}.",
                },
            }


def name_alert(row: Mapping[str, str]) -> str:
    """The document's own name of an alert, where it has one."""
    found = _DOCUMENT_NAME.search(row["origin"])
    return found[1] if found else "".join(part.capitalize() for part in row["name"].split("-"))


if __name__ == "__main__":
    sys.stdout.write(render_rules())
