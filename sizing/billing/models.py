"""What model providers bill: tokens in, tokens in from their cache, tokens out, tokens embedded."""

from collections import defaultdict
from collections.abc import Mapping

from sizing.billing.charge import Bill
from sizing.models import models
from sizing.regions import Region

TOKENS_PER_UNIT = 1_000_000

SERVING_REGIONS = {"cn": "cn-beijing"}
"""Where a provider with several endpoints serves a jurisdiction from; elsewhere its international one."""
INTERNATIONAL = "ap-southeast-1"


def serving_region(region: Region) -> str:
    """Return the price region of a provider's endpoint for this region's jurisdiction."""
    return SERVING_REGIONS.get(region.jurisdiction, INTERNATIONAL)


def language_models(
    bill: Bill,
    tasks: Mapping[str, str],
    input_tokens: Mapping[str, float],
    output_tokens: Mapping[str, float],
    cached_share: float,
) -> None:
    """Charge every model for the tokens of its tasks, in and out apart."""
    totals: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for task, model in tasks.items():
        totals[model][0] += input_tokens[task]
        totals[model][1] += output_tokens[task]
    place = serving_region(bill.region)
    for name, (tokens_in, tokens_out) in totals.items():
        provider = models()[name].price_provider
        for sku, tokens in (
            (f"{name}:input", tokens_in * (1 - cached_share)),
            (f"{name}:cached-input", tokens_in * cached_share),
            (f"{name}:output", tokens_out),
        ):
            bill.add_external(
                f"llm/{name}", provider, "llm", sku, tokens / TOKENS_PER_UNIT, "1M tokens", place, "tokens"
            )


def embeddings(bill: Bill, name: str, tokens: float) -> None:
    """Charge a remote embedding model; a local one costs its host and is charged there."""
    model = models()[name]
    if model.provider != "local":
        place = serving_region(bill.region)
        quantity = tokens / TOKENS_PER_UNIT
        bill.add_external(
            f"embedding/{name}", model.price_provider, "embedding", name, quantity, "1M tokens", place, "tokens"
        )
