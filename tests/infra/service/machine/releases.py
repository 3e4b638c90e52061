"""Releases of this repository to deliver: as it is, with another number, and one that is broken."""

import hashlib
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from infra.service.delivery import Release

ROOT = Path(__file__).parents[4]
PACKED = ("sizing", "app", "infra", "policies", "reme_cloud")
BROKEN_STEP = "CREATE TABLE of_a_broken_release (number INTEGER);\n"


@dataclass(frozen=True)
class Bucket:
    """A folder that stands for a bucket."""

    folder: Path

    def put(self, name: str, text: str) -> None:
        """Put a text there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text, encoding="utf-8")

    def publish(self, version: str, *, broken: bool = False) -> Release:
        """Build a wheel of another number and put it and its requirements there.

        A broken release brings the store to a version that no other knows, and then never answers.
        """
        place = self.folder / version
        source = place / "source"
        for package in PACKED:
            shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, source / name)
        project = source / "pyproject.toml"
        text = project.read_text(encoding="utf-8")
        project.write_text(re.sub(r'(?m)^version = ".*"$', f'version = "{version}"', text, count=1), encoding="utf-8")
        if broken:
            (source / "app/backends/sqlite/migrations/0999_broken.sql").write_text(BROKEN_STEP, encoding="utf-8")
            main = source / "app/commands/listening.py"
            main.write_text(
                main.read_text(encoding="utf-8") + '\nraise RuntimeError("a broken release")\n', encoding="utf-8"
            )
        build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(place)]
        done = subprocess.run(build, cwd=source, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        shutil.rmtree(source)
        [wheel] = place.glob("*.whl")
        shutil.copy(ROOT / "app" / "requirements.lock", place / "requirements.lock")
        return Release(
            version=version,
            wheel_url=f"s3://releases/{version}/{wheel.name}",
            wheel_sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
            requirements_url=f"s3://releases/{version}/requirements.lock",
        )
