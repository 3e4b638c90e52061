"""The bill of a region's plan: every resource that the stack creates, its usage, its models."""

from collections.abc import Iterable

from sizing.billing import models as providers
from sizing.billing.alicloud_plan import bill_alicloud
from sizing.billing.aws_plan import bill_aws
from sizing.billing.charge import Bill, Charge
from sizing.billing.plan_usage import Span
from sizing.design import Design
from sizing.regions import regions
from sizing.sizer import SizedRegion


def bill_regions(drawn: Design, sized: Iterable[SizedRegion]) -> list[Charge]:
    """Return the charges of all regions, and of what spans them."""
    charges: list[Charge] = []
    spanning = drawn.tier.name == "multi-region"
    regions_sized = tuple(sized)
    for index, region in enumerate(regions_sized):
        span = _span(regions_sized, index) if spanning else None
        bill = Bill(regions()[region.plan.cloud, region.plan.region])
        write = bill_aws if region.plan.cloud == "aws" else bill_alicloud
        write(bill, region, span)
        providers.language_models(
            bill,
            region.plan.models.tasks,
            region.load.input_tokens,
            region.load.output_tokens,
            region.load.cached_share,
        )
        providers.embeddings(bill, region.plan.models.embedding, region.load.embedding_tokens)
        charges.extend(bill)
    return charges


def _span(sized: tuple[SizedRegion, ...], index: int) -> Span:
    here = sized[index].plan
    open_peers = [other.plan for other in sized if other.plan is not here and other.plan.role != "isolated"]
    return Span(
        dns_queries=sum(region.load.requests for region in sized) if index == 0 else 0.0,
        peers_same_cloud=sum(peer.cloud == here.cloud for peer in open_peers),
        peers=max(1, len(open_peers)),
    )
