"""Makes the environments of the peers, each with the pinned packages of its file in `peers/`."""

import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from benchmarks.corpus.preparation import Say
from benchmarks.engines.roster import Entry, find_python
from benchmarks.errors import BenchmarkError

UV = "uv==0.13.9"
"""The version that tools/lock.sh uses."""
PEERS = Path(__file__).parent / "peers"
_TIMEOUT_S = 900


def prepare_environment(entry: Entry, environments: Path, say: Say) -> None:
    """Make an engine's environment unless it is there with the same pins; raises `BenchmarkError`."""
    if not entry.requirements:
        return
    pins = PEERS / f"{entry.requirements}.txt"
    python = find_python(entry, environments)
    stamp = python.parents[1] / ".pins"
    digest = sha256(pins.read_bytes()).hexdigest()
    if python.exists() and stamp.exists() and stamp.read_text(encoding="ascii") == digest:
        return
    say(f"installing {entry.name} ({pins.name})")
    uv = _find_uv(environments)
    _run([str(uv), "venv", "--quiet", "--clear", "--python", sys.executable, str(python.parents[1])])
    install = [str(uv), "pip", "install", "--quiet", "--require-hashes", "--python", str(python), "-r", str(pins)]
    _run(install)
    stamp.write_text(digest, encoding="ascii")


def _find_uv(environments: Path) -> Path:
    uv = environments / "lock" / "bin" / "uv"
    if not uv.exists():
        _run([sys.executable, "-m", "venv", str(environments / "lock")])
        _run([str(environments / "lock" / "bin" / "pip"), "install", "--quiet", UV])
    return uv


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    if done.returncode:
        raise BenchmarkError(f"{Path(command[0]).name} {command[1]} failed: {done.stderr.strip()[-400:]}")
