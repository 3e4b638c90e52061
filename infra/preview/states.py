"""The state that base leaves on the run's own backend, and the protection of its resources.

The engine ends a preview at the first protected resource that would go away, and then shows nothing else. The state of
an offline run is thrown away, so its protection is lifted before head is previewed, and put back into what is told.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sizing.graph.resources import ResourceGraph, build_graph


def export_state(checkpoint: Path, target: Path) -> Path | None:
    """Write the engine's own file of a state in the form of an export; None where there is no state."""
    if not checkpoint.is_file():
        return None
    target.write_text(json.dumps({"version": 3, "deployment": _deployment(_load(checkpoint))}), encoding="utf-8")
    return target


def lift_protection(checkpoint: Path) -> None:
    """Let the engine delete and replace every resource of a state; a state that is not there is passed over."""
    if not checkpoint.is_file():
        return
    document = _load(checkpoint)
    for each in _deployment(document).get("resources") or ():
        each.pop("protect", None)
    checkpoint.write_text(json.dumps(document), encoding="utf-8")


def restore_protection(graph: ResourceGraph, state: ResourceGraph) -> ResourceGraph:
    """The graph with the resources protected that are so in the state."""
    protected = {each.urn for each in state if each.protected}
    found = (replace(each, protected=each.protected or each.urn in protected) for each in graph)
    return build_graph(graph.stack, found, graph.outputs)


def _load(checkpoint: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(checkpoint.read_text(encoding="utf-8"))
    return found


def _deployment(document: Mapping[str, Any]) -> Mapping[str, Any]:
    return document["checkpoint"].get("latest") or {}
