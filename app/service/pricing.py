"""List prices of model tokens, as the cost planner knows them."""

from decimal import Decimal
from functools import cache

from sizing.billing.models import INTERNATIONAL, TOKENS_PER_UNIT
from sizing.catalogue import Catalogue, catalogue
from sizing.models import models

SERVICES = ("llm", "embedding")


def price_tokens(model: str, *, input_tokens: int, output_tokens: int, cached_tokens: int = 0) -> Decimal | None:
    """USD for the tokens of a model at its list price; None where no price is known.

    `cached_tokens` are the part of `input_tokens` that the provider took from its cache; where the catalogue has no
    price for them, they cost what the others do. Zero tokens cost zero, whatever the model. A provider that serves
    several places is priced at its international endpoint. Prices are the planner's catalogue: each has its source and
    date there.
    """
    cached = min(cached_tokens, input_tokens)
    cost = Decimal(0)
    for direction, tokens in (("input", input_tokens - cached), ("cached-input", cached), ("output", output_tokens)):
        if tokens:
            price = _usd_per_token(model, direction)
            if price is None:
                return None
            cost += price * tokens
    return cost


@cache
def _usd_per_token(model: str, direction: str) -> Decimal | None:
    prices = catalogue()
    for provider, service in _sellers(prices, model):
        sku = model if service == "embedding" else f"{model}:{direction}"
        usd = prices.usd(provider, service, sku, INTERNATIONAL)
        if usd is not None:
            return usd / TOKENS_PER_UNIT
    return None


def _sellers(prices: Catalogue, model: str) -> list[tuple[str, str]]:
    """Who lists a model: the planner's choice for it, else every provider that has it in the catalogue."""
    known = models().get(model)
    if known is not None:
        return [(known.price_provider, known.kind)]
    return sorted(
        {
            (provider, service)
            for provider, service, sku, _ in prices.prices
            if service in SERVICES and sku.partition(":")[0] == model
        }
    )
