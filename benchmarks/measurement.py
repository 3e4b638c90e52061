"""What a suite measured, and how a list of times becomes a few figures."""

import json
import os
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

SIZES: Mapping[str, int] = {"1k": 1_000, "10k": 10_000, "100k": 100_000, "1m": 1_000_000}
ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """Figures of one engine in one case. `rows` is how many memories it held, which may be fewer than asked for."""

    case: str
    engine: str
    rows: int
    values: Mapping[str, float]
    note: str = ""


@dataclass(kw_only=True)
class Outcome:
    """All that one run of a suite at one size gave."""

    suite: str
    size: str
    started: str = ""
    seconds: float = 0.0
    surroundings: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, dict[str, str]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    measurements: list[Measurement] = field(default_factory=list)
    left_out: list[dict[str, str]] = field(default_factory=list)

    def leave_out(self, engine: str, reason: str, case: str = "") -> None:
        """Note that an engine is missing, and why."""
        told = " ".join(reason.replace(str(ROOT), ".").split())
        self.left_out.append({"engine": engine, "case": case, "reason": told})

    def find(self, case: str, engine: str) -> Measurement | None:
        """An engine's figures in a case."""
        return next((one for one in self.measurements if one.case == case and one.engine == engine), None)

    def save(self, folder: Path = RESULTS) -> Path:
        """Write the outcome as `SUITE-SIZE.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.suite}-{self.size}.json"
        path.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        return path


def load_outcome(path: Path) -> Outcome:
    """Read what `Outcome.save` wrote."""
    document = json.loads(path.read_text(encoding="utf-8"))
    document["measurements"] = [Measurement(**one) for one in document["measurements"]]
    return Outcome(**document)


def load_outcomes(folder: Path = RESULTS) -> list[Outcome]:
    """Every outcome that was kept."""
    return [load_outcome(path) for path in sorted(folder.glob("*-*.json"))]


def summarise(values: Sequence[float], prefix: str = "") -> dict[str, float]:
    """Median, 95th and 99th percentile of times in milliseconds, and how many there were."""
    if not values:
        return {}
    p50, p95, p99 = np.percentile(np.asarray(values, np.float64), [50, 95, 99])
    return {
        f"{prefix}p50_ms": round(float(p50), 4),
        f"{prefix}p95_ms": round(float(p95), 4),
        f"{prefix}p99_ms": round(float(p99), 4),
        f"{prefix}n": len(values),
    }


def describe_surroundings() -> dict[str, Any]:
    """Cores, memory, Python and load; not which machine it is."""
    pages, page_bytes = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(pages * page_bytes / 2**30, 1),
        "architecture": platform.machine(),
        "system": platform.system(),
        "python": sys.version.split()[0],
        "load_before": round(os.getloadavg()[0], 2),
        "nice": os.nice(0),
    }


def stamp() -> str:
    """The time now in UTC, to the minute."""
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime())
