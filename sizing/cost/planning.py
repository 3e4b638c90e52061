"""The requirements' own figures, as quoted (``data/planning*.csv``): never replaced, always beside ours."""

from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from sizing.tables import read_table


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanningLine:
    """One line of a planning figure; ``quoted_percent`` is the document's rounding, ``percent`` ours."""

    component: str
    monthly_usd: Decimal
    quoted_percent: int | None
    percent: Decimal | None
    detail_en: str
    detail_zh: str
    section: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanningFigure:
    """What the requirements say a tier costs; ``lines`` is empty where they give a total only.

    Tokens are a month's, None where the requirements name none for the tier.
    """

    name: str
    total_usd: Decimal
    section: str
    lines: tuple[PlanningLine, ...]
    llm_tokens: int | None
    embedding_tokens: int | None

    def of(self, component: str) -> Decimal | None:
        """Return the planning figure of a component, None where the document has none."""
        return next((line.monthly_usd for line in self.lines if line.component == component), None)


@cache
def planning_figures() -> dict[str, PlanningFigure]:
    """Return the planning figures by name: small, team, medium, large."""
    rows = read_table("planning.csv")
    figures = {}
    for total in (row for row in rows if row["component"] == "total"):
        name, usd = total["planning"], Decimal(total["monthly_usd"])
        lines = tuple(
            PlanningLine(
                component=row["component"],
                monthly_usd=Decimal(row["monthly_usd"]),
                quoted_percent=int(row["quoted_percent"]) if row["quoted_percent"] else None,
                percent=(Decimal(row["monthly_usd"]) * 100 / usd).quantize(Decimal("0.1")),
                detail_en=row["detail_en"],
                detail_zh=row["detail_zh"],
                section=row["section"],
            )
            for row in rows
            if row["planning"] == name and row["component"] != "total"
        )
        tokens = next((row for row in read_table("planning_tokens.csv") if row["planning"] == name), None)
        figures[name] = PlanningFigure(
            name=name,
            total_usd=usd,
            section=total["section"],
            lines=lines,
            llm_tokens=None if tokens is None else int(tokens["llm_tokens"]),
            embedding_tokens=None if tokens is None else int(tokens["embedding_tokens"]),
        )
    return figures
