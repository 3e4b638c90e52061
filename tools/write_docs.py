"""Writes what the documentation takes from the product: whole files, and marked blocks in pages.

``docs/reference`` is written from the code and its tables. In a page, what stands between
``<!-- generated: NAME -->`` and ``<!-- end -->`` is a table of ``marked_blocks``; what stands between
``<!-- output -->`` and ``<!-- end -->`` is what the command before it prints, from a run of the page
in an empty folder; what differs from run to run (ids, times, durations) is replaced. ``--check``
writes nothing and exits with 1 where a file would change.
"""

import argparse
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sizing.assessment import assess
from sizing.estimate import Estimate
from sizing.messages import Language
from sizing.render.labels import name_tier, show_range, show_usd
from sizing.workload import Workload, sample_workload
from tools.emulation_page import EMULATION_FILES
from tools.examples_page import EXAMPLES_FILES
from tools.page_commands import run_page, shorten
from tools.policies_page import POLICIES_FILES
from tools.preview_page import PREVIEW_FILES
from tools.reference_pages import FILES as PLANNER_FILES
from tools.reference_pages import TODAY, table
from tools.security_page import SECURITY_FILES
from tools.service_pages import SERVICE_FILES
from tools.stacks_page import STACKS_FILES
from tools.stores_page import STORE_FILES

ROOT = Path(__file__).resolve().parents[1]

SCENARIOS: dict[str, tuple[dict[Language, str], Workload]] = {
    "personal": ({"en": "Personal project", "zh": "个人项目"}, sample_workload(50)),
    "team": (
        {"en": "Small team", "zh": "小团队"},
        sample_workload(90).with_driver("memories_per_user", Estimate.exactly(8000)),
    ),
    "company": ({"en": "Company", "zh": "中等企业"}, sample_workload(500)),
    "platform": ({"en": "Platform", "zh": "大型平台"}, sample_workload(5000)),
}
"""The four rows of the requirements' closing table, each with users that lead to its tier."""

FILES: dict[str, Callable[[], str]] = {
    **PLANNER_FILES,
    **SERVICE_FILES,
    **STORE_FILES,
    **SECURITY_FILES,
    **STACKS_FILES,
    **PREVIEW_FILES,
    **POLICIES_FILES,
    **EMULATION_FILES,
    **EXAMPLES_FILES,
}
"""What is written whole, by path from the root."""

PAGES = (
    "README.md",
    "README.zh-CN.md",
    "docs/quickstart.md",
    "docs/howto/plan-a-workload.md",
    "docs/howto/read-the-report.md",
    "docs/howto/override-choices.md",
    "docs/howto/use-your-own-prices.md",
    "docs/howto/compare-and-diff.md",
    "docs/howto/batch.md",
    "docs/howto/use-in-ci.md",
    "docs/howto/use-from-an-existing-client.md",
    "docs/howto/search-and-filter.md",
    "docs/howto/export-and-import.md",
    "docs/howto/erase-a-user.md",
    "docs/howto/working-memory.md",
)

_MARKED = re.compile(
    r"(?P<open><!-- (?P<kind>generated|output)(?:: (?P<what>[^\n]*?))? -->\n).*?(?P<close><!-- end -->)", re.DOTALL
)


def marked_blocks() -> dict[str, Callable[[], str]]:
    """Return what ``<!-- generated: NAME -->`` can name."""
    return {
        "tiers": lambda: tiers_priced("en"),
        "tiers-zh": lambda: tiers_priced("zh"),
    }


TIER_COLUMNS: dict[Language, tuple[str, ...]] = {
    "en": (
        "Scenario",
        "Users",
        "Memories",
        "Tier",
        "Planning figure",
        "List, expected",
        "List, low – high",
        "Lines without a price",
    ),
    "zh": ("场景", "用户", "记忆条数", "层级", "规划数字", "报价，预计", "报价，低 – 高", "无报价的行"),
}


def tiers_priced(language: Language) -> str:
    """Return the four scenarios with their planning figures and list prices."""
    rows = []
    for names, workload in SCENARIOS.values():
        found = assess(workload, today=TODAY)
        users, each = (workload.drivers[name].expected for name in ("users", "memories_per_user"))
        gaps = len(found.report.unpriced)
        rows.append(
            (
                names[language],
                f"{users:,.0f}",
                f"{users * each:,.0f}",
                name_tier(found.plan.tier, language),
                f"{show_usd(found.planning.total_usd)} ({translate_section(found.planning.section, language)})",
                show_usd(found.report.total.expected) + (" †" if gaps else ""),
                show_range(found.report.total),
                f"{gaps} / {len(found.report.lines)}",
            )
        )
    return table(TIER_COLUMNS[language], rows, (1, 2, 4, 5, 6, 7))


def translate_section(section: str, language: Language) -> str:
    """Name the requirements' closing table in the reader's language."""
    return section.replace("closing table", "结尾表格") if language == "zh" else section


def fill_page(text: str) -> str:
    """Return a page with its marked blocks written anew."""
    starts = [found.start() for found in _MARKED.finditer(text) if found["kind"] == "output"]
    outputs = run_page(text, max(starts)) if starts else {}

    def write(found: re.Match[str]) -> str:
        if found["kind"] == "generated":
            return f"{found['open']}{marked_blocks()[found['what']]()}\n{found['close']}"
        before = [end for end in outputs if end <= found.start()]
        wanted = found["what"] or ""
        output = shorten(outputs[max(before)], wanted)
        language = "json" if wanted.startswith("json") else "text"
        return f"{found['open']}```{language}\n{output}```\n{found['close']}"

    return _MARKED.sub(write, text)


def write_all() -> dict[str, str]:
    """Return every generated file and every page with its blocks, by path from the root."""
    written = {path: write() for path, write in FILES.items()}
    for path in PAGES:
        written[path] = fill_page((ROOT / path).read_text(encoding="utf-8"))
    return written


def main() -> int:
    """Write the files, or name those that are stale."""
    parser = argparse.ArgumentParser(description="Write the generated parts of the documentation.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 where a file is stale")
    only_check = parser.parse_args().check
    for name in ("COLUMNS", "FORCE_COLOR", "NO_COLOR"):
        os.environ.pop(name, None)
    stale = []
    for name, text in write_all().items():
        path = ROOT / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if not only_check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    for name in stale:
        print(f"docs: {name} is stale; run make docs" if only_check else f"docs: wrote {name}")
    return 1 if only_check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
