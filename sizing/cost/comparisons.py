"""The requirements' comparison tables, as quoted (``data/comparisons``): options, figures, attributes.

Nothing here is computed. Our corrections are message codes beside the document's words, and a list
price is a key of the catalogue, never an amount.
"""

from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from sizing.messages import Language
from sizing.tables import read_table, split_list

FOLDER = "comparisons"


@dataclass(frozen=True, kw_only=True, slots=True)
class Attribute:
    """One cell of the document, in both languages."""

    name: str
    en: str
    zh: str

    def text(self, language: Language) -> str:
        return self.zh if language == "zh" else self.en


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """A planning figure in USD per ``unit``; ``high_usd`` equals ``low_usd`` for a single one, None for "and more"."""

    low_usd: Decimal
    high_usd: Decimal | None
    unit: str
    section: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ListKey:
    """Where the catalogue would have the list price of one part of an option.

    Without a provider nobody lists the part, and ``part`` says what pays for it instead. ``region`` is
    empty where the plan's own counts.
    """

    part: str
    provider: str
    service: str
    sku: str
    region: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Option:
    """One row of a table of the document, or a candidate of ours that it lacks (origin "ours").

    ``link`` names our candidate, model, dimension or instance class, empty where we offer none.
    ``cloud`` and ``scale`` say where and for which size the document means it; ``above_gb`` and
    ``upto_gb`` bound the vectors that a size of a service is meant for. ``vcpu`` and ``memory_gb``
    are what the class really has, 0 where our table of instances says so.
    """

    name: str
    name_en: str
    name_zh: str
    cloud: str
    link: str
    scale: str
    nodes: int
    vcpu: int
    memory_gb: float
    above_gb: float | None
    upto_gb: float | None
    corrections: tuple[str, ...]
    section: str
    origin: str
    attributes: tuple[Attribute, ...]
    figures: tuple[Figure, ...]
    prices: tuple[ListKey, ...]

    def text(self, language: Language) -> str:
        return self.name_zh if language == "zh" else self.name_en

    def attribute(self, name: str, language: Language) -> str:
        """Return the document's cell, empty where it has none."""
        return next((cell.text(language) for cell in self.attributes if cell.name == name), "")


@dataclass(frozen=True, kw_only=True, slots=True)
class DocumentTable:
    """A table of the document: the plan's component that it is about, its attributes in order, its options."""

    name: str
    section: str
    component: str
    attributes: tuple[str, ...]
    options: tuple[Option, ...]


@cache
def document_tables() -> tuple[DocumentTable, ...]:
    """Return every comparison table of the requirements, in the order of ``comparisons/tables.csv``."""
    options = read_table(f"{FOLDER}/options.csv")
    return tuple(
        DocumentTable(
            name=row["table"],
            section=row["section"],
            component=row["component"],
            attributes=split_list(row["attributes"]),
            options=tuple(_option(option) for option in options if option["table"] == row["table"]),
        )
        for row in read_table(f"{FOLDER}/tables.csv")
    )


def _option(row: dict[str, str]) -> Option:
    return Option(
        name=row["option"],
        name_en=row["name_en"],
        name_zh=row["name_zh"],
        cloud=row["cloud"],
        link=row["link"],
        scale=row["scale"],
        nodes=int(row["nodes"] or 0),
        vcpu=int(row["vcpu"] or 0),
        memory_gb=float(row["memory_gb"] or 0),
        above_gb=float(row["above_gb"]) if row["above_gb"] else None,
        upto_gb=float(row["upto_gb"]) if row["upto_gb"] else None,
        corrections=split_list(row["corrections"]),
        section=row["section"],
        origin=row["origin"] or "document",
        attributes=tuple(
            Attribute(name=cell["attribute"], en=cell["en"], zh=cell["zh"]) for cell in _of("attributes.csv", row)
        ),
        figures=tuple(_figure(cell) for cell in _of("figures.csv", row)),
        prices=tuple(
            ListKey(
                part=cell["part"],
                provider=cell["provider"],
                service=cell["service"],
                sku=cell["sku"],
                region=cell["region"],
            )
            for cell in _of("list_prices.csv", row)
        ),
    )


def _of(name: str, row: dict[str, str]) -> list[dict[str, str]]:
    cells = read_table(f"{FOLDER}/{name}")
    return [cell for cell in cells if (cell["table"], cell["option"]) == (row["table"], row["option"])]


def _figure(cell: dict[str, str]) -> Figure:
    low, high = Decimal(cell["low_usd"]), cell["high_usd"]
    return Figure(
        low_usd=low,
        high_usd=None if high == "+" else Decimal(high) if high else low,
        unit=cell["unit"],
        section=cell["section"],
    )
