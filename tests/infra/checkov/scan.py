"""Checkov over plans, in an environment of its own and without a network."""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.infra.checkov.plan_document import write_plan
from tests.infra.checkov.translation import Translated
from tests.servers.installation import PLACE, ServerMissing

PROCESSES = 2
_LIMIT_S = 600
_NOWHERE = "http://127.0.0.1:9"
"""A proxy that answers nobody: whatever Checkov would fetch or send fails at once."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a check says of a resource (by its address) in the plan of a name."""

    id: str
    plan: str
    resource: str
    passed: bool


def find_checkov() -> Path:
    """Checkov's program. Raises ServerMissing."""
    program = PLACE / "checkov" / "bin" / "checkov"
    if not (PLACE / "checkov" / "stamp").exists():
        raise ServerMissing("Checkov is not installed: run `bash tools/install-checkov.sh`")
    return program


def scan(plans: Mapping[str, Sequence[Translated]], ids: Iterable[str]) -> list[Finding]:
    """What the checks of these ids say of the plans, each read alone. Raises ServerMissing."""
    program, checks = find_checkov(), ",".join(sorted(ids))
    names = list(plans)
    parts = [part for part in (names[start::PROCESSES] for start in range(PROCESSES)) if part]
    with ThreadPoolExecutor(PROCESSES) as pool:
        found = pool.map(lambda part: _run(program, {name: plans[name] for name in part}, checks), parts)
        return [finding for findings in found for finding in findings]


def _run(program: Path, plans: Mapping[str, Sequence[Translated]], checks: str) -> list[Finding]:
    with tempfile.TemporaryDirectory(prefix="reme-checkov-") as place:
        for name, resources in plans.items():
            (Path(place) / "plans" / name).mkdir(parents=True)
            text = json.dumps(write_plan(resources), indent=1)
            (Path(place) / "plans" / name / "plan.json").write_text(text, encoding="utf-8")
        # One folder with all: given several, Checkov repeats the findings of the first ones in the next.
        command = [str(program), "--directory", "plans", "--framework", "terraform_plan", "--check", checks]
        command += ["--skip-download", "--compact", "--soft-fail", "--output", "json"]
        done = subprocess.run(
            command,
            cwd=place,
            env=read_environment(place),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            check=False,
        )
    assert done.returncode == 0, f"Checkov ended with {done.returncode}:\n{done.stderr[-4000:]}"
    report = json.loads(done.stdout)
    count = sum(len(resources) for resources in plans.values())
    assert report["summary"]["parsing_errors"] == 0, report["results"]["parsing_errors"]
    assert report["summary"]["resource_count"] == count, f"Checkov read {report['summary']} of {count} resources"
    return [
        Finding(
            id=each["check_id"],
            plan=Path(each["file_path"]).parent.name,
            resource=each["resource"],
            passed=kind == "passed_checks",
        )
        for kind in ("passed_checks", "failed_checks")
        for each in report["results"][kind]
    ]


def read_environment(home: str) -> dict[str, str]:
    """What Checkov sees: no key of its platform, a home without settings, no question for a newer release."""
    closed = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"), _NOWHERE)
    return {"PATH": os.environ["PATH"], "HOME": home, "CKV_SKIP_PACKAGE_UPDATE_CHECK": "true"} | closed
