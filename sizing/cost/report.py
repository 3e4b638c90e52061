"""The cost report: lines, totals, planning figures beside list prices."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property

from sizing.billing.charge import Charge, Kind
from sizing.billing.plan_bill import bill_regions
from sizing.catalogue import Catalogue, Price
from sizing.design import Design
from sizing.errors import CatalogueError
from sizing.estimate import CORNERS, Corner
from sizing.sizer import size_corners

CENT = Decimal("0.01")
QUANTITY_STEP = Decimal("0.000001")

COMPONENTS = (
    "compute",
    "database",
    "vector_store",
    "object_store",
    "cache",
    "balancer",
    "network",
    "monitoring",
    "logs",
    "backup",
    "security",
    "registry",
    "llm",
    "embedding",
)
"""The order in which every report lists the components."""


@dataclass(frozen=True, slots=True)
class Money:
    """USD a month at the three corners, each rounded to the cent."""

    low: Decimal
    expected: Decimal
    high: Decimal

    def __add__(self, other: "Money") -> "Money":
        return Money(self.low + other.low, self.expected + other.expected, self.high + other.high)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.low - other.low, self.expected - other.expected, self.high - other.high)

    def at(self, corner: Corner) -> Decimal:
        """Return the value at one corner."""
        return self.low if corner == "low" else self.high if corner == "high" else self.expected


ZERO = Money(Decimal(0), Decimal(0), Decimal(0))


@dataclass(frozen=True, kw_only=True, slots=True)
class CostLine:
    """One SKU of one resource: quantity and cost a month at the three corners.

    ``site`` is the plan's region, ``region`` the one whose price applies; ``low_sku`` and ``high_sku``
    differ from ``sku`` where an outer corner takes another class, at its own price.
    ``monthly_usd`` is None where the catalogue has no price; each corner is quantity x price, rounded
    half-up to the cent once, so that every total is the exact sum of the lines that are shown.
    """

    id: str
    resource: str
    component: str
    kind: Kind
    provider: str
    service: str
    sku: str
    region: str
    site: str
    unit: str
    driver: str
    low_sku: str
    high_sku: str
    quantity: tuple[Decimal, Decimal, Decimal]
    price: Price | None
    monthly_usd: Money | None

    @property
    def unit_usd(self) -> Decimal | None:
        return self.price.usd if self.price else None

    @property
    def is_priced(self) -> bool:
        return self.monthly_usd is not None


@dataclass(frozen=True, kw_only=True)
class CostReport:
    """The priced lines of one design, and their sums."""

    lines: tuple[CostLine, ...]

    @cached_property
    def unpriced(self) -> tuple[CostLine, ...]:
        """Lines without a list price; a total that leaves them out is partial."""
        return tuple(line for line in self.lines if not line.is_priced)

    @cached_property
    def total(self) -> Money:
        """The sum of the priced lines."""
        return add_up(self.lines)

    @cached_property
    def baseline(self) -> Money:
        """What is due before the first request: lines of kind resource."""
        return add_up(line for line in self.lines if line.kind == "resource")

    @cached_property
    def usage(self) -> Money:
        """What grows with use: lines of kind usage and external."""
        return add_up(line for line in self.lines if line.kind != "resource")

    @cached_property
    def by_component(self) -> Mapping[str, tuple[CostLine, ...]]:
        """Lines by component, in the order of COMPONENTS; components without lines are left out."""
        return {
            component: lines
            for component in COMPONENTS
            if (lines := tuple(line for line in self.lines if line.component == component))
        }

    @cached_property
    def by_driver(self) -> Mapping[str, Money]:
        """Cost by what moves it."""
        drivers = dict.fromkeys(line.driver for line in self.lines)
        return {driver: add_up(line for line in self.lines if line.driver == driver) for driver in drivers}

    @cached_property
    def prices(self) -> tuple[Price, ...]:
        """Every price that the report rests on, once."""
        return tuple({line.price.key: line.price for line in self.lines if line.price is not None}.values())


def add_up(lines: Iterable[CostLine]) -> Money:
    """Add the priced lines."""
    total = ZERO
    for line in lines:
        if line.monthly_usd is not None:
            total = total + line.monthly_usd
    return total


def price_design(drawn: Design) -> CostReport:
    """Return the bill of a design at its three corners."""
    return price_charges(_bill_corners(drawn), drawn.prices)


def total_design(drawn: Design) -> tuple[Money, int]:
    """Return a design's total at its three corners and the number of unpriced lines."""
    return total_charges(_bill_corners(drawn), drawn.prices)


