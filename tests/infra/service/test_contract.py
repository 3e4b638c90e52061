"""What the stacks render is what the service reads: nothing unknown, nothing unused, the plan's own figures."""

import os
from collections.abc import Mapping

import pytest

from app.settings import Settings, load_settings
from infra.service.configuration import ServiceAddresses, configure_service, name_secrets
from sizing.plan import RegionPlan
from sizing.planner import size
from sizing.workload_document import read_workload
from tests.infra.service.plans import ADDRESSES, COMPANY, PERSONAL, PLATFORM, TEAM

WORKLOADS: Mapping[str, Mapping[str, object]] = {
    "personal": PERSONAL,
    "personal in China": {**PERSONAL, "clouds": ["alicloud"]},
    "personal on the processor": {**PERSONAL, "embedding": "local-cpu"},
    "personal with Cohere": {**PERSONAL, "models": {"embedding": "embed-v4.0"}},
    "personal with PostgreSQL": {**PERSONAL, "overrides": {"database": "postgresql"}},
    "team": TEAM,
    "team with Chroma": {**TEAM, "overrides": {"vector_store": "chromadb"}},
    "company": COMPANY,
    "company on Alibaba Cloud": {**COMPANY, "clouds": ["alicloud"]},
    "company with a graphics processor": {**COMPANY, "embedding": "local-gpu"},
    "company with OpenAI": {**COMPANY, "models": {"personal": "gpt-4o", "embedding": "text-embedding-3-large"}},
    "company with Claude and DeepSeek": {
        **COMPANY,
        "models": {"personal": "claude-sonnet-5", "compression": "deepseek-chat"},
    },
    "company with pgvector": {**COMPANY, "overrides": {"vector_store": "pgvector"}},
    "company with Elasticsearch": {**COMPANY, "overrides": {"vector_store": "elasticsearch"}},
    "company with Qdrant's cloud": {**COMPANY, "overrides": {"vector_store": "qdrant-cloud"}},
    "company under the GDPR": {**COMPANY, "residency": "eu", "gdpr": True},
    "platform": PLATFORM,
}


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("REME_", "LLM_", "EMBEDDING_", "FLOW_")):
            monkeypatch.delenv(name)


def plan_regions(workload: Mapping[str, object]) -> tuple[RegionPlan, ...]:
    return size(read_workload(workload)).regions


def load(monkeypatch: pytest.MonkeyPatch, plan: RegionPlan, addresses: ServiceAddresses = ADDRESSES) -> Settings:
    """The settings that the service reads from what is rendered, every secret in its place."""
    rendered = configure_service(plan, addresses)
    for variable, value in rendered.environment.items():
        monkeypatch.setenv(variable, value)
    for variable, secret in rendered.secrets.items():
        monkeypatch.setenv(variable, f"value-of-{secret}")
    settings = load_settings()
    for setting in (*rendered.environment, *rendered.secrets):
        monkeypatch.delenv(setting)
    return settings


@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=WORKLOADS)
def test_every_setting_is_known_and_used(workload: Mapping[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    for plan in plan_regions(workload):
        settings = load(monkeypatch, plan)
        assert settings.notices == ()
        assert set(settings.origins.values()) == {"environment", "default"}


@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=WORKLOADS)
def test_the_figures_are_the_plan_s(workload: Mapping[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    for plan in plan_regions(workload):
        settings = load(monkeypatch, plan)
        assert settings.store.backend == {"sqlite": "sqlite", "postgresql": "postgres"}[plan.database.engine]
        assert settings.http.workers == plan.compute.vcpu
        assert settings.http.port == plan.balancer.target_port
        assert settings.access.mode == "required"
        assert settings.storage.type == plan.object_store.kind
        assert settings.embedding.dimensions == plan.models.dimensions
        assert settings.working_memory.delete_after_days == plan.object_store.delete_after_days
        assert (settings.cache.backend == "redis") == (plan.cache.nodes > 0)
        store = plan.vector_store
        if settings.vector_index.backend == "qdrant":
            qdrant = settings.qdrant
            assert (qdrant.m, qdrant.ef_construct, qdrant.ef) == (16, 200, 256)
            assert (qdrant.quantization, qdrant.replication_factor) == ("int8", store.replication_factor)
        elif settings.vector_index.backend == "elasticsearch":
            assert settings.elasticsearch.number_of_replicas == store.replication_factor - 1
        else:
            assert store.placement in ("embedded", "in-database") or settings.vector_index.backend == "chroma"
        if settings.store.backend == "postgres":
            database = settings.postgres
            assert (database.min_pool_size, database.max_pool_size) == (5, 20)
            assert (database.m, database.ef_construction, database.ef_search) == (16, 200, 256)


@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=WORKLOADS)
def test_every_task_asks_the_plan_s_model_with_the_key_of_its_provider(
    workload: Mapping[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.domain.language import ModelTask
    from infra.service.providers import find_provider

    for plan in plan_regions(workload):
        settings = load(monkeypatch, plan)
        keys: dict[str, str | None] = {}
        for task in ModelTask:
            model = plan.models.tasks[task.value]
            choice = settings.llm.choice(task)
            assert choice.model_name == model
            assert choice.usable
            key = keys.setdefault(find_provider(model), choice.revealed_key)
            assert choice.revealed_key == key
        assert None not in keys.values()
        assert len(set(keys.values())) == len(keys), "two providers are sent one key"


def test_a_password_is_no_part_of_the_connection_string(monkeypatch: pytest.MonkeyPatch) -> None:
    from psycopg.conninfo import conninfo_to_dict

    plan = plan_regions(COMPANY)[0]
    addresses = ServiceAddresses(
        database_host="db.internal",
        database_port=5433,
        database_name="memo ry",
        database_user="re@me",
        database_authorities_url="https://authorities.example.com/bundle.pem",
        cache_host="cache.internal",
        vector_url="https://q.internal:6333",
        bucket="objects",
    )
    settings = load(monkeypatch, plan, addresses)
    assert conninfo_to_dict(settings.postgres.revealed_connection_string or "") == {
        "host": "db.internal",
        "port": "5433",
        "dbname": "memo ry",
        "user": "re@me",
        "sslmode": "verify-full",
        "sslrootcert": "/var/lib/reme/authorities.pem",
    }
    assert configure_service(plan, addresses).secrets["PGPASSWORD"] == "database"


@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=WORKLOADS)
def test_the_secrets_are_known_before_the_addresses(workload: Mapping[str, object]) -> None:
    for plan in plan_regions(workload):
        assert name_secrets(plan) == configure_service(plan, ADDRESSES).secret_names
