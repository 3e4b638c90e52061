"""Strategies, clouds and uncertainty."""

from decimal import Decimal

import pytest

from sizing.assessment import Assessment, assess
from sizing.cost.strategies import STRATEGIES
from sizing.drivers import drivers
from sizing.errors import ImpossiblePlan, InvalidWorkload
from sizing.workload_document import read_workload
from tests.conftest import TODAY


def assessment(apply: tuple[str, ...] = (), samples: int = 0, **document: object) -> Assessment:
    return assess(read_workload(document), apply=apply, samples=samples, today=TODAY)


def total(found: Assessment) -> Decimal:
    return found.report.total.expected


def test_all_six_strategies_of_the_document_are_weighed() -> None:
    sections = {strategy.section for strategy in STRATEGIES.values()}
    assert {f"§8.2 ({number})" for number in range(1, 7)} <= sections
    for users in (50, 500, 5000):
        assert {outcome.name for outcome in assessment(users=users).strategies} == set(STRATEGIES)


@pytest.mark.parametrize("users", [50, 500])
def test_a_saving_is_what_applying_really_saves(users: int) -> None:
    before = assessment(users=users)
    for outcome in before.strategies:
        if outcome.status == "available":
            after = assessment(users=users, apply=(outcome.name,))
            assert outcome.saved_usd == total(before) - total(after), outcome.name
            assert after.applied is not None
            assert after.applied.saved_usd == outcome.saved_usd
            names = {o.name: o.status for o in after.strategies}
            assert names[outcome.name] != "available"


def test_together_no_saving_counts_twice() -> None:
    before = assessment(users=500)
    names = ("vector-store", "arm64", "model-tiers")
    single = {o.name: o.saved_usd or Decimal(0) for o in before.strategies}
    together = assessment(users=500, apply=names)
    assert together.applied is not None
    assert together.applied.saved_usd == total(before) - total(together)
    # ARM nodes save on Qdrant's nodes too, which the leaner store has already removed.
    assert together.applied.saved_usd < sum(single[name] for name in names)


def test_the_order_of_applying_does_not_matter_to_the_bill() -> None:
    first = assessment(users=500, apply=("vector-store", "arm64"))
    second = assessment(users=500, apply=("arm64", "vector-store"))
    assert total(first) == total(second)


def test_what_the_plan_already_does_is_measured_against_not_doing_it() -> None:
    found = {o.name: o for o in assessment(users=500).strategies}
    without = assessment(users=500, cache_hit_rate=0)
    saved = total(without) - total(assessment(users=500))
    assert found["cache"].status == "in-plan"
    assert found["cache"].saved_usd == saved
    assert found["domestic-llm"].saved_usd == total(assessment(users=500, models={"default": "gpt-4o-mini"})) - total(
        assessment(users=500)
    )


def test_batching_saves_calls_and_no_tokens() -> None:
    batching = next(o for o in assessment(users=500).strategies if o.name == "batching")
    assert batching.saved_usd == 0
    assert batching.values == {"calls": "73,000", "batched": "7,300"}


def test_partial_savings_are_never_the_best_change() -> None:
    for users in (50, 500, 5000):
        found = assessment(users=users)
        assert found.best_change is not None
        assert found.best_change.partial == 0
        available = [o for o in found.strategies if o.status == "available"]
        whole = [o.saved_usd for o in available if not o.partial]
        assert whole == sorted(whole, reverse=True)  # type: ignore[type-var]
        assert available == sorted(available, key=lambda o: o.partial > 0)


def test_unknown_and_pointless_strategies_are_refused() -> None:
    with pytest.raises(InvalidWorkload, match="storage-tiers"):
        assessment(users=500, apply=("prayer",))
    with pytest.raises(ImpossiblePlan, match="nothing to change"):
        assessment(users=500, apply=("batching",))
    with pytest.raises(ImpossiblePlan):
        assessment(users=500, apply=("arm64", "arm64"))


def test_clouds_are_compared_on_what_both_have_priced() -> None:
    comparison = assessment(users=500).comparisons[0]
    assert (comparison.here, comparison.there) == ("aws", "alicloud")
    counted = [r for r in comparison.resources if r.counted]
    assert 0 < len(counted) < len(comparison.resources)
    assert comparison.here_usd == sum((r.here_usd or Decimal(0) for r in counted), Decimal(0))
    assert comparison.there_usd == sum((r.there_usd or Decimal(0) for r in counted), Decimal(0))
    by_name = {resource.resource: resource for resource in comparison.resources}
    assert not by_name["network/cross-zone"].on_there
    assert by_name["cache/node"].on_there
    for resource in comparison.resources:
        assert resource.counted == (resource.here_usd is not None and resource.there_usd is not None)


def test_a_jurisdiction_with_one_cloud_says_why_there_is_no_comparison() -> None:
    comparison = assessment(users=500, residency="cn").comparisons[0]
    assert comparison.there == "aws"
    assert comparison.problem == "clouds-no-region"


def test_one_cloud_asked_for_is_compared_with_none() -> None:
    assert assessment(users=500, clouds=["aws"]).comparisons == ()


def test_the_simulation_is_seeded_ordered_and_within_the_corners() -> None:
    first, second = (assessment(users="300..500..900", samples=300) for _ in range(2))
    assert first.simulation == second.simulation
    simulation = first.simulation
    assert simulation is not None
    assert simulation.p10_usd <= simulation.p50_usd <= simulation.p90_usd
    assert first.report.total.low <= simulation.p10_usd
    assert simulation.p90_usd <= first.report.total.high
    assert sum(count for _, count in simulation.bins) == simulation.samples


def test_an_exact_workload_has_no_spread() -> None:
    exact = {name: d.default.expected for name, d in drivers().items() if d.default is not None}
    found = assess(read_workload({"users": 500, **exact}), samples=20, today=TODAY)
    assert found.swings == ()
    assert found.simulation is not None
    assert found.simulation.p10_usd == found.simulation.p90_usd


def test_the_tornado_is_ordered_and_starts_with_what_moves_most() -> None:
    swings = assessment(users="100..500..1000", models={"default": "gpt-4o"}).swings
    widths = [swing.width_usd for swing in swings]
    assert widths == sorted(widths, reverse=True)
    assert swings[0].driver == "users"
