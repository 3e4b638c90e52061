"""The page of previewed examples follows from its figures, and the figures add up."""

from collections import Counter
from decimal import Decimal

from tools.examples_page import (
    COUNTS,
    FIGURES_FILE,
    PAGE,
    PROGRAMS,
    ROOT,
    UNPRICED_FILE,
    read_rows,
    write_examples_page,
)

FIGURES = read_rows(ROOT / FIGURES_FILE)
DONE = [row for row in FIGURES if row["outcome"] == "previewed"]
OPEN = ("by_use", "unknown", "no_price", "unsupported")


def program(row: dict[str, str]) -> tuple[str, str]:
    return row["repository"], row["path"]


def test_the_page_is_written_from_the_figures() -> None:
    assert (ROOT / PAGE).read_text(encoding="utf-8") == write_examples_page()


def test_every_resource_is_counted_once() -> None:
    assert len(DONE) >= 8
    for row in DONE:
        assert sum(int(row[name]) for name in COUNTS) == int(row["resources"]) == int(row["again_resources"]), row


def test_every_resource_without_a_price_is_told_with_its_reason() -> None:
    told: Counter[tuple[str, str, str]] = Counter()
    for row in read_rows(ROOT / UNPRICED_FILE):
        assert row["reason"], row
        told[(*program(row), row["status"].replace("-", "_"))] += int(row["resources"])
    counted = {(*program(row), name): int(row[name]) for row in DONE for name in OPEN if int(row[name])}
    assert told == counted


def test_a_program_that_does_not_change_changes_nothing_unless_a_remark_says_why() -> None:
    remarked = {program(row) for row in read_rows(PROGRAMS) if row["remark"]}
    for row in DONE:
        assert row["again_changes"] == "0" or program(row) in remarked, row
        assert Decimal(row["again_baseline_usd"]) == Decimal(row["baseline_usd"]) or program(row) in remarked, row
    assert {program(row) for row in FIGURES if row["outcome"] == "failed"} <= remarked


def test_every_listed_program_was_run_or_says_why_not() -> None:
    wanted = {program(row) for row in read_rows(PROGRAMS) if not row["left_out"]}
    assert {program(row) for row in FIGURES} == wanted
    assert len({(row["repository"], row["commit"]) for row in FIGURES}) == len({row["repository"] for row in FIGURES})
