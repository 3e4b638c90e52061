"""The reference page of the examples that were previewed, from the figures that `preview_examples.py` wrote."""

import csv
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path

from tools.reference_pages import REFERENCE, code, page, table

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = Path(__file__).parent / "preview_examples.csv"
PAGE = f"{REFERENCE}/preview-examples.md"
FIGURES_FILE = "docs/preview-examples.csv"
UNPRICED_FILE = "docs/preview-examples-unpriced.csv"
Remarks = Mapping[tuple[str, str], str]
COUNTS = ("priced", "free", "by_use", "unknown", "no_price", "unsupported")
WORDS = ("Priced", "Free", "By use", "Unknown", "No price", "Not supported")
FIGURES = (
    *("repository", "path", "commit", "sdks", "outcome", "reason", "resources", *COUNTS, "baseline_usd"),
    *("made_up", "lookups", "violations", "again_changes", "again_resources", "again_baseline_usd", "seconds"),
)
UNPRICED = ("repository", "path", "commit", "type", "status", "reason", "resources")


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a table of ours."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


_LEAD = (
    "Programs that Pulumi publishes for everyone, previewed by `reme-preview` offline: without an account, and with "
    "the plugins of this repository in place of the providers. The programs run as they are published, with a region "
    "and placeholders for the settings that they need. Nothing of them is kept here but these figures, which are also "
    "in [preview-examples.csv](../preview-examples.csv) and "
    "[preview-examples-unpriced.csv](../preview-examples-unpriced.csv) with the commits and the versions of the SDKs. "
    "A list of another day is made with `python tools/preview_examples.py FOLDER`."
)
_TWICE = (
    "Every program is previewed twice. First as a new project, where whatever a resource learns only when it is made "
    "is not known yet: this gives the figures. Then unchanged, with itself as the base: base is brought up on the "
    "made-up cloud, and the preview after that must change nothing (the column *Again* counts what it would change) "
    "and cost the same."
)
_MEANING = (
    "*Resources* are those with a provider, without components, and are the sum of the six columns after it. *Priced*: "
    "every part has a list price. *Free*: costs nothing, or is billed as part of another resource. *By use*: only its "
    "use is billed, and nobody said how much: its cost is unknown, not zero. *Unknown*: the price needs a property "
    "that is known only once the program has run. *No price*: the kind is known, and the catalogue has no list price "
    "for it there. *Not supported*: the kind is not known. *Baseline* is the list price a month of what has one, "
    "before the first request, at the expected size; it is a lower bound (≥) where a resource is unknown, has no price "
    "or is not supported, and *+ use* says that something is billed by use alone. Machines in a subnet that the "
    "program does not make are taken to have no public address where it does not ask for one. *Made-up look-ups* are "
    "questions to the cloud that were answered with something of the right form, such as the number of an image, or "
    "one subnet where the default network has several: a program that decides or counts by the answer may come out "
    "otherwise on the real cloud. *Seconds* are those of the first preview, on a busy machine of two cores."
)
_LEFT_OUT = (
    "Of the providers' SDKs only `pulumi-aws`, `pulumi-alicloud` and `pulumi-random` are installed here. The one "
    "example of Alibaba Cloud in pulumi/examples is in TypeScript, so the programs of that cloud are from its "
    "provider and from the templates. A path that ends in `.py` is the first example in the text of that module of "
    "the SDK; these modules were picked among the kinds that the price functions know. Of pulumi/examples every "
    "folder `aws-*` with a program in Python is listed, of pulumi/templates every one for AWS or Alibaba Cloud."
)


def write_examples_page() -> str:
    """Write the page from the figures and the list of the programs."""
    figures, unpriced = read_rows(ROOT / FIGURES_FILE), read_rows(ROOT / UNPRICED_FILE)
    done = [row for row in figures if row["outcome"] == "previewed"]
    failed = [row for row in figures if row["outcome"] == "failed"]
    programs = read_rows(PROGRAMS)
    left = [row for row in programs if row["left_out"]]
    remarks = {(row["repository"], row["path"]): row["remark"] for row in programs if row["remark"]}
    commits = dict.fromkeys((row["repository"], row["commit"]) for row in figures)
    return page(
        "Public examples, previewed",
        _LEAD,
        "Commits: " + ", ".join(f"{name} {code(commit[:12])}" for name, commit in commits) + f". {figures[0]['sdks']}.",
        _TWICE,
        _MEANING,
        "## Figures",
        _write_figures(done),
        *_write_remarks(done, remarks),
        *_write_failures(failed, remarks),
        "## What has no price",
        table(
            ("Type", "Status", "Resources", "Programs", "Why"),
            _group_unpriced(unpriced),
            (2, 3),
        ),
        "## Programs that were left out",
        _LEFT_OUT,
        table(("Program", "Why"), [(_name(row), row["left_out"]) for row in left]),
    )


def _write_figures(rows: list[dict[str, str]]) -> str:
    columns = ("Program", "Resources", *WORDS, "Baseline a month", "Made-up look-ups", "Again", "Seconds")
    cells = [
        (
            _name(row),
            row["resources"],
            *(row[name] for name in COUNTS),
            _show_baseline(row),
            row["made_up"],
            row["again_changes"],
            row["seconds"],
        )
        for row in rows
    ]
    sums = [sum(int(row[name]) for row in rows) for name in ("resources", *COUNTS)]
    made_up, again = (sum(int(row[name]) for row in rows) for name in ("made_up", "again_changes"))
    total = (f"{len(rows)} programs", *sums, "", made_up, again, "")
    return table(columns, [*cells, total], range(1, len(columns)))


def _write_remarks(rows: list[dict[str, str]], remarks: Remarks) -> list[str]:
    found = [(_name(row), remarks[_key(row)]) for row in rows if _key(row) in remarks]
    return ["### Remarks", table(("Program", "Remark"), found)] if found else []


def _write_failures(rows: list[dict[str, str]], remarks: Remarks) -> list[str]:
    if not rows:
        return []
    cells = [(_name(row), code(row["reason"]), remarks.get(_key(row), "")) for row in rows]
    return ["## Programs that could not be previewed", table(("Program", "What was said", "Why"), cells)]


def _group_unpriced(rows: list[dict[str, str]]) -> list[tuple[object, ...]]:
    kinds = dict.fromkeys((row["type"], row["status"], row["reason"]) for row in rows)
    found: list[tuple[object, ...]] = []
    for kind in sorted(kinds, key=lambda each: (each[1], each[0], each[2])):
        same = [row for row in rows if (row["type"], row["status"], row["reason"]) == kind]
        programs = len({(row["repository"], row["path"]) for row in same})
        found.append((code(kind[0]), kind[1], sum(int(row["resources"]) for row in same), programs, kind[2]))
    return found


def _show_baseline(row: dict[str, str]) -> str:
    usd = Decimal(row["baseline_usd"])
    bound = any(int(row[name]) for name in ("unknown", "no_price", "unsupported"))
    known = "not known" if bound and not usd else f"{'≥ ' if bound else ''}${usd:,.2f}"
    return f"{known} + use" if int(row["by_use"]) else known


def _key(row: Mapping[str, str]) -> tuple[str, str]:
    return row["repository"], row["path"]


def _name(row: dict[str, str]) -> str:
    return f"{row['repository']} {code(row['path'])}"


EXAMPLES_FILES: dict[str, Callable[[], str]] = {PAGE: write_examples_page}
