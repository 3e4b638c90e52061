"""The HTML report in a real Chromium: no request, no error, no sideways scrolling, and it prints."""

import os
import re
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sizing.assessment import assess
from sizing.messages import Language
from sizing.render.html import to_html
from tests.conftest import SCENARIOS, TODAY
from tests.servers.waiting import PATIENCE_S

pytestmark = pytest.mark.browser

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
CASES: list[tuple[str, Language]] = [("personal", "en"), ("company", "en"), ("platform", "en"), ("platform", "zh")]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium of this machine; skipped where there is none, a failure on CI."""
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        reason = "no Chromium found: run tools/install-browser.sh as root"
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=list(FLAGS), timeout=PATIENCE_S * 1000)
        yield launched
        launched.close()


class Visit:
    """One page with what it asked for and what it complained about; every request but the file is refused."""

    def __init__(self, browser: Any, file: Path, width: int) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.context = browser.new_context(viewport={"width": width, "height": 900})
        self.context.set_default_timeout(PATIENCE_S * 1000)
        self.page = self.context.new_page()
        self.page.route("**/*", self._answer)
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.file = file.as_uri()
        self.page.goto(self.file)

    def _answer(self, route: Any) -> None:
        if route.request.url == self.file:
            route.continue_()
            return
        self.requests.append(route.request.url)
        route.abort()

    def open_details(self) -> None:
        """Open what is folded, and wait until that is drawn."""
        self.page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true })")
        self.page.evaluate("new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a scenario in a language, as a file."""
    name, language = request.param
    path = tmp_path_factory.mktemp("report") / f"{name}.{language}.html"
    path.write_text(to_html(assess(SCENARIOS[name], samples=100, today=TODAY), language), encoding="utf-8")
    return path


@pytest.mark.parametrize("width", [375, 768, 1280])
def test_reads_at_every_width(browser: Any, file: Path, width: int) -> None:
    visit = Visit(browser, file, width)
    visit.open_details()
    assert visit.page.evaluate("document.scrollingElement.scrollWidth") <= width
    charts = visit.page.evaluate(
        """[...document.querySelectorAll('svg')].map(drawing => drawing.getBoundingClientRect())
           .filter(box => box.width > 0).map(box => [box.width, box.height, box.right])"""
    )
    assert len(charts) == visit.page.locator("figure.chart").count()
    assert all(wide > 250 and high > 80 and right <= width for wide, high, right in charts)
    assert visit.requests == []
    assert visit.complaints == []
    visit.context.close()


def test_chart_text_is_large_enough_on_a_phone(browser: Any, file: Path) -> None:
    visit = Visit(browser, file, 375)
    heights = visit.page.evaluate(
        "[...document.querySelectorAll('.phone svg text')].map(text => text.getBoundingClientRect().height)"
    )
    assert min(heights) >= 10
    visit.context.close()


def test_labels_stay_inside_their_charts(browser: Any, file: Path) -> None:
    visit = Visit(browser, file, 1280)
    outside = visit.page.evaluate(
        """[...document.querySelectorAll('.page svg')].flatMap(drawing => {
             const frame = drawing.getBoundingClientRect();
             return [...drawing.querySelectorAll('text')].filter(text => {
               const box = text.getBoundingClientRect();
               return box.left < frame.left - 8 || box.right > frame.right + 8;
             }).map(text => text.textContent);
           })"""
    )
    assert outside == []
    visit.context.close()


def test_prints_everything(browser: Any, file: Path) -> None:
    visit = Visit(browser, file, 1280)
    visit.page.emulate_media(media="print")
    heights = visit.page.evaluate(
        "[...document.querySelectorAll('table')].map(table => table.getBoundingClientRect().height)"
    )
    assert min(heights) > 20
    assert visit.page.evaluate("[...document.querySelectorAll('details')].every(part => !part.open)")
    pdf = visit.page.pdf(prefer_css_page_size=True)
    assert pdf.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) > 3
    assert b"/ToUnicode" in pdf
    assert sum(len(re.findall(rb"T[jJ]\b", content)) for content in unpack(pdf)) > 500
    assert visit.requests == []
    visit.context.close()


def unpack(pdf: bytes) -> Iterator[bytes]:
    """Yield the compressed streams of a PDF, plain."""
    for match in re.finditer(rb"stream\r?\n(.*?)endstream", pdf, re.S):
        try:
            yield zlib.decompressobj().decompress(match[1])
        except zlib.error:
            continue
