"""Writes `data` anew: `python -m tests.sizing.graph.engine.record`, with the engine of `tools/install-pulumi.sh`.

The files are the engine's own; paths of the machine, times and the salt are taken out, nothing else is changed.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.emulated_aws.stage import ROOT, find_engine

DATA = Path(__file__).parents[1] / "data"
_OF_MACHINE = ("sourcePosition", "stackTrace", "created", "modified")
_PROJECT = """name: demo
runtime:
  name: python
  options:
    virtualenv: {virtualenv}
main: {program}
"""


def record_files() -> None:
    """Bring the program's first state up, and preview the second."""
    with tempfile.TemporaryDirectory() as folder:
        run = _Engine(Path(folder))
        run("before", "stack", "init", "dev")
        for key, value in (("aws:region", "us-east-1"), ("alicloud:region", "cn-beijing")):
            run("before", "config", "set", key, value)
        run("before", "config", "set", "--secret", "password", "of the tests")
        _write("preview-new.json", run("before", "preview", "--json"))
        run("before", "up", "--yes", "--skip-preview")
        _write("state.json", run("before", "stack", "export"))
        _write("state-shown.json", run("before", "stack", "export", "--show-secrets"))
        _write("preview-nothing.json", run("before", "preview", "--json", "--show-sames"))
        _write("preview.json", run("after", "preview", "--json", "--show-sames"))
        _write("preview-partial.json", run("after", "preview", "--json"))
        _write(
            "preview-replacements.json", run("after", "preview", "--json", "--show-sames", "--show-replacement-steps")
        )


class _Engine:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        engine = find_engine()
        for name in ("plugins", "home", "state", "project"):
            (folder / name).mkdir()
        for name in ("aws", "alicloud"):
            plugin = folder / "plugins" / f"pulumi-resource-{name}"
            plugin.write_text(
                f"#!/bin/sh\nexport PYTHONPATH='{ROOT}'\n"
                f"exec '{sys.executable}' -m tests.sizing.graph.engine.plugin {name}\n",
                encoding="utf-8",
            )
            plugin.chmod(0o755)
        text = _PROJECT.format(virtualenv=ROOT / ".venv", program=Path(__file__).parent)
        (folder / "project" / "Pulumi.yaml").write_text(text, encoding="utf-8")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PULUMI_", "AWS_"))}
        self._command = engine / "pulumi"
        self._environment = kept | {
            "PATH": os.pathsep.join((str(folder / "plugins"), str(engine), kept["PATH"])),
            "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_CONFIG_PASSPHRASE": "",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }

    def __call__(self, state: str, *arguments: str) -> str:
        stack = () if arguments[0] == "stack" and arguments[1] == "init" else ("--stack", "dev")
        done = subprocess.run(
            [self._command, *arguments, *stack, "--non-interactive", "--color", "never"],
            cwd=self._folder / "project",
            env=self._environment | {"STATE": state},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(done.stdout + done.stderr)
        return done.stdout


def _write(name: str, text: str) -> None:
    document = _clean(json.loads(text))
    (DATA / name).write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _clean(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {key: _clean(each) for key, each in value.items() if key not in _OF_MACHINE}
        if "manifest" in kept:
            kept["manifest"] = {"time": "2026-01-01T00:00:00Z", "magic": "", "version": kept["manifest"]["version"]}
        if "diagnostics" in kept:
            kept["diagnostics"] = []
        if "secrets_providers" in kept:
            kept["secrets_providers"] = {"type": "passphrase", "state": {"salt": ""}}
        return kept
    return [_clean(each) for each in value] if isinstance(value, list) else value


if __name__ == "__main__":
    record_files()
