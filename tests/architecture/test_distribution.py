"""What is installed: extras that keep apart, a wheel that holds its tables."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=!~ ;\[]", requirement)[0].lower() for requirement in requirements}


def test_reme_size_needs_neither_the_service_nor_pulumi() -> None:
    base = names(PROJECT["dependencies"]) | names(PROJECT["optional-dependencies"]["report"])
    assert not {name for name in base if name.startswith("pulumi")}
    assert not base & {"fastapi", "uvicorn", "openai", "sqlite-vec"}


def test_the_service_needs_no_pulumi() -> None:
    assert not {name for name in names(PROJECT["optional-dependencies"]["app"]) if name.startswith("pulumi")}


NOT_PINNED = {"transformers"}
"""Extras that stay out of the lock: torch alone takes 1 GB and more, in as many builds as there are kinds of GPU."""


def test_every_requirement_is_pinned_with_hashes() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pinned = {name.lower() for name in re.findall(r"^([A-Za-z0-9_.-]+)==", lock, re.MULTILINE)}
    wanted = names(PROJECT["dependencies"])
    for extra, requirements in PROJECT["optional-dependencies"].items():
        if extra not in NOT_PINNED:
            wanted |= names(requirements)
    assert {name.replace("_", "-") for name in wanted} <= {name.replace("_", "-") for name in pinned}
    blocks = re.split(r"^(?=[A-Za-z0-9_.-]+==)", lock, flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in lock


@pytest.mark.slow
def test_the_wheel_holds_every_module_and_table(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    packed = set(zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist())
    for package in ("sizing", "app", "infra", "policies", "reme_cloud"):
        for path in (ROOT / package).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert path.relative_to(ROOT).as_posix() in packed
    assert not {name for name in packed if name.startswith("tests/")}
