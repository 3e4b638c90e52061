"""The HTML report: self-contained, escaped, complete, the same in every run and in both languages."""

import csv
import re
import string
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from functools import cache
from html import escape

import pytest

from sizing.assessment import Assessment, assess
from sizing.cost.report import CostReport, add_up
from sizing.cost.strategies import Outcome
from sizing.cost.tables import comparison_tables
from sizing.errors import MissingExtra
from sizing.estimate import Estimate
from sizing.messages import LANGUAGES, Language, label, messages, render
from sizing.render import html as html_report
from sizing.render.html import Cell, ReportTable, to_html
from sizing.render.labels import show_usd
from sizing.render.option_tables import tabulate_options
from sizing.render.svg_sheet import fit_text, measure
from sizing.tables import DATA
from sizing.workload import sample_workload
from tests.conftest import SCENARIOS, TODAY
from tests.sizing.render.page import Page

HOSTILE = '<script>alert(1)</script><img src="https://example.com/x.png" onerror=alert(1)> & $a$ "quoted"'

ALONE = replace(sample_workload(30_000), clouds=("alicloud",))
"""One cloud only, most of its lines without a list price."""

UNTRANSLATED = re.compile(r"GB(-|$)|P10|CDN$|DNS$|--apply")
"""Messages that are the same in Chinese."""


@cache
def assessment(name: str) -> Assessment:
    return assess({**SCENARIOS, "alone": ALONE}[name], samples=100, today=TODAY)


@cache
def page(name: str, language: Language = "en") -> Page:
    return Page(to_html(assessment(name), language))


def say(code: str, language: Language = "en", **values: object) -> str:
    return render(f"html.{code}", language, values)


