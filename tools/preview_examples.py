"""Previews Pulumi's public Python examples offline, and writes what was priced in docs.

    python tools/preview_examples.py FOLDER [--only TEXT]

FOLDER holds clones of the repositories that `preview_examples.csv` names, each under its own name. Every example is
read from git at the commit that the clone is at, put into a repository of its own, and previewed twice: as a new
project, and unchanged, with itself as the base. Nothing of the examples is kept but our figures. `--only` runs the
programs whose path has the text, and prints the figures without writing a file.
"""

import argparse
import csv
import io
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import textwrap
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from infra.deployment.engine import find_command
from infra.preview.preview import Request, preview_change
from infra.preview.result import StackResult
from tools.examples_page import (
    COUNTS,
    FIGURES,
    FIGURES_FILE,
    PAGE,
    PROGRAMS,
    UNPRICED,
    UNPRICED_FILE,
    read_rows,
    write_examples_page,
)

ROOT = Path(__file__).resolve().parents[1]
STACK = "preview"
REGIONS = {"aws:region": "us-east-1", "alicloud:region": "cn-hangzhou"}
"""Where the examples are put: one region that the catalogue has prices of, for each cloud."""
SDKS = ("pulumi", "pulumi-aws", "pulumi-alicloud", "pulumi-random")
LIMIT_S = 300.0


def write_project(clone: Path, path: str, config: str, target: Path) -> None:
    """Write an example's folder with a stack's file; a path of an SDK's module is the first example in its text."""
    if path.endswith(".py"):
        text = _git(clone, "show", f"HEAD:{path}").decode()
        found = re.search(r"```python\n(.*?)```", text, re.DOTALL)
        if found is None:
            raise SystemExit(f"{path} of {clone.name} has no example")
        (target / "__main__.py").write_text(textwrap.dedent(found[1]), encoding="utf-8")
        project: dict[str, object] = {"name": Path(path).stem, "runtime": "python"}
    else:
        with tarfile.open(fileobj=io.BytesIO(_git(clone, "archive", f"HEAD:{path}"))) as archive:
            archive.extractall(target, filter="data")
        # A template's name is filled in by the engine when a project is made of it.
        text = (target / "Pulumi.yaml").read_text(encoding="utf-8")
        project = yaml.safe_load(text.replace("${PROJECT}", Path(path).name).replace("${DESCRIPTION}", ""))
    (target / "Pulumi.yaml").write_text(yaml.safe_dump(project), encoding="utf-8")
    name = str(project["name"])
    given = dict(part.split("=", 1) for part in config.split())
    settings = REGIONS | {key if ":" in key else f"{name}:{key}": value for key, value in given.items()}
    (target / f"Pulumi.{STACK}.yaml").write_text(yaml.safe_dump({"config": settings}), encoding="utf-8")


def preview_program(clone: Path, row: Mapping[str, str]) -> tuple[dict[str, object], list[dict[str, object]]]:
    """The figures of one program, and the resources of it that have no price."""
    with tempfile.TemporaryDirectory(prefix="preview-examples-") as folder:
        place = Path(folder)
        _git(place, "init", "--quiet")
        _commit(place, "nothing")
        write_project(clone, row["path"], row["config"], place)
        _commit(place, "example")
        begun = time.perf_counter()
        new = _preview(place, "HEAD~1")
        seconds = time.perf_counter() - begun
        again = _preview(place, "HEAD") if new.status != "failed" else new
    commit = _git(clone, "rev-parse", "HEAD").decode().strip()
    about = {"repository": row["repository"], "path": row["path"], "commit": commit}
    figures: dict[str, object] = {**dict.fromkeys(FIGURES, ""), **about}
    figures |= {"sdks": " ".join(f"{sdk} {version(sdk)}" for sdk in SDKS), "seconds": f"{seconds:.1f}"}
    error = new.error or again.error
    if error:
        return figures | {"outcome": "failed", "reason": _shorten(error, place)}, []
    return figures | _read_figures(new, again), _list_unpriced(about, new)


def _preview(folder: Path, base: str) -> StackResult:
    result = preview_change(Request(project=folder, base=base, head="HEAD", stacks=(STACK,), limit_s=LIMIT_S))
    (stack,) = result.stacks
    return stack


def _read_figures(new: StackResult, again: StackResult) -> dict[str, object]:
    counts, once_up, spend, later = new.cost.counts_after, again.cost.counts_before, new.cost.after, again.cost.before
    assert counts is not None and once_up is not None and spend is not None and later is not None  # noqa: S101
    lookups = next((note for note in new.notes if note.startswith("Made-up answers: ")), "")
    return {
        "outcome": "previewed",
        "resources": counts.total,
        **{name: getattr(counts, name) for name in COUNTS},
        "baseline_usd": f"{spend.baseline.expected:.2f}",
        "made_up": new.made_up,
        "lookups": lookups.removeprefix("Made-up answers: ").removesuffix("."),
        "violations": len(new.violations),
        "again_changes": len(again.changes),
        "again_resources": once_up.total,
        "again_baseline_usd": f"{later.baseline.expected:.2f}",
    }


def _list_unpriced(about: Mapping[str, str], new: StackResult) -> list[dict[str, object]]:
    counted = Counter((each.type, each.status, each.reason) for each in new.cost.unpriced)
    return [
        {**about, "type": type_, "status": status, "reason": reason, "resources": count}
        for (type_, status, reason), count in sorted(counted.items())
    ]


def _shorten(error: str, place: Path) -> str:
    text = re.sub(r"\S*/reme-preview-[^/\s]+/", "", error.replace(str(place), ""))
    return " ".join(text.split())[:600]


def _commit(folder: Path, message: str) -> None:
    _git(folder, "add", "--all", "--force")
    who = ("-c", "user.name=preview", "-c", "user.email=preview@example.invalid", "-c", "commit.gpgsign=false")
    _git(folder, *who, "commit", "--quiet", "--allow-empty", "--message", message)


def _git(folder: Path, *arguments: str) -> bytes:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True).stdout


def _write(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> int:
    """Preview every program, write the figures and the page; return 1 where a program failed."""
    parser = argparse.ArgumentParser(description="Preview Pulumi's public examples, and write what was priced.")
    parser.add_argument("folder", type=Path, help="folder of the clones")
    parser.add_argument("--only", default="", help="part of a path: print these figures, and write nothing")
    given = parser.parse_args()
    # The engine is the one of this repository; an example has none beside it.
    os.environ["PATH"] = f"{Path(find_command(ROOT).command).parent}{os.pathsep}{os.environ['PATH']}"
    figures, unpriced = [], []
    for row in read_rows(PROGRAMS):
        if row["left_out"] or given.only not in row["path"]:
            continue
        found, open_ones = preview_program(given.folder / row["repository"].partition("/")[2], row)
        print({key: value for key, value in found.items() if key not in ("commit", "sdks")}, flush=True)
        if given.only:
            print(*open_ones, sep="\n")
        figures.append(found)
        unpriced += open_ones
    if not given.only:
        _write(ROOT / FIGURES_FILE, FIGURES, figures)
        _write(ROOT / UNPRICED_FILE, UNPRICED, unpriced)
        (ROOT / PAGE).write_text(write_examples_page(), encoding="utf-8")
    return int(any(each["outcome"] == "failed" for each in figures))


if __name__ == "__main__":
    sys.exit(main())
