"""What our prices rest on: second sources beside the listed prices, and the evidence behind sample plans."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Literal

from sizing.assessment import assess
from sizing.catalogue import EVIDENCE, Price, catalogue
from sizing.cost.report import CostLine
from sizing.workload import sample_workload

from .reproduction import PEER

PLANS: tuple[tuple[int, str], ...] = ((50, ""), (90, "single-host-qdrant"), (500, ""), (5000, ""))
"""Users of each sample plan, and the tier that is forced ("": the tier that the users need)."""

ASSESSED_ON = date(2026, 11, 22)
"""A fixed day, so that the published tables do not change by themselves."""

CLOSE_SHARE = Decimal("0.01")

Band = Literal["equal", "within 1 %", "more than 1 %"]
BANDS: tuple[Band, ...] = ("equal", "within 1 %", "more than 1 %")

Rest = Literal["two sources agree", "a second source differs", "one source", "the figures alone", "unpriced"]
RESTS: dict[Rest, str] = {
    "two sources agree": "two sources, one price",
    "a second source differs": "two sources, two prices",
    "one source": "one source, not Infracost's figures",
    "the figures alone": "Infracost's figures alone",
    "unpriced": "no list price",
}


@dataclass(frozen=True, slots=True)
class Pair:
    """Two sources for one SKU: the one that we bill by, and the one that checks it."""

    listed: Price
    check: Price

    @property
    def difference(self) -> Decimal:
        """The check's distance from the listed price, as a share of the listed one."""
        assert self.listed.usd is not None
        assert self.check.usd is not None
        return (self.check.usd - self.listed.usd) / self.listed.usd

    @property
    def band(self) -> Band:
        """How far the two are apart."""
        distance = abs(self.difference)
        return "equal" if distance == 0 else "within 1 %" if distance <= CLOSE_SHARE else "more than 1 %"


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """Lines of a plan and their dollars a month."""

    lines: int
    usd: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """One sample plan's lines and dollars, by evidence class and by what stands behind the price."""

    users: int
    tier: str
    total: Share
    by_evidence: dict[str, Share]
    by_rest: dict[Rest, Share]


def compare_sources() -> tuple[Pair, ...]:
    """Return every SKU that has a second source in the catalogue, with both prices."""
    prices = catalogue()
    return tuple(
        Pair(listed, check)
        for check in prices.checks
        if (listed := prices.prices.get(check.key)) is not None and listed.usd is not None and check.usd is not None
    )


def checks_without_price() -> tuple[Price, ...]:
    """Return the second sources whose SKU we list no price for."""
    prices = catalogue().prices
    return tuple(check for check in catalogue().checks if check.key not in prices or prices[check.key].usd is None)


def cover_plans() -> tuple[Coverage, ...]:
    """Assess the sample plans and weigh their lines by the evidence behind each price."""
    found = []
    for users, tier in PLANS:
        workload = sample_workload(users)
        if tier:
            workload = replace(workload, overrides={**workload.overrides, "tier": tier})
        assessment = assess(workload, today=ASSESSED_ON)
        lines = assessment.report.lines
        found.append(
            Coverage(
                users=users,
                tier=assessment.design.tier.name,
                total=_share(lines),
                by_evidence={name: _share(line for line in lines if evidence_of(line) == name) for name in EVIDENCE},
                by_rest={name: _share(line for line in lines if rest_of(line) == name) for name in RESTS},
            )
        )
    return tuple(found)


def evidence_of(line: CostLine) -> str:
    """Return the evidence class behind a line, "none" where it has no price."""
    return line.price.evidence if line.price is not None and line.is_priced else "none"


def rest_of(line: CostLine) -> Rest:
    """Tell what a line's price rests on."""
    if line.price is None or not line.is_priced:
        return "unpriced"
    others = [check for check in catalogue().checks if check.key == line.price.key]
    if others:
        agrees = any(check.usd == line.price.usd for check in others)
        return "two sources agree" if agrees else "a second source differs"
    return "the figures alone" if PEER in line.price.source else "one source"


def _share(lines: Iterable[CostLine]) -> Share:
    kept = list(lines)
    return Share(lines=len(kept), usd=sum((line.monthly_usd.expected for line in kept if line.monthly_usd), Decimal(0)))
