"""Times ``reme-size`` as whole processes, as ratios against the bare interpreter and against pandas.

Prints and decides nothing but one thing: figures that the documentation promises are shown beside
what was measured. No test depends on a time.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 9
BATCH_ROWS = 10_000
COLD_GOAL_S = 0.4
BATCH_GOAL_S = 10.0


def time_command(arguments: list[str]) -> float:
    """Return the seconds of one run as a whole process."""
    start = time.perf_counter()
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def time_batch(command: str, low: int, high: int) -> float:
    """Return the seconds for BATCH_ROWS workloads whose users are spread evenly on a logarithmic scale."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "workloads.csv"
        growth = (high / low) ** (1 / BATCH_ROWS)
        rows = [f"{int(low * growth**index)},{index % 5_000 + 100}" for index in range(BATCH_ROWS)]
        source.write_text("users,memories_per_user\n" + "\n".join(rows) + "\n", encoding="utf-8")
        return time_command([command, "batch", str(source), "-o", str(Path(folder) / "costs.csv")])


def main() -> int:
    """Measure and print."""
    python = sys.executable
    size = [str(Path(python).with_name("reme-size")), "--users", "500"]
    peers = {"python -c pass": [python, "-c", "pass"], "import pandas": [python, "-c", "import pandas"]}
    for command in (size, *peers.values()):
        time_command(command)
    # In turn, so that a machine that slows down slows all of them.
    rounds = [(time_command(size), *(time_command(command) for command in peers.values())) for _ in range(ROUNDS)]
    own = [one[0] for one in rounds]
    span = f"({min(own):.3f}-{max(own):.3f})"
    print(f"reme-size --users 500, cold: median {statistics.median(own):.3f} s {span}, goal {COLD_GOAL_S} s")
    for index, name in enumerate(peers, start=1):
        ratios = [one[0] / one[index] for one in rounds]
        peer = statistics.median(one[index] for one in rounds)
        print(f"  against {name} ({peer:.3f} s): {statistics.median(ratios):.2f} times")
    for title, low, high in (("of all tiers", 3, 30_000), ("of the largest tier only", 1_001, 30_000)):
        spent = time_batch(size[0], low, high)
        rate = f"{BATCH_ROWS / spent:,.0f} a second"
        print(f"{BATCH_ROWS:,} workloads {title}: {spent:.2f} s ({rate}), goal {BATCH_GOAL_S} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
