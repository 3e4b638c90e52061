"""Plans: what each tier contains, and that sizes follow load."""

import json

import jsonschema
import pytest

from sizing.billing.aws import lcu_hours
from sizing.errors import InvalidWorkload
from sizing.plan import Plan
from sizing.planner import size
from sizing.render.document import describe_plan
from sizing.schemas import plan_schema, read_plan
from sizing.workload import Workload
from sizing.workload_document import read_workload
from tests.conftest import SCENARIOS


def plan_for(**document: object) -> Plan:
    return size(read_workload(document))


def test_the_single_host_is_the_document_drawing() -> None:
    region = plan_for(users=50).primary
    assert (region.compute.nodes, region.compute.instance_class) == (1, "t3.medium")
    assert (region.compute.vcpu, region.compute.memory_gb, region.compute.data_disk_gb) == (2, 4, 50)
    assert region.database.engine == "sqlite"
    assert region.vector_store.engine == "sqlite-vec"
    assert region.balancer.kind == "none"
    assert region.network.nat_gateways == 0


def test_the_small_team_keeps_one_host_and_puts_qdrant_on_it() -> None:
    region = plan_for(users=90, memories_per_user=8000).primary
    assert region.compute.nodes == 1
    assert (region.vector_store.engine, region.vector_store.placement) == ("qdrant", "same-host")
    assert region.compute.memory_gb >= region.compute.memory_needed_gb


def test_high_availability_survives_one_node() -> None:
    region = plan_for(users=500).primary
    assert region.compute.nodes == 2
    assert region.compute.vcpu >= 4
    assert region.compute.memory_gb >= 8
    assert region.database.multi_zone
    assert region.vector_store.replication_factor == 2
    assert region.cache.nodes == 2
    assert region.balancer.health_path == "/health"
    assert region.balancer.target_port == 8002


def test_the_world_wide_default_is_three_two_three_on_both_clouds() -> None:
    """Errata 6.4: us-east-1 x 3 and eu-west-1 x 2 on AWS, ap-southeast-1 x 3 on Alibaba Cloud."""
    plan = plan_for(users=5000)
    nodes = {region.key: region.compute.nodes for region in plan.regions}
    assert nodes == {"aws:us-east-1": 3, "aws:eu-west-1": 2, "alicloud:ap-southeast-1": 3}
    assert {region.role for region in plan.regions} == {"primary", "secondary"}
    assert plan.regions[0].models.tasks["rerank"] == "gpt-4o-mini"
    assert plan.regions[2].models.tasks["rerank"].startswith("qwen")
    assert sum(region.share for region in plan.regions) == pytest.approx(1)


def test_one_cloud_keeps_the_world_on_it() -> None:
    plan = plan_for(users=5000, clouds=["aws"])
    assert [region.key for region in plan.regions] == ["aws:us-east-1", "aws:eu-west-1", "aws:ap-southeast-1"]


def test_china_stays_in_china_with_models_served_there() -> None:
    plan = plan_for(users=500, residency="cn")
    assert plan.primary.key == "alicloud:cn-beijing"
    assert plan.primary.models.embedding == "text-embedding-v4"
    with pytest.raises(InvalidWorkload, match="inside China"):
        plan_for(users=500, residency="cn", models={"default": "gpt-4o-mini"})


def test_a_jurisdiction_without_the_cloud_is_refused() -> None:
    with pytest.raises(InvalidWorkload, match="residency"):
        plan_for(users=500, residency="cn", clouds=["aws"])


def test_residency_names_models_that_would_carry_text_away() -> None:
    told = plan_for(users=500, residency="eu", models={"default": "qwen-plus"})
    assert any(reason.code == "warning-residency" for reason in told.warnings)
    nowhere = plan_for(users=500, residency="jp")
    assert any(reason.code == "warning-residency" for reason in nowhere.warnings)


def test_residency_moves_the_default_models_to_where_the_data_is() -> None:
    plan = plan_for(users=500, residency="eu")
    assert plan.primary.models.tasks["rerank"] == "gpt-4o-mini"
    assert plan.primary.models.embedding == "text-embedding-3-small"
    assert not any(reason.code == "warning-residency" for reason in plan.warnings)


