"""The HTML report's charts: matplotlib drawings as inline SVG whose text stays text.

Every chart is drawn in CSS pixels on a sheet of a given width, so that the same figures can be laid
out for a page and for a phone. The colours are Okabe and Ito's, told apart by the colour-blind too.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sizing.render.svg_sheet import AMBER, BLUE, GREY, INK, MUTED, SKY, VERMILLION, Align, Key, Sheet, fit_text, measure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW_PX = 25
TALL_ROW_PX = 37
VALUE_PX = 84
"""Width of the column of figures at the right of the bars."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StackedBar:
    """One component: USD a month of baseline and usage, the planning figure, and the text at the right."""

    label: str
    baseline_usd: float
    usage_usd: float
    planned_usd: float | None
    value: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """One bar from low to high USD a month, with the text at the right."""

    label: str
    low_usd: float
    middle_usd: float
    high_usd: float
    value: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Corners:
    """USD a month at the low, expected and high corner, with their labels."""

    usd: tuple[float, float, float]
    labels: tuple[str, str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Milestone:
    """A limit of the plan: users that reach it, and the labels of the line and of the month (empty: none)."""

    users: float
    label: str
    month_label: str


def draw_components(bars: Sequence[StackedBar], legend: tuple[str, str, str], width: int) -> Sheet:
    """Draw baseline and usage of every component as stacked bars, with a mark at the planning figure."""
    keys = (Key(BLUE, legend[0]), Key(AMBER, legend[1]), Key(INK, legend[2], mark="D"))
    sheet, axes = _open_rows([bar.label for bar in bars], keys, width, ROW_PX)
    for row, bar in enumerate(bars):
        axes.barh(row, bar.baseline_usd, height=0.56, color=BLUE)
        axes.barh(row, bar.usage_usd, left=bar.baseline_usd, height=0.56, color=AMBER)
        if bar.planned_usd is not None:
            axes.plot(
                bar.planned_usd, row, "D", markersize=6, markerfacecolor="white", markeredgecolor=INK, clip_on=False
            )
    top = max([bar.baseline_usd + bar.usage_usd for bar in bars] + [bar.planned_usd or 0.0 for bar in bars])
    sheet.scale_usd(axes, 0.0, top * 1.02 or 1.0)
    _write_values(sheet, axes, [bar.value for bar in bars])
    return sheet


def draw_drivers(spans: Sequence[Span], legend: tuple[str, str], width: int) -> Sheet:
    """Draw the expected cost of every driver as a bar and its range as a whisker."""
    keys = (Key(BLUE, legend[0]), Key(INK, legend[1], mark="|"))
    sheet, axes = _open_rows([span.label for span in spans], keys, width, ROW_PX + 5)
    for row, span in enumerate(spans):
        axes.barh(row, span.middle_usd, height=0.5, color=BLUE)
        _draw_whisker(axes, span.low_usd, span.high_usd, row, 0.16)
    sheet.scale_usd(axes, 0.0, max(span.high_usd for span in spans) * 1.02 or 1.0)
    _write_values(sheet, axes, [span.value for span in spans])
    return sheet


def draw_swings(spans: Sequence[Span], legend: tuple[str, str], width: int) -> Sheet:
    """Draw a tornado: each span's total at the low and the high end of one driver, its label above it."""
    sheet = Sheet(width, 34 + TALL_ROW_PX * len(spans) + 24)
    sheet.write_keys(8, (Key(SKY, legend[0]), Key(VERMILLION, legend[1])))
    axes = sheet.plot(14, 26, width - 24, 30 + TALL_ROW_PX * len(spans))
    axes.set_ylim(len(spans) - 0.35, -0.65)
    for row, span in enumerate(spans):
        axes.barh(row, span.low_usd - span.middle_usd, left=span.middle_usd, height=0.34, color=SKY)
        axes.barh(row, span.high_usd - span.middle_usd, left=span.middle_usd, height=0.34, color=VERMILLION)
        y = sheet.y_of(axes, row - 0.38)
        space = width - 16 - measure(span.value, 10.5)
        sheet.write(2, y, fit_text(span.label, 11, space), size=11)
        sheet.write(width - 2, y, span.value, size=10.5, align="right", colour=MUTED)
    low = min(min(span.low_usd, span.high_usd) for span in spans)
    high = max(max(span.low_usd, span.high_usd) for span in spans)
    margin = (high - low) * 0.04
    sheet.scale_usd(axes, low - margin, high + margin)
    axes.axvline(spans[0].middle_usd, color=INK, linewidth=1)
    return sheet


def draw_range(
    bins: Sequence[tuple[float, int]],
    percentiles: tuple[float, float, float] | None,
    corners: Corners,
    legend: tuple[str, str, str],
    width: int,
) -> Sheet:
    """Draw the histogram of the draws (lower edge in USD, count) below a whisker of the three corners.

    Without draws the whisker stands alone.
    """
    low, expected, high = corners.usd
    sheet = Sheet(width, 292 if bins else 90)
    keys = (Key(GREY, legend[0]), Key(SKY, legend[1], alpha=0.4), Key(INK, legend[2], mark="|"))
    sheet.write_keys(8, keys if bins else keys[2:])
    left, right = 8, width - 16
    edges = [edge for edge, _ in bins]
    step = edges[1] - edges[0] if len(edges) > 1 else 1.0
    first, last = min([low, *edges]), max([high, *(edge + step for edge in edges)])
    margin = (last - first) * 0.02 or 1.0
    strip = sheet.plot(left, 40, right, 66)
    strip.set_xlim(first - margin, last + margin)
    strip.set_ylim(0, 1)
    strip.axis("off")
    _draw_whisker(strip, low, high, 0.5, 0.3)
    strip.plot(expected, 0.5, "D", markersize=8, color=INK, clip_on=False)
    half = measure(corners.labels[1], 12) / 2
    middle = min(max(sheet.x_of(strip, expected), half), width - half)
    sheet.write(middle, 36, corners.labels[1], size=11, align="center", bold=True)
    sheet.write(left, 78, corners.labels[0], size=11)
    sheet.write(right, 78, corners.labels[2], size=11, align="right")
    if not bins:
        return sheet
    axes = sheet.plot(left, 116, right, 268)
    sheet.scale_usd(axes, first - margin, last + margin)
    axes.bar(
        edges, [count for _, count in bins], width=step, align="edge", color=GREY, edgecolor="white", linewidth=0.6
    )
    axes.set_ylim(0, max(count for _, count in bins) * 1.05)
    if percentiles is not None:
        axes.axvspan(percentiles[0], percentiles[2], color=SKY, alpha=0.28, linewidth=0, zorder=0)
        sides: tuple[Align, Align, Align] = ("right", "center", "left")
        for value, name, side, y in zip(percentiles, ("P10", "P50", "P90"), sides, (110, 97, 110), strict=True):
            axes.axvline(value, color=INK, linewidth=1.2, linestyle="--")
            sheet.write(sheet.x_of(axes, value), y, name, size=10.5, align=side, bold=True)
    return sheet


def draw_growth(
    users: float,
    growth: tuple[float, float, float],
    milestones: Sequence[Milestone],
    legend: tuple[str, str, str],
    axis_label: str,
    width: int,
) -> Sheet:
    """Draw the users over the months at the expected growth, a band at its ends, and the limits as lines.

    ``growth`` is a share a month at low, expected and high. ``milestones`` come nearest first.
    """
    near = [mark for mark in milestones if mark.users <= users * 12] or list(milestones[:1])
    met = [months_until(users, mark.users, growth[1]) for mark in near if mark.month_label]
    months = min(max([24, *(round(month * 1.12) + 2 for month in met)]), 240)
    top = max(
        [users * (1 + growth[1]) ** months if not met else 0.0, *(mark.users * 1.18 for mark in near), users * 1.5]
    )
    sheet = Sheet(width, 300)
    keys = (Key(BLUE, legend[0]), Key(SKY, legend[1], alpha=0.4), Key(VERMILLION, legend[2], mark="|"))
    sheet.write_keys(8, keys[:1] if growth[2] <= 0 else keys)
    axes = sheet.plot(54, 42, width - 18, 256)
    steps = range(months + 1)
    low, expected, high = ([users * (1 + rate) ** month for month in steps] for rate in growth)
    if growth[2] > growth[0]:
        axes.fill_between(steps, low, [min(value, top * 2) for value in high], color=SKY, alpha=0.28, linewidth=0)
    axes.plot(steps, expected, color=BLUE, linewidth=2.2)
    sheet.scale_months(axes, months, top)
    sheet.write(width - 18, 292, axis_label, size=11, align="right", colour=MUTED)
    _write_milestones(sheet, axes, near, lambda reached: months_until(users, reached, growth[1]))
    return sheet


def months_until(users: float, reached: float, growth: float) -> float:
    """Return the months until so many users are reached; endless where nothing grows."""
    return math.log(reached / users) / math.log1p(growth) if growth > 0 else math.inf


def _write_milestones(
    sheet: Sheet, axes: "Axes", marks: Sequence[Milestone], month_of: Callable[[float], float]
) -> None:
    """Draw the limits; labels that would touch the one below are moved up."""
    last = math.inf
    for mark in marks:
        last = height = min(sheet.y_of(axes, mark.users) - 5, last - 15)
        axes.axhline(mark.users, color=VERMILLION, linewidth=1.2, linestyle="--")
        sheet.write(60, height, fit_text(mark.label, 11, sheet.width - 84), size=11)
        if mark.month_label:
            month = month_of(mark.users)
            axes.plot(month, mark.users, "o", markersize=8, color=VERMILLION, markeredgecolor="white", zorder=5)
            x = min(sheet.x_of(axes, month) + 8, sheet.width - 18 - measure(mark.month_label, 11))
            sheet.write(x, sheet.y_of(axes, mark.users) + 15, mark.month_label, size=11, bold=True)


def _open_rows(labels: Sequence[str], keys: Sequence[Key], width: int, row_px: int) -> tuple[Sheet, "Axes"]:
    """Start a sheet of horizontal bars: keys on top, a label at the left of each row."""
    bottom = 28 + row_px * len(labels)
    sheet = Sheet(width, bottom + 24)
    sheet.write_keys(8, keys)
    left = min(max(measure(text, 11.5) for text in labels) + 14, width * 0.42)
    axes = sheet.plot(left, 28, width - VALUE_PX, bottom)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    for row, text in enumerate(labels):
        sheet.write(left - 8, sheet.y_of(axes, row) + 4, fit_text(text, 11.5, left - 8), size=11.5, align="right")
    return sheet, axes


def _write_values(sheet: Sheet, axes: "Axes", values: Sequence[str]) -> None:
    for row, text in enumerate(values):
        sheet.write(sheet.width - 2, sheet.y_of(axes, row) + 4, text, size=11, align="right")


def _draw_whisker(axes: "Axes", low: float, high: float, y: float, half: float) -> None:
    axes.hlines(y, low, high, color=INK, linewidth=1.3)
    axes.vlines([low, high], y - half, y + half, color=INK, linewidth=1.3)
