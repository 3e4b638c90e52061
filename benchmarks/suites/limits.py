"""What the machine itself can do, beside which the engines' figures are read."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from app.backends.sqlite.signs import count_differences, split_signs
from benchmarks.measurement import SIZES, Measurement, Outcome, summarise
from benchmarks.stand import Stand

_REPEATS = 30
_WRITES = 200
_PAGE_BYTES = 4096
MACHINE = "machine"


def limits(stand: Stand, size: str) -> Outcome:
    """Reading memory, scanning signs, comparing all vectors, and flushing a page to the disk."""
    outcome = Outcome(suite="limits", size=size)
    dataset = stand.dataset(SIZES[size])
    stand.say(f"limits {size}: memory")
    vectors = dataset.corpus.matrix(0, dataset.count)
    bits = np.packbits(vectors > 0, axis=1).view(np.uint64)
    asked = dataset.questions.vectors[0]
    query = np.packbits(asked > 0).view(np.uint64)
    words = vectors.reshape(-1).view(np.uint64)
    _note(outcome, "read the vectors once", _repeat(words.sum), vectors.nbytes, dataset.count)
    _note(outcome, "read the signs once", _repeat(bits.sum), bits.nbytes, dataset.count)
    _note(
        outcome,
        "compare all signs (numpy)",
        _repeat(lambda: np.bitwise_count(bits ^ query).sum(axis=1)),
        bits.nbytes,
        dataset.count,
    )
    columns = split_signs(bits.view(np.uint8))
    _note(
        outcome,
        "compare all signs (by columns, as the service does)",
        _repeat(lambda: count_differences(columns, asked)),
        bits.nbytes,
        dataset.count,
    )
    _note(outcome, "compare all vectors (numpy)", _repeat(lambda: vectors @ asked), vectors.nbytes, dataset.count)
    stand.say(f"limits {size}: disk")
    outcome.measurements.append(
        Measurement(
            case="append 4 KB and fdatasync", engine=MACHINE, rows=_WRITES, values=summarise(_flush(stand.data))
        )
    )
    return outcome


def _repeat(call: Callable[[], object]) -> list[float]:
    times = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        call()
        times.append((time.perf_counter() - started) * 1000)
    return times


def _note(outcome: Outcome, case: str, times: list[float], read_bytes: int, rows: int) -> None:
    values = summarise(times)
    values["gb_per_s"] = round(read_bytes / 1e9 / (values["p50_ms"] / 1000), 2)
    outcome.measurements.append(Measurement(case=case, engine=MACHINE, rows=rows, values=values))


def _flush(folder: Path) -> list[float]:
    path = folder / "flush.tmp"
    times = []
    with path.open("wb", buffering=0) as file:
        for _ in range(_WRITES):
            started = time.perf_counter()
            file.write(bytes(_PAGE_BYTES))
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - started) * 1000)
    path.unlink()
    return times