NAMES = [*SCENARIOS, "alone"]


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", NAMES)
def test_loads_nothing(name: str, language: Language) -> None:
    found = page(name, language)
    for tag, attributes in found.elements:
        assert tag not in ("script", "img", "image", "iframe", "object", "embed", "base", "form", "video", "audio")
        for key, value in attributes.items():
            assert not key.startswith("on"), f"{tag} has {key}"
            assert key not in ("src", "srcset", "xlink:href", "background", "action", "poster")
            if key == "href":
                assert value.startswith("#") or value == "data:,"
            assert "://" not in value
            assert not re.search(r"url\((?!#)", value)
    assert not re.search(r"url\(|@import|@font-face", found.styles)
    policy = next(a["content"] for tag, a in found.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:")


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_ids_are_unique_and_references_resolve(name: str) -> None:
    elements = page(name).elements
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in elements:
        for value in (attributes.get("href", "data:,"), *re.findall(r"url\((#[^)]*)\)", str(attributes))):
            assert value == "data:," or value[1:] in ids


@pytest.mark.parametrize("language", LANGUAGES)
def test_says_its_language_and_describes_its_charts(language: Language) -> None:
    elements = page("company", language).elements
    assert ("html", {"lang": "zh-Hans" if language == "zh" else "en"}) in elements
    charts = [attributes for tag, attributes in elements if tag == "svg"]
    assert len(charts) == 10
    assert all(chart["role"] == "img" and chart["aria-label"] for chart in charts)
    assert all("scope" in attributes for tag, attributes in elements if tag == "th")


def test_escapes_a_hostile_name() -> None:
    hostile = to_html(assess(replace(sample_workload(50), name=HOSTILE), today=TODAY), "en")
    assert "<script" not in hostile
    assert "<img" not in hostile
    assert escape(HOSTILE, quote=False) in hostile.replace("&#34;", '"')
    assert HOSTILE in Page(hostile).text


def test_a_name_cannot_turn_the_page_around() -> None:
    name = "abc \u202edef\u2066 \x00\ud800"
    text = to_html(assess(replace(sample_workload(50), name=name), today=TODAY), "en")
    assert "abc \ufffddef\ufffd \ufffd\ufffd" in text
    text.encode()


@pytest.mark.parametrize("name", NAMES)
def test_totals_are_the_report_s(name: str) -> None:
    report = assessment(name).report
    mark = " †" if report.unpriced else ""
    found = page(name)
    total = found.table(say("cost-caption")).rows[-1]
    sums = (report.total.low, report.total.expected, report.total.high)
    assert [cell.splitlines()[0] for cell in total[2:5]] == [show_usd(usd) for usd in sums]
    assert total[1].splitlines()[0] == show_usd(assessment(name).planning.total_usd)
    assert total[6:8] == [show_usd(report.baseline.expected), show_usd(report.usage.expected)]
    assert found.table(say("lines-caption")).rows[-1][-2].startswith(show_usd(report.total.expected))
    assert show_usd(report.total.expected) in found.text
    assert mark == "" or say("dagger") in found.text


@pytest.mark.parametrize("name", NAMES)
def test_components_add_up(name: str) -> None:
    rows = page(name).table(say("cost-caption")).rows[:-1]
    report = assessment(name).report
    listed = {row[0]: row[3].splitlines()[0] for row in rows}
    for component, lines in report.by_component.items():
        shown = listed[label(f"component.{component}", "en")]
        if any(line.is_priced for line in lines):
            assert shown in (show_usd(add_up(lines).expected), "<$0.01")
        else:
            assert shown == "no list price"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", NAMES)
def test_every_line_is_there_and_none_is_free_by_mistake(name: str, language: Language) -> None:
    report = assessment(name).report
    rows = page(name, language).table(say("lines-caption", language)).rows[:-1]
    assert len(rows) == len(report.lines)
    missing = show_usd(None, language)
    shown = [row[-2].splitlines()[0] for row in rows]
    assert shown.count(missing) == len(report.unpriced)
    ordered = [line for lines in report.by_component.values() for line in lines]
    for line, row, usd in zip(ordered, rows, shown, strict=True):
        assert ("*" in row[1].splitlines()[0]) == (line.kind != "resource")
        if line.monthly_usd is None:
            assert usd == missing
        elif line.monthly_usd.expected > 0:
            assert usd == show_usd(line.monthly_usd.expected)
        else:
            free = line.quantity[1] == 0 or line.unit_usd == 0
            assert usd == ("$0.00" if free else "<$0.01")


@pytest.mark.parametrize("name", NAMES)
def test_every_price_has_its_source(name: str) -> None:
    found = page(name)
    rows = {row[0]: row for row in found.table(say("prices-caption")).rows}
    stale = {price.name for price in assessment(name).stale_prices}
    for line in assessment(name).report.lines:
        if line.price is None or line.price.usd is None:
            continue
        row = rows[line.price.name]
        assert Decimal(row[1].removeprefix("$").replace(",", "")) == pytest.approx(line.price.usd, rel=Decimal("1e-5"))
        assert line.price.source in row[-1]
        assert str(line.price.amount) in row[3]
        assert ("stale" in row[4] or "undated" in row[4]) == (line.price.name in stale)


@pytest.mark.parametrize("name", ["platform", "alone"])
def test_lines_without_a_price_say_where_one_was_looked_for(name: str) -> None:
    report = assessment(name).report
    rows = page(name).table(say("unknown-caption")).rows
    assert len(rows) == len(report.unpriced)
    for line, row in zip(report.unpriced, rows, strict=True):
        assert row[-1] == (line.price.source if line.price else say("silent"))
    assert say("partial", count=len(report.unpriced)) in page(name).text


@pytest.mark.parametrize("name", NAMES)
def test_only_priced_savings_are_ranked(name: str) -> None:
    outcomes = assessment(name).strategies
    found = page(name)

    def names(caption: str) -> list[str]:
        rows = found.table(say(caption)).rows if say(caption) in found.tables else []
        return [re.sub(r"^\d+\. ", "", row[0].splitlines()[0]) for row in rows]

    def title(outcome: Outcome) -> str:
        return render(f"strategy.{outcome.name}", "en", outcome.values)

    available = [outcome for outcome in outcomes if outcome.status == "available"]
    saving = [o for o in available if not o.partial and o.saved_usd is not None and o.saved_usd > 0]
    ordered = sorted(saving, key=lambda outcome: -(outcome.saved_usd or 0))
    assert names("changes-caption") == [title(outcome) for outcome in ordered]
    unknown = [outcome for outcome in available if outcome.partial or outcome.saved_usd is None]
    assert names("unranked-caption") == [title(outcome) for outcome in unknown]
    assert names("in-plan-caption") == [title(outcome) for outcome in outcomes if outcome.status == "in-plan"]


@pytest.mark.parametrize("name", list(SCENARIOS))
def test_clouds_are_compared_where_both_have_prices(name: str) -> None:
    comparison = assessment(name).comparisons[0]
    found = page(name)
    rows = found.table(say("clouds-caption", here="AWS", there="Alibaba Cloud")).rows
    assert len(rows) == comparison.counted + 1
    assert rows[-1][1:3] == [show_usd(comparison.here_usd), show_usd(comparison.there_usd)]
    excluded = found.table(say("excluded-caption")).rows
    assert len(excluded) == len(comparison.resources) - comparison.counted
    assert all("no list price" in row[1] + row[2] or say("absent") in row[1:3] for row in excluded)


@pytest.mark.parametrize("language", LANGUAGES)
def test_is_the_same_in_every_run(language: Language) -> None:
    import matplotlib as mpl

    first = to_html(assessment("company"), language)
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red", "svg.fonttype": "path", "lines.linewidth": 9}):
        assert to_html(assessment("company"), language) == first
        assert mpl.rcParams["font.size"] == 30


@pytest.mark.slow
def test_is_the_same_in_every_process() -> None:
    program = (
        "import sys; from datetime import date; from sizing.assessment import assess;"
        "from sizing.render.html import to_html; from sizing.workload import sample_workload;"
        "a = assess(sample_workload(500), samples=50, today=date(2026, 11, 22));"
        "sys.stdout.buffer.write(to_html(a, 'zh').encode())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "MPLCONFIGDIR": "", "HOME": "/nonexistent", "PYTHONUTF8": "1"},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


def test_messages_exist_in_both_languages() -> None:
    with (DATA / "messages" / "html.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["code"] for row in rows}) == len(rows)
    for row in rows:
        fields = [
            sorted(name for _, name, _, _ in string.Formatter().parse(row[language]) if name) for language in LANGUAGES
        ]
        assert fields[0] == fields[1], row["code"]
        chinese = re.search(r"[\u4e00-\u9fff]", row["zh"])
        placeholders_only = not re.sub(r"\{\w+\}|[^\w]", "", row["zh"])
        assert chinese or placeholders_only or UNTRANSLATED.match(row["zh"]), row["code"]
        assert not re.search(r"[\u4e00-\u9fff]", row["en"])


@pytest.mark.parametrize("name", NAMES)
def test_names_every_unit_resource_and_driver(name: str) -> None:
    known = messages("zh")
    for line in assessment(name).report.lines:
        assert f"html.unit.{line.unit}" in known
        assert f"html.driver.{line.driver}" in known
    for comparison in assessment(name).comparisons:
        assert all(f"html.resource.{resource.resource}" in known for resource in comparison.resources)
    for text in (page(name, "en").text, page(name, "zh").text):
        assert not re.search(r"\bhtml\.[a-z]", text)
        assert not re.search(r"\{\w+\}", text)


def test_shows_the_options_given() -> None:
    option = ReportTable(
        title="Classes <b>",
        columns=("Class", "USD"),
        rows=(("small", "$1.00"), ("large", Cell(text="$2.00", detail="twice"))),
        chosen=frozenset({1}),
        note="two are enough",
        source="a list",
    )
    found = Page(to_html(assessment("personal"), "en", [option]))
    assert found.table("Classes <b>").rows == [["small", "$1.00"], ["large", "$2.00\ntwice"]]
    assert say("section.options") in found.text
    assert "two are enough" in found.text
    assert "b" not in {tag for tag, _ in found.elements}
    assert say("section.options") not in page("personal").text


@pytest.mark.parametrize("language", LANGUAGES)
def test_shows_the_comparisons_of_the_requirements(language: Language) -> None:
    compared = comparison_tables(assessment("company").design, language)
    tables = tabulate_options(assessment("company").design, language)
    found = Page(to_html(assessment("company"), language, tables))
    for table, comparison in zip(tables, compared, strict=True):
        rows = found.table(table.title).rows
        assert [row[0].splitlines()[0] for row in rows] == [row.option for row in comparison.rows]
        assert [row[-1] for row in rows] == [row.why for row in comparison.rows]
        for row, shown in zip(comparison.rows, rows, strict=True):
            assert all(value in shown[0] for value in row.attributes)


def test_reports_without_draws_growth_or_prices() -> None:
    still = sample_workload(80).with_driver("growth_per_month", Estimate.exactly(0.0))
    found = Page(to_html(assess(still, today=TODAY, apply=("arm64",)), "en"))
    assert say("range-no-draws") in found.text
    assert say("growth-none") in found.text
    assert "Applied: arm64." in found.text
    assert say("draws-caption") not in found.tables
    unpriced = CostReport(lines=tuple(replace(line, monthly_usd=None) for line in assessment("personal").report.lines))
    empty = Page(to_html(replace(assessment("personal"), report=unpriced), "en"))
    assert {row[3].splitlines()[0] for row in empty.table(say("cost-caption")).rows[:-1]} == {
        "no list price",
        say("no-line"),
    }


@pytest.mark.parametrize("module", ["jinja2", "matplotlib"])
def test_names_the_extra_that_is_missing(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    html_report._environment.cache_clear()
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match=r"reme-cloud\[report\]"):
        to_html(assessment("personal"), "en")
    html_report._environment.cache_clear()


def test_fits_labels_to_their_space() -> None:
    assert fit_text("short", 10, 100) == "short"
    assert fit_text("Stored bytes per memory: text and more", 10, 140) == "Stored bytes per memory"
    shortened = fit_text("每活跃用户每日个人记忆总结次数", 10, 90)
    assert shortened.endswith("…")
    assert measure(shortened, 10) <= 90


def test_text_is_dark_enough_to_read() -> None:
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", page("personal").styles))
    pairs = [("ink", "ground"), ("ink", "chosen"), ("muted", "ground"), ("muted", "chosen"), ("muted", "tint")]
    for text, ground in [*pairs, ("warn", "ground"), ("warn", "warn-ground"), ("warn", "chosen")]:
        assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)


def contrast(one: str, other: str) -> float:
    """Return WCAG's contrast ratio of two colours."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
