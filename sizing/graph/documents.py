"""Opens an engine's file and tells which kind it is."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sizing.graph.errors import InvalidGraph
from sizing.graph.preview_file import Preview, read_preview
from sizing.graph.resources import ResourceGraph
from sizing.graph.state_file import read_state

MAX_FILE_BYTES = 256_000_000
"""Ours: some 30,000 resources. Reading takes about five times as much memory."""

_REMEDY = "Write it with `pulumi preview --json --show-sames` or `pulumi stack export`"


def open_document(path: Path, regions: Mapping[str, str] | None = None) -> Preview | ResourceGraph:
    """Read a preview or an exported state; `regions` (`{"aws": "eu-west-1"}`) are of providers that name none.

    Raises InvalidGraph where the file cannot be read, is too large, is no JSON, or is neither of the two.
    """
    return read_document(_load(path), path.name, regions)


def read_document(document: Any, file: str, regions: Mapping[str, str] | None = None) -> Preview | ResourceGraph:
    """As `open_document`, of JSON that is read already; `file` is what messages call it."""
    if not isinstance(document, dict):
        raise InvalidGraph(file, "it is no JSON object", _REMEDY)
    if "deployment" in document:
        return read_state(document, file, regions)
    if "checkpoint" in document:
        raise InvalidGraph(file, "it is a file of the engine's backend", "Write it with `pulumi stack export`")
    if "steps" in document or "changeSummary" in document:
        return read_preview(document, file, regions)
    raise InvalidGraph(file, "it is neither a preview nor an exported state", _REMEDY)


def _load(path: Path) -> Any:
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            problem = f"it has {size:,} bytes, and at most {MAX_FILE_BYTES:,} are read"
            raise InvalidGraph(path.name, problem, "Split the stack")
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InvalidGraph(path.name, f"it cannot be read ({error.strerror})", _REMEDY) from None
    except json.JSONDecodeError as error:
        problem = f"it is no JSON: {error.msg} in line {error.lineno}"
        if error.msg == "Extra data":
            problem += " (a stream of events is not read)"
        raise InvalidGraph(path.name, problem, _REMEDY) from None
    except (UnicodeDecodeError, RecursionError, ValueError) as error:
        raise InvalidGraph(path.name, f"it is no JSON text ({type(error).__name__})", _REMEDY) from None
