"""The wheel that hosts install, as a file of this machine, and the list of what it needs."""

import hashlib
from pathlib import Path

from infra.errors import InvalidStack

ROOT = Path(__file__).parents[1]
REQUIREMENTS = ROOT / "app" / "requirements.lock"


def find_wheel(version: str, wheel: str) -> Path:
    """The wheel's file. Raises InvalidStack with the command that builds it."""
    path = ROOT / (wheel or f"dist/reme_cloud-{version}-py3-none-any.whl")
    if not path.is_file():
        raise InvalidStack("service.wheel", wheel or path.name, "a file that is there: `make wheel` builds it")
    return path


def hash_file(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
