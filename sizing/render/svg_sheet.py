"""A sheet to draw on in CSS pixels, written by matplotlib as SVG that can stand inside a page.

The SVG carries no font, no style sheet, no address and no date: text takes the page's font, and the
same drawing gives the same bytes on every machine.
"""

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from io import StringIO
from typing import TYPE_CHECKING, Literal

from sizing.errors import MissingExtra

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE = "#0072B2"
AMBER = "#E69F00"
SKY = "#56B4E9"
VERMILLION = "#D55E00"
INK = "#1B1F24"
MUTED = "#57606A"
GREY = "#8C959F"
RULE = "#D0D7DE"
"""The first four are Okabe and Ito's, told apart by the colour-blind too."""

PX_PER_INCH = 72
"""matplotlib's SVG counts 72 units to the inch, so that one unit is one CSS pixel here."""

WIDE_FROM = 0x2E80
"""From this code point on (CJK radicals, ideographs, full-width forms) a character is one em wide."""
NARROW_EM = 0.55
"""Mean width of a Latin character in common sans-serif fonts; error +-15 %, so labels keep a margin."""

Align = Literal["left", "center", "right"]

_PREAMBLE = re.compile(r"^.*?<svg [^>]*>", re.S)
_DROPPED = re.compile(r"<metadata>.*?</metadata>|<style[^>]*>.*?</style>| id=\"(?![mp][0-9a-f]{10}\")[^\"]*\"", re.S)
_FONT = re.compile(r"font-family: [^;\"]*;? ?")
_NO_TURN = re.compile(r' transform="rotate\(-?0 [^)]*\)"')
_NAME = re.compile(r'(id="|href="#|url\(#)(?=[mp][0-9a-f]{10})')


@dataclass(frozen=True, slots=True)
class Key:
    """One entry of a legend: a square of a colour, or a mark (``D`` diamond, ``|`` line)."""

    colour: str
    text: str
    mark: Literal["", "D", "|"] = ""
    alpha: float = 1.0


@contextmanager
def house_style() -> Iterator[None]:
    """Draw with matplotlib's defaults and ours, whatever the user's own matplotlibrc says.

    Raises MissingExtra where matplotlib is not installed. matplotlib's settings are the process's, so
    two threads must not draw at once.
    """
    try:
        import matplotlib as mpl
    except ImportError:
        raise MissingExtra("the HTML report", "report") from None
    with mpl.rc_context(), warnings.catch_warnings():
        # The reader's browser has the Chinese glyphs that matplotlib's own font lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        mpl.rcdefaults()
        mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "reme-size", "text.parse_math": False})
        yield


def measure(text: str, size: float) -> float:
    """Return the approximate width of a text in pixels at a font size in pixels."""
    return sum(1.0 if ord(character) >= WIDE_FROM else NARROW_EM for character in text) * size


def fit_text(text: str, size: float, space: float) -> str:
    """Shorten a text to a width in pixels: first to what stands before a colon or bracket, then anywhere."""
    if measure(text, size) <= space:
        return text
    head = re.split(r"[:：(（]", text)[0].strip()
    if measure(head, size) <= space:
        return head
    while head and measure(head + "…", size) > space:
        head = head[:-1]
    return head.rstrip() + "…"


