"""Reading an HTML report back: its elements, its tables by caption, its text."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "path", "use", "rect"}


@dataclass
class Table:
    """A table's header and rows; a cell's second line follows its first after a newline."""

    columns: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)


class Page(HTMLParser):
    """Collects elements, tables and text; fails on a tag that closes another."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.tables: dict[str, Table] = {}
        self.styles = ""
        self.text = ""
        self._open: list[str] = []
        self._table = Table()
        self.feed(html)
        self.close()
        assert self._open == [], f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "table":
            self._table = Table()
        elif tag == "tr":
            self._table.rows.append([])
        elif tag in ("th", "td"):
            self._cells().append("")
        elif tag == "small" and "table" in self._open:
            self._cells()[-1] += "\n"

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        assert self._open, f"</{tag}> closes nothing"
        assert self._open[-1] == tag, f"</{tag}> closes <{self._open[-1]}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            self.styles += data
            return
        self.text += data
        if "caption" in self._open:
            self.tables[data] = self._table
        elif "th" in self._open or "td" in self._open:
            self._cells()[-1] += data

    def _cells(self) -> list[str]:
        return self._table.columns if "thead" in self._open else self._table.rows[-1]

    def table(self, caption: str) -> Table:
        """Return the table of a caption, without the header's empty row."""
        found = self.tables[caption]
        return Table(columns=found.columns, rows=[row for row in found.rows if row])