def test_a_region_in_china_beside_others_is_isolated_wherever_it_stands() -> None:
    regions = [{"region": "alicloud:cn-beijing"}, {"region": "aws:us-east-1"}]
    plan = plan_for(users=500, regions=regions)
    assert [region.role for region in plan.regions] == ["isolated", "secondary"]
    assert plan.spanning.replicated_gb_per_month == 0
    assert plan.regions[0].models.embedding == "text-embedding-v4"


def test_elasticsearch_and_datadog_can_be_insisted_on() -> None:
    plan = plan_for(users=500, overrides={"vector_store": "elasticsearch", "monitoring": "datadog"})
    assert plan.primary.vector_store.instance_class.endswith(".search")
    assert plan.primary.vector_store.nodes == 3
    assert plan.primary.monitoring.kind == "datadog"


@pytest.mark.parametrize(("availability", "nat", "gateways"), [(0, "single", 1), (99.9, "per-zone", 2)])
def test_nat_follows_the_availability_asked(availability: float, nat: str, gateways: int) -> None:
    network = plan_for(users=500, availability_percent=availability).primary.network
    assert (network.nat, network.nat_gateways) == (nat, gateways)


def test_local_embedding_gets_a_gpu_or_the_ram() -> None:
    assert plan_for(users=50, embedding="local-gpu").primary.compute.gpu
    cpu = plan_for(users=50, embedding="local-cpu").primary
    assert cpu.compute.memory_needed_gb > 4
    assert cpu.models.embedding == "bge-m3"
    assert cpu.object_store.model_weights_gb > 2


def test_the_default_embedding_follows_the_dimensions() -> None:
    assert plan_for(users=50, dimensions=3072).primary.models.embedding == "text-embedding-3-large"
    with pytest.raises(InvalidWorkload, match="dimensions"):
        plan_for(users=50, dimensions=4096)


def test_the_vector_store_scales_out_with_its_ram() -> None:
    small = plan_for(users=500, memories_per_user=1000, regions=[{"region": "aws:us-east-1"}]).primary.vector_store
    large = plan_for(users=500, memories_per_user=400_000, regions=[{"region": "aws:us-east-1"}]).primary.vector_store
    assert large.memory_needed_gb * large.nodes > small.memory_needed_gb * small.nodes * 50


def test_alibaba_serverless_ends_at_fourteen_units() -> None:
    small = plan_for(users=500, clouds=["alicloud"]).primary.database
    assert (small.edition, small.capacity_units) == ("serverless", 4)
    large = plan_for(users=900, clouds=["alicloud"], memories_per_user=10_000).primary.database
    assert large.edition == "instance"


@pytest.mark.parametrize("name", list(SCENARIOS))
def test_a_plan_matches_its_schema_and_reads_back(name: str) -> None:
    workload: Workload = SCENARIOS[name]
    plan = size(workload)
    document = json.loads(json.dumps(describe_plan(plan)))
    jsonschema.Draft202012Validator(plan_schema()).validate(document)
    assert read_plan(document) == plan


def test_a_broken_plan_names_the_field() -> None:
    document = json.loads(json.dumps(describe_plan(plan_for(users=50))))
    document["regions"][0]["compute"]["nodes"] = "many"
    with pytest.raises(InvalidWorkload, match="nodes"):
        read_plan(document)


def test_the_same_workload_gives_the_same_plan() -> None:
    assert plan_for(users=777) == plan_for(users=777)


@pytest.mark.parametrize(
    ("dimension", "value", "hours"),
    [
        ("new_per_second", 10_000.0, 400 * 730),
        ("active", 6_000.0, 2 * 730),
        ("gb_per_hour", 1.5, 1.5 * 730),
        ("rule_evaluations_per_second", 500.0, 0.5 * 730),
    ],
)
def test_lcu_hours_in_each_of_the_four_dimensions(dimension: str, value: float, hours: float) -> None:
    zero = {"new_per_second": 0.0, "active": 0.0, "gb_per_hour": 0.0, "rule_evaluations_per_second": 0.0}
    assert lcu_hours(**{**zero, dimension: value}) == pytest.approx(hours)