class Sheet:
    """A drawing of ``width`` x ``height`` pixels; x grows to the right, y downwards. Use in ``house_style``."""

    def __init__(self, width: int, height: int) -> None:
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure

        self.width = width
        self.height = height
        self.figure = Figure(figsize=(width / PX_PER_INCH, height / PX_PER_INCH), dpi=PX_PER_INCH, facecolor="none")
        FigureCanvasSVG(self.figure)

    def plot(self, left: float, top: float, right: float, bottom: float) -> "Axes":
        """Return axes whose data area is the given rectangle."""
        origin = left / self.width, 1 - bottom / self.height
        size = (right - left) / self.width, (bottom - top) / self.height
        return self.figure.add_axes((*origin, *size), facecolor="none")

    def x_of(self, axes: "Axes", value: float) -> float:
        """Return the x of a value on axes whose limits are set."""
        return float(axes.transData.transform((value, 0.0))[0])

    def y_of(self, axes: "Axes", value: float) -> float:
        """Return the y of a value on axes whose limits are set."""
        return self.height - float(axes.transData.transform((0.0, value))[1])

    def scale_usd(self, axes: "Axes", low: float, high: float) -> None:
        """Set the horizontal scale to USD, with few ticks and light vertical rules."""
        from matplotlib.ticker import FuncFormatter, MaxNLocator

        axes.set_xlim(low, high)
        fits = max(2, min(6, int(axes.bbox.width // 70)))
        locator = MaxNLocator(fits, steps=[1, 2, 2.5, 5, 10])
        digits = 0 if all(float(tick).is_integer() for tick in locator.tick_values(low, high)) else 2
        self.dress(axes)
        axes.grid(visible=True, axis="x", color=RULE, linewidth=0.7)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda usd, _: f"${usd:,.{digits}f}"))
        axes.set_yticks([])

    def scale_months(self, axes: "Axes", months: int, top: float) -> None:
        """Set the horizontal scale to months, marked at fractions of a year, the vertical one to counts."""
        from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

        axes.set_xlim(0, months)
        axes.set_ylim(0, top)
        fits = max(3, int(axes.bbox.width // 45))
        step = next((step for step in (1, 3, 6, 12, 24, 60) if months / step <= fits), 120)

        self.dress(axes)
        axes.grid(visible=True, axis="y", color=RULE, linewidth=0.7)
        axes.xaxis.set_major_locator(MultipleLocator(step))
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))

    def dress(self, axes: "Axes") -> None:
        """Leave the lower edge of the frame only, and grey figures without ticks."""
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        axes.spines["bottom"].set_color(RULE)
        axes.tick_params(length=0, labelsize=10.5, labelcolor=MUTED, pad=5)
        axes.set_axisbelow(True)

    def write(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = 11,
        align: Align = "left",
        colour: str = INK,
        bold: bool = False,
    ) -> None:
        """Write one line of text with its baseline at ``y``."""
        self.figure.text(
            x / self.width,
            1 - y / self.height,
            text,
            fontsize=size,
            color=colour,
            fontweight="bold" if bold else "normal",
            horizontalalignment=align,
            verticalalignment="baseline",
        )

    def write_keys(self, y: float, keys: Sequence[Key]) -> None:
        """Write a legend in one line, its middle at ``y``."""
        from matplotlib.lines import Line2D
        from matplotlib.patches import Rectangle

        x = 1.0
        for key in keys:
            if key.mark:
                ends = [x + 6] if key.mark == "D" else [x, x + 12]
                line = Line2D([end / self.width for end in ends], [1 - y / self.height] * len(ends))
                line.set(color=key.colour, marker=key.mark.strip("|"), markersize=6, markerfacecolor="white")
                self.figure.add_artist(line)
            else:
                corner = x / self.width, 1 - (y + 5) / self.height
                square = Rectangle(corner, 11 / self.width, 10 / self.height, color=key.colour, linewidth=0)
                square.set(alpha=key.alpha, transform=self.figure.transFigure)
                self.figure.add_artist(square)
            self.write(x + 16, y + 4, key.text)
            x += 16 + measure(key.text, 11) + 16

    def to_svg(self, name: str, title: str) -> str:
        """Return the drawing as an ``svg`` element; ``name`` makes its ids unique in the page."""
        buffer = StringIO()
        self.figure.savefig(
            buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
        )
        body = _DROPPED.sub("", _PREAMBLE.sub("", buffer.getvalue(), count=1))
        body = _NO_TURN.sub("", _FONT.sub("", body)).replace("xlink:href", "href")
        body = re.sub(r">\s+<", "><", re.sub(r"\s*\n\s*", " ", _NAME.sub(rf"\g<1>{name}-", body)))
        return (
            f'<svg viewBox="0 0 {self.width} {self.height}" width="{self.width}" height="{self.height}"'
            f' role="img" aria-label="{escape(title)}">{body.strip()}'
        )
