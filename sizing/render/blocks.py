"""What readable reports are made of, whatever lays them out."""

from dataclasses import dataclass

from sizing.messages import Language, render


@dataclass(frozen=True, kw_only=True, slots=True)
class Heading:
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Paragraph:
    text: str
    strong: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Bullets:
    items: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """Rows of cells; ``right`` names the columns of figures; ``total`` marks the last row as a sum."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: frozenset[int] = frozenset()
    total: bool = False


Block = Heading | Paragraph | Bullets | Table


def say(code: str, language: Language, **values: object) -> str:
    """Return a sentence of the report."""
    return render(f"report.{code}", language, values)