def _bill_corners(drawn: Design) -> dict[Corner, list[Charge]]:
    return {corner: bill_regions(drawn, sized) for corner, sized in size_corners(drawn).items()}


def price_charges(corners: Mapping[Corner, Iterable[Charge]], prices: Catalogue) -> CostReport:
    """Price the charges of three corners, matched by id; a charge absent at a corner counts zero there."""
    return CostReport(lines=tuple(_line(charges, prices) for charges in _match(corners).values()))


def total_charges(corners: Mapping[Corner, Iterable[Charge]], prices: Catalogue) -> tuple[Money, int]:
    """Return the same total as ``price_charges`` and the number of unpriced lines, without the lines."""
    totals = [Decimal(0), Decimal(0), Decimal(0)]
    unpriced = 0
    for charges in _match(corners).values():
        _, amounts = _price(charges, prices)
        if None in amounts:
            unpriced += 1
            continue
        for index, amount in enumerate(amounts):
            totals[index] += amount or 0
    return Money(*totals), unpriced


def _match(corners: Mapping[Corner, Iterable[Charge]]) -> dict[tuple[str, str, str, str], list[Charge | None]]:
    """Return the charges of every line at the three corners, by what makes up the line's id."""
    matched: dict[tuple[str, str, str, str], list[Charge | None]] = {}
    for index, corner in enumerate(CORNERS):
        for charge in corners[corner]:
            key = (charge.site, charge.resource, charge.service, charge.slot)
            found = matched.get(key)
            if found is None:
                found = matched[key] = [None, None, None]
            earlier = found[index]
            found[index] = charge if earlier is None else charge._replace(quantity=earlier.quantity + charge.quantity)
    return matched


def _price(charges: list[Charge | None], prices: Catalogue) -> tuple[list[Decimal], list[Decimal | None]]:
    """Return quantity and USD of a line at each corner; USD is None where there is no list price."""
    quantities: list[Decimal] = []
    amounts: list[Decimal | None] = []
    previous: Charge | None = None
    for charge in charges:
        if charge is None:
            quantities.append(Decimal(0))
            amounts.append(Decimal(0))
        elif previous is not None and charge.quantity == previous.quantity and charge.sku == previous.sku:
            # Most baseline lines are alike at all corners.
            quantities.append(quantities[-1])
            amounts.append(amounts[-1])
        else:
            quantity = Decimal(repr(charge.quantity)).quantize(QUANTITY_STEP)
            price = prices.find(charge.provider, charge.service, charge.sku, charge.region, charge.group)
            usd = None if price is None else price.usd
            if price is not None and usd is not None and price.unit != charge.unit:
                problem = f"{price.name}: unit {price.unit!r}, but it is billed per {charge.unit!r}"
                raise CatalogueError(price.origin, [problem])
            quantities.append(quantity)
            amounts.append(None if usd is None else (quantity * usd).quantize(CENT, rounding=ROUND_HALF_UP))
        previous = charge
    return quantities, amounts


def _line(charges: list[Charge | None], prices: Catalogue) -> CostLine:
    shown = charges[1] or charges[2] or charges[0]
    assert shown is not None, "a line has a charge at one corner at least"  # noqa: S101
    quantities, (low, expected, high) = _price(charges, prices)
    return CostLine(
        id=shown.id,
        resource=shown.resource,
        component=shown.component,
        kind=shown.kind,
        provider=shown.provider,
        service=shown.service,
        sku=shown.sku,
        region=shown.region,
        site=shown.site,
        unit=shown.unit,
        driver=shown.driver,
        quantity=(quantities[0], quantities[1], quantities[2]),
        low_sku=charges[0].sku if charges[0] is not None else shown.sku,
        high_sku=charges[2].sku if charges[2] is not None else shown.sku,
        price=prices.find(shown.provider, shown.service, shown.sku, shown.region, shown.group),
        monthly_usd=Money(low, expected, high)
        if low is not None and expected is not None and high is not None
        else None,
    )
