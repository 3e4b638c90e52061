"""Lines for watching, for logs around the service and for copies in other regions: each where it is made, and not else."""

from typing import Any

import pytest

from sizing.billing.aws_monitoring import INSIGHTS_METRICS
from sizing.billing.plan_usage import index_backup_gb
from sizing.catalogue import catalogue
from sizing.cost.report import CostLine, price_design
from sizing.design import component_metrics, design, weigh
from sizing.sizer import ALARMS_BESIDE, DUMP_SHARE, SizedRegion, size_regions
from sizing.stores import QDRANT_REWRITE_ROOM, vectors_disk_gb
from sizing.workload_document import read_workload

SERVER_LOGS = {"logs/flow", "logs/servers", "logs/firewall"}


def price(**workload: Any) -> list[CostLine]:
    return list(price_design(design(read_workload(workload), catalogue())).lines)


def find(lines: list[CostLine], resource: str, site: str = "aws:us-east-1") -> dict[str, float]:
    return {line.sku: float(line.quantity[1]) for line in lines if (line.resource, line.site) == (resource, site)}


def company(**overrides: str) -> list[CostLine]:
    return price(users=500, regions=[{"region": "aws:us-east-1"}], overrides=overrides)


def test_a_cluster_pays_for_its_insights_whoever_watches_and_a_host_has_none() -> None:
    for monitoring in ("cloud", "prometheus", "managed-prometheus", "datadog"):
        assert find(company(monitoring=monitoring), "monitoring/insights")["metric"] == INSIGHTS_METRICS
    host = price(users=50, regions=[{"region": "aws:us-east-1"}])
    assert not {line.resource for line in host} & {"monitoring/insights", *SERVER_LOGS}


def test_the_logs_around_the_service_have_a_line_each() -> None:
    lines = company()
    assert {line.resource for line in lines} >= SERVER_LOGS
    assert all(line.kind == "usage" for line in lines if line.resource in SERVER_LOGS)
    assert "logs/firewall" not in {line.resource for line in company(balancer="nlb")}, "it has no firewall"


def test_managed_prometheus_is_billed_by_samples_and_grafana_by_one_editor() -> None:
    lines = company(monitoring="managed-prometheus")
    samples = find(lines, "monitoring/workspace")
    # two nodes, 1,500 series, a sample a minute for 730 hours
    assert samples["samples"] == pytest.approx(2 * 1500 * 730 * 60 / 1e7)
    assert set(samples) == {"samples", "storage", "query-samples"}
    assert find(lines, "monitoring/grafana") == {"editor": 1}
    assert find(lines, "monitoring/alarm") == {"alarm": ALARMS_BESIDE}
    assert not find(company(), "monitoring/workspace")


def test_a_price_that_nobody_states_is_not_made_up() -> None:
    lines = price(users=500, regions=[{"region": "aws:eu-west-1"}], overrides={"monitoring": "managed-prometheus"})
    assert {line.sku for line in lines if line.service == "prometheus" and line.is_priced} == set()


def test_datadog_counts_hosts_of_ours_only_and_has_a_secret() -> None:
    def hosts(**overrides: str) -> float:
        (line,) = [each for each in company(monitoring="datadog", **overrides) if each.resource == "monitoring/hosts"]
        return float(line.quantity[1])

    assert hosts() == 4 and hosts(vector_store="elasticsearch") == hosts(vector_store="pgvector") == 2
    secrets = [find(company(monitoring=kind), "security/secret")["secret"] for kind in ("cloud", "datadog")]
    assert secrets[1] == secrets[0] + 1


def test_regions_check_each_other_and_send_each_other_what_they_keep() -> None:
    regions = [{"region": "aws:us-east-1"}, {"region": "aws:eu-west-1"}, {"region": "alicloud:cn-beijing"}]
    lines = price(users=5000, clouds=["aws", "alicloud"], regions=regions)
    for site in ("aws:us-east-1", "aws:eu-west-1"):
        assert find(lines, "network/health-check", site) == {"health-check": 1, "health-check-option": 2}
        kept, copied = find(lines, "object_store/bucket", site), find(lines, "object_store/replica", site)
        assert copied["standard-put"] == kept["standard-put"] and copied["standard"] == kept["standard"]
        assert find(lines, "object_store/replication", site)["inter-region"] > 0
    assert not find(company(), "object_store/replica") and not find(company(), "network/health-check")


def test_sqlite_is_weighed_with_its_vectors_beside_another_store_too() -> None:
    drawn = design(read_workload({"users": 90, "memories_per_user": 8000}), catalogue())
    assert drawn.tier.name == "single-host-qdrant"
    weight = weigh(drawn.workload, drawn.workload.point("expected"))
    load = weight.load
    weighed_gb = component_metrics(weight, drawn.choices)["relational_gb"]
    vectors_gb = load.memories * 2 * load.dimensions / 1e9
    assert weighed_gb > load.text_gb + vectors_gb, "the store keeps every vector at half precision"


@pytest.mark.parametrize("engine", ["qdrant", "elasticsearch"])
def test_an_index_is_backed_up_by_its_own_engines_measure(engine: str) -> None:
    drawn = design(
        read_workload(
            {"users": 500, "regions": [{"region": "alicloud:cn-beijing"}], "overrides": {"vector_store": engine}}
        ),
        catalogue(),
    )
    (region,) = size_regions(drawn, drawn.workload.point("expected"))
    store, load = region.plan.vector_store, region.load
    whole_gb = vectors_disk_gb(engine, load.text_gb, store.vectors, store.dimensions)
    assert index_backup_gb(region) == pytest.approx(whole_gb / (QDRANT_REWRITE_ROOM if engine == "qdrant" else 1))
    (line,) = [each for each in price_design(drawn).lines if each.resource == "backup/vectors"]
    assert float(line.quantity[1]) == pytest.approx(index_backup_gb(region), rel=1e-4)


def test_dumps_of_every_week_and_snapshots_of_every_day_are_paid_for() -> None:
    def size(**overrides: str) -> tuple[SizedRegion, float]:
        drawn = design(read_workload({"users": 500, "overrides": overrides}), catalogue())
        (region,) = size_regions(drawn, drawn.workload.point("expected"))
        return region, find(list(price_design(drawn).lines), "backup/dumps")["standard"]

    region, stored_gb = size(vector_store="qdrant")
    backup, store = region.plan.backup, region.plan.vector_store
    assert backup.dumps_gb == pytest.approx(backup.retention_days / 7 * region.load.database_gb * DUMP_SHARE, rel=1e-2)
    assert stored_gb == pytest.approx(
        backup.dumps_gb + 7 * store.replication_factor * index_backup_gb(region), rel=1e-3
    )
    region, stored_gb = size(vector_store="pgvector")
    assert stored_gb == pytest.approx(region.plan.backup.dumps_gb, rel=1e-3)
