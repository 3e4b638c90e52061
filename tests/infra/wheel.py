"""The wheel that stacks of a single host deliver, built once for all tests."""

import fcntl
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from infra.settings import ServiceSettings
from infra.wheels import ROOT

WHEEL = ROOT / "dist" / f"reme_cloud-{ServiceSettings().version}-py3-none-any.whl"


@cache
def ensure_wheel() -> Path:
    """The wheel where `make wheel` leaves it, built if it is not there, by one process at a time."""
    WHEEL.parent.mkdir(exist_ok=True)
    with (WHEEL.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not WHEEL.exists():
            with tempfile.TemporaryDirectory(dir=WHEEL.parent) as scratch:
                command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", scratch]
                subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
                (built,) = Path(scratch).glob("*.whl")
                built.rename(WHEEL)
    return WHEEL
