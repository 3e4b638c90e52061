"""How the comparison tables write figures: the document's as quoted, list prices with their origin."""

from collections.abc import Iterable
from decimal import Decimal

from sizing.catalogue import Catalogue, Price
from sizing.cost.comparisons import Figure, ListKey, Option
from sizing.instances import REFERENCE_REGIONS
from sizing.messages import Language, label, render
from sizing.plan import Reason
from sizing.regions import CLOUDS, Region, regions

SIGNIFICANT_DIGITS = 4


def say(code: str, language: Language, **values: object) -> str:
    """Return a message of the tables."""
    return render(f"tables.{code}", language, values)


def explain(reasons: Iterable[Reason], language: Language) -> str:
    """Return reasons as one sentence, each once."""
    texts = dict.fromkeys(render(reason.code, language, reason.values) for reason in reasons)
    return ("；" if language == "zh" else "; ").join(texts)


def join(parts: Iterable[str], language: Language) -> str:
    """Join the parts that are not empty."""
    return ("；" if language == "zh" else "; ").join(part for part in parts if part)


def write_usd(amount: Decimal) -> str:
    """Write a monthly amount to the cent: ``$1,234.56``."""
    return f"{'-' if amount < 0 else ''}${abs(amount):,.2f}"


def write_delta(amount: Decimal) -> str:
    """Write a difference with its sign; none is ``$0.00``."""
    return write_usd(amount) if amount <= 0 else f"+{write_usd(amount)}"


def write_unit_usd(amount: Decimal) -> str:
    """Write a unit price in full, one converted from another currency with four significant digits."""
    exact = amount.normalize()
    if len(exact.as_tuple().digits) > 6:
        exact = Decimal(f"{amount:.{SIGNIFICANT_DIGITS}g}").normalize()
    return f"${exact:f}"


def write_unit(unit: str, language: Language) -> str:
    return label(f"tables.unit.{unit}", language, unit)


def quote_figures(option: Option, language: Language) -> str:
    """Return the document's figures of an option with unit and section, or that it has none."""
    if not option.figures:
        return say("no-figure", language)
    return join((_quote(figure, language) for figure in option.figures), language)


def _quote(figure: Figure, language: Language) -> str:
    amount = f"${figure.low_usd}"
    if figure.high_usd is None:
        amount += "+"
    elif figure.high_usd != figure.low_usd:
        amount += f"-{figure.high_usd}"
    unit = write_unit(figure.unit, language)
    return say("figure", language, amount=amount, unit=unit, section=figure.section)


def price_region(key: ListKey, places: tuple[Region, ...]) -> Region | None:
    """Return where a cloud's price is read: the first of the plan's regions on that cloud, else the pair
    of the primary region, else the cloud's reference. None for a vendor that is no cloud of ours."""
    found = next((place for place in places if place.cloud == key.provider), None)
    if found is not None or key.provider not in REFERENCE_REGIONS:
        return found
    pair = regions().get((key.provider, places[0].pair))
    return pair or regions()[key.provider, REFERENCE_REGIONS[key.provider]]


def find_price(key: ListKey, places: tuple[Region, ...], prices: Catalogue) -> Price | None:
    """Look up a key in its own region, or in the one that ``price_region`` names."""
    region = price_region(key, places)
    if key.region or region is None:
        return prices.find(key.provider, key.service, key.sku, key.region or "global")
    return prices.find(key.provider, key.service, key.sku, region.region, region.price_group)


def quote_key(key: ListKey, places: tuple[Region, ...], prices: Catalogue, language: Language) -> str:
    """Return one list price with unit, name in the catalogue and date; "no list price" where there is none."""
    if not key.provider:
        return say(f"paid.{key.part}", language)
    price = find_price(key, places, prices)
    region = price_region(key, places)
    place = key.region or (region.region if region else "")
    text = quote_price(price, f"{key.provider}/{key.service}/{key.sku}@{place}", language)
    return say("part", language, part=say(f"part.{key.part}", language), price=text)


def quote_price(price: Price | None, name: str, language: Language) -> str:
    """Return a price as text; ``name`` is the key that was looked for."""
    if price is None or price.usd is None:
        return say("no-price", language, name=name)
    amount = write_unit_usd(price.usd)
    if price.currency != "USD" and price.amount is not None:
        amount += say("converted", language, currency=price.currency, amount=f"{price.amount.normalize():f}")
    return say(
        "price",
        language,
        amount=amount,
        unit=write_unit(price.unit, language),
        name=price.name,
        date=price.as_of or say("undated", language),
    )


def quote_option(option: Option, places: tuple[Region, ...], prices: Catalogue, language: Language) -> str:
    """Return the list prices of an option, or "no list price" where it has no key at all.

    An option of no cloud in particular is quoted for the plan's clouds only.
    """
    idle = () if option.cloud else set(CLOUDS) - {place.cloud for place in places}
    keys = [key for key in option.prices if key.provider not in idle]
    if not keys:
        return say("no-price-key", language)
    return join((quote_key(key, places, prices, language) for key in keys), language)


def correct(option: Option, language: Language) -> str:
    """Return our corrections of the document's words about an option."""
    return join((say(f"fix.{code}", language) for code in option.corrections), language)
