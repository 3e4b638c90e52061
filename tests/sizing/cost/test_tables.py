"""The comparison tables: the document's rows and figures, the choice, and no guessed price."""

import string
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from sizing.catalogue import Catalogue, Price, catalogue
from sizing.cost.alternatives import Subject
from sizing.cost.comparisons import document_tables
from sizing.cost.quotations import find_price
from sizing.cost.report import add_up, price_design
from sizing.cost.tables import ComparisonTable, comparison_tables
from sizing.cost.verdicts import places_of
from sizing.design import Design, design
from sizing.measures import HOURS_PER_MONTH
from sizing.messages import LANGUAGES, Language, messages
from sizing.models import models
from sizing.regions import CLOUDS
from sizing.tables import read_table
from sizing.workload import sample_workload

CENT = Decimal("0.01")

DOCUMENT: dict[str, dict[str, str]] = {
    "vector-stores": {
        "Local (SQLite)": "$0/month (§3.1)",
        "Elasticsearch": "$100-500/month (§3.1)",
        "ChromaDB": "$0-200/month (§3.1)",
        "Qdrant": "$0-300/month (§3.1)",
        "PostgreSQL": "$200-500/month (§3.1)",
    },
    "vector-services": {
        "Qdrant free edition": "$0/month (§3.2)",
        "Qdrant standard edition": "$50-100/month (§3.2)",
        "Qdrant enterprise edition": "$500+/month (§3.2)",
        "Elasticsearch Serverless": "$50-200/month (§3.2)",
        "Elasticsearch Dedicated": "$200-500/month (§3.2)",
    },
    "databases": {
        "db.r6i.large": "$200-300/month (§2.2)",
        "rds.pg.c6.xlarge": "$150-200/month (§2.2)",
        "B2s": "$150/month (§2.2)",
        "CynosDB": "$100-150/month (§2.2)",
    },
    "object-stores": {
        "AWS S3": "$0.023/GB-month (§4.3); $0.09/GB (§4.3)",
        "Alibaba Cloud OSS": "$0.0117/GB-month (§4.3); $0.084/GB (§4.3)",
        "Tencent Cloud COS": "$0.01/GB-month (§4.3); $0.08/GB (§4.3)",
        "Azure Blob": "$0.018/GB-month (§4.3); $0.12/GB (§4.3)",
        "MinIO": "$0/GB-month (§4.3); $0/GB (§4.3)",
    },
    "monitoring": {"Datadog": "$60/month (§8.1)"},
    "language-models": {
        "gpt-4o-mini": "$0.15/1M tokens (§8.2 (4))",
        "gpt-4": "no figure in the requirements",
        "gpt-3.5-turbo": "$0.2/1M tokens (§8.2 (1)); $0.0005/1M tokens (§8.2 (4))",
        "qwen3-30b-a3b-instruct-2507": "$0.2/1M tokens (§8.2 (1)); $0.5/1M tokens (§8.1); $1.4-2.0/1M tokens (§5.2)",
        "claude-opus-4.6": "no figure in the requirements",
        "Other OpenAI-compatible services": "no figure in the requirements",
        "qwen3-8b": "$0.0001/1M tokens (§8.2 (4))",
        "OpenAI GPT-4o": "$3/1M tokens (§8.2 (1))",
        "Claude 3.5 Sonnet": "$3/1M tokens (§8.2 (1))",
        "Llama2 (HF)": "no figure in the requirements",
    },
    "embedding-models": {
        "text-embedding-3-small": "$0.02/1M tokens (§5.3)",
        "text-embedding-3-large": "$0.13/1M tokens (§5.3)",
        "text-embedding-v3": "$0.05/1M tokens (§5.3)",
        "embed-v3": "$0.10/1M tokens (§5.3)",
        "bge-m3 (local)": "$0/1M tokens (§5.3)",
        "jina-embeddings": "$0.08/1M tokens (§5.3)",
    },
    "dimensions": {
        "256": "$0.02/1M tokens (§3.3)",
        "512": "$0.04/1M tokens (§3.3)",
        "768": "$0.05/1M tokens (§3.3)",
        "1024": "$0.08/1M tokens (§3.3)",
        "3072": "$0.13/1M tokens (§3.3)",
    },
    "instances": {
        "t3.medium": "$30/month (§1.1)",
        "t2.small": "no figure in the requirements",
        "ecs.c6.large": "$15/month (§1.1)",
        "e2-medium": "$25/month (§1.1)",
        "t3.large": "$50/month (§1.1)",
        "ecs.c7.xlarge": "$40/month (§1.1)",
        "n2-standard-2": "$60/month (§1.1)",
        "c5.2xlarge x 3": "$360/month (§1.1)",
        "ecs.c7.2xlarge x 3": "$300/month (§1.1); $360/month (§8.1)",
        "n2-standard-8 x 3": "$450/month (§1.1)",
        "GPU NVIDIA T4 (g4dn.xlarge)": "$50-200/month (§1.1)",
        "GPU NVIDIA A100/H100": "$50-200/month (§1.1)",
    },
}
"""Transcribed from the requirements' §1.1, §2.2, §3.1-3.3, §4.3, §5.1, §5.3, §8.1 and §8.2."""

SCALES = [
    ("small", "local_sqlite", "$0"),
    ("small", "qdrant_cloud", "$50"),
    ("medium", "local_sqlite", "$0"),
    ("medium", "qdrant_cloud", "$100"),
    ("medium", "elasticsearch", "$150"),
    ("large", "qdrant_enterprise", "$500"),
    ("large", "elasticsearch_cloud", "$400"),
    ("large", "self_hosted_qdrant", "$200"),
]
"""§8.2, strategy 5."""

MATRIX = [
    ("内置", "自建/云服务", "开源/云服务", "开源/云服务", "RDS 服务"),
    ("最简单", "中等", "简单", "简单", "简单"),
    ("≤100GB", "无限", "无限", "无限", "无限"),
    ("低 (<10)", "高 (>100)", "中 (20-50)", "高 (>100)", "高 (>100)"),
    ("256-3072", "256-4096", "可配置", "可配置", "可配置"),
    ("<10ms", "50-200ms", "20-100ms", "20-100ms", "50-200ms"),
    ("✓", "✓", "✓", "✓", "✓"),
    ("✗", "✓", "✗", "✓", "✓"),
    ("✗", "✓", "✓", "✓", "✓"),
    ("✗", "✓", "✗", "✓", "✓"),
    ("中", "高", "中", "低", "低"),
]
"""§3.1's matrix but for its cost row, feature by feature."""

DIMENSIONS = [
    ("1KB", "最快", "低", "快速检索，低精度"),
    ("2KB", "快", "中", "平衡方案"),
    ("3KB", "中", "中高", "推荐（通用）"),
    ("4KB", "中", "高", "精准搜索"),
    ("12KB", "慢", "最高", "超精准，成本高"),
]

WORKLOADS: list[tuple[float, dict[str, Any]]] = [
    (50, {}),
    (500, {}),
    (5000, {}),
    (500, {"overrides": {"vector_store": "pgvector"}}),
    (500, {"overrides": {"vector_store": "qdrant-cloud", "monitoring": "datadog"}}),
    (5000, {"overrides": {"vector_store": "qdrant-cloud"}}),
    (50, {"overrides": {"database": "postgresql", "vector_store": "chromadb", "object_store": "bucket"}}),
    (50, {"overrides": {"vector_store": "memory"}}),
    (50, {"overrides": {"tier": "single-host-qdrant"}}),
    (500, {"residency": "cn"}),
    (500, {"residency": "eu"}),
    (5000, {"clouds": ("alicloud",)}),
    (500, {"dimensions": 1536}),
    (500, {"dimensions": 3072}),
    (500, {"embedding": "local-cpu"}),
    (500, {"models": {"rerank": "gpt-4o-mini", "embedding": "text-embedding-3-small"}}),
]


def draw(users: float = 500, **wishes: Any) -> Design:
    return design(replace(sample_workload(users), **wishes), catalogue())


def table_of(drawn: Design, name: str, language: Language = "en") -> ComparisonTable:
    return next(table for table in comparison_tables(drawn, language) if table.name == name)


def chosen_links(drawn: Design, table: ComparisonTable) -> set[str]:
    """What the chosen rows stand for: the link of a document's option, or a row of ours by its name."""
    options = next(known for known in document_tables() if known.name == table.name).options
    links = {option.name: option.link for option in options}
    return {links.get(table.rows[index].name, table.rows[index].name) for index in table.chosen}


@pytest.fixture(scope="module")
def medium() -> Design:
    return draw(500)


@pytest.mark.parametrize("name", sorted(DOCUMENT))
def test_every_row_of_the_document_is_there_with_its_figure(medium: Design, name: str) -> None:
    rows = {row.option: row for row in table_of(medium, name).rows}
    for option, figure in DOCUMENT[name].items():
        assert option in rows
        assert rows[option].planning.startswith(figure)


def test_the_scales_of_the_vector_strategy_are_there(medium: Design) -> None:
    table = table_of(medium, "vector-scales")
    rows = [(row.attributes[0], row.option, row.planning.partition("/")[0]) for row in table.rows[: len(SCALES)]]
    assert rows == SCALES


def test_the_matrix_is_quoted(medium: Design) -> None:
    rows = table_of(medium, "vector-stores", "zh").rows[:5]
    assert [tuple(row.attributes[index] for row in rows) for index in range(len(MATRIX))] == MATRIX


def test_the_dimensions_are_quoted(medium: Design) -> None:
    rows = table_of(medium, "dimensions", "zh").rows[:5]
    assert [row.attributes for row in rows] == DIMENSIONS


@pytest.mark.parametrize(("users", "wishes"), WORKLOADS)
def test_the_chosen_row_is_the_plans_choice(users: float, wishes: dict[str, Any]) -> None:
    drawn = draw(users, **wishes)
    subject = Subject.of(drawn)
    tables = {table.name: table for table in comparison_tables(drawn, "en")}
    for name in ("vector-stores", "vector-services", "vector-scales"):
        assert chosen_links(drawn, tables[name]) == {drawn.chosen("vector_store")}
        assert len(tables[name].chosen) == 1
    assert chosen_links(drawn, tables["databases"]) == {drawn.chosen("database")}
    assert chosen_links(drawn, tables["object-stores"]) == {drawn.chosen("object_store")}
    assert chosen_links(drawn, tables["monitoring"]) == {drawn.chosen("monitoring")}
    plans = [region.plan for region in subject.sized]
    assert chosen_links(drawn, tables["language-models"]) == {
        model for plan in plans for model in plan.models.tasks.values()
    }
    assert chosen_links(drawn, tables["embedding-models"]) == {plan.models.embedding for plan in plans}
    assert chosen_links(drawn, tables["dimensions"]) == {str(drawn.workload.dimensions)}
    assert chosen_links(drawn, tables["instances"]) == {plan.compute.instance_class for plan in plans}


def test_an_object_store_is_chosen_on_every_cloud_of_the_plan() -> None:
    table = table_of(draw(5000), "object-stores")
    assert {table.rows[index].name for index in table.chosen} == {"s3", "oss"}
    assert {row.name for row in table_of(draw(500), "object-stores").rows if row.chosen} == {"s3"}


@pytest.mark.parametrize(("users", "wishes"), WORKLOADS)
def test_what_is_chosen_changes_nothing(users: float, wishes: dict[str, Any]) -> None:
    drawn = draw(users, **wishes)
    total = price_design(drawn).total.expected
    for table in comparison_tables(drawn, "en"):
        if table.name in ("instances", "language-models", "embedding-models"):
            continue
        for index in table.chosen:
            assert table.rows[index].delta_usd == 0
            assert table.rows[index].monthly_usd == total


@pytest.mark.parametrize(("users", "wishes"), WORKLOADS)
def test_no_price_is_guessed(users: float, wishes: dict[str, Any]) -> None:
    drawn = draw(users, **wishes)
    places = places_of(Subject.of(drawn))
    idle = set(CLOUDS) - {place.cloud for place in places}
    tables = {table.name: table for table in comparison_tables(drawn, "en")}
    for known in document_tables():
        rows = {row.name: row for row in tables[known.name].rows}
        for option in known.options:
            text = rows[option.name].list_price
            assert text
            # Models that the planner offers are quoted by their own keys, sizes by those of their models.
            if option.link in models() or known.name == "dimensions":
                continue
            quoted = [key for key in option.prices if key.provider and (option.cloud or key.provider not in idle)]
            for key in quoted:
                price = find_price(key, places, drawn.prices)
                if price is None or price.usd is None:
                    assert f"no list price ({key.provider}/{key.service}/{key.sku}@" in text
                else:
                    assert f"({price.name}, " in text


def test_without_prices_nothing_has_one() -> None:
    drawn = design(sample_workload(500), Catalogue({}))
    for table in comparison_tables(drawn, "en"):
        for row in table.rows:
            assert "$" not in row.list_price, (table.name, row.name)
            if table.name in ("language-models", "embedding-models", "instances") and row.name != "bge-m3":
                assert row.monthly_usd is None
                assert "$" not in row.workload


def test_a_price_of_the_user_is_shown() -> None:
    known = catalogue().find("qdrant", "qdrant-cloud", "cluster", "*")
    assert known is not None
    mine = Price(
        provider="qdrant",
        service="qdrant-cloud",
        sku="cluster",
        region="*",
        unit="GB-hour",
        amount=Decimal("0.1"),
        currency="USD",
        per_usd=Decimal(1),
        as_of="2026-11-01",
        evidence="high",
        source="contract",
        note="",
        usd=Decimal("0.1"),
    )
    drawn = design(sample_workload(500), catalogue().overridden([mine]))
    row = next(row for row in table_of(drawn, "vector-stores").rows if row.name == "qdrant-cloud")
    assert row.list_price == "cluster: $0.1/GB-hour (qdrant/qdrant-cloud/cluster@*, 2026-11-01)"
    assert row.partial == 0


def test_what_has_no_list_price_is_marked_partial(medium: Design) -> None:
    rows = {row.name: row for row in table_of(medium, "vector-stores").rows}
    assert rows["qdrant-cloud"].partial == 1
    assert "its own lines have no list price" in rows["qdrant-cloud"].workload
    assert "partial" in rows["qdrant-cloud"].workload


@pytest.mark.parametrize("users", [50, 500])
def test_the_chosen_models_figure_is_the_reports(users: float) -> None:
    drawn = draw(users)
    report = price_design(drawn)
    for name, component in (("language-models", "llm"), ("embedding-models", "embedding")):
        table = table_of(drawn, name)
        (index,) = table.chosen
        row = table.rows[index]
        assert row.monthly_usd == add_up(line for line in report.lines if line.component == component).expected
        assert row.delta_usd == 0
    row = next(row for row in table_of(drawn, "language-models").rows if row.chosen)
    sums = {
        way: add_up(line for line in report.lines if line.sku.endswith(f":{way}")).expected
        for way in ("input", "output")
    }
    assert (row.input_usd, row.output_usd) == (sums["input"], sums["output"])


def test_a_model_for_all_tasks_costs_what_the_plan_with_it_would() -> None:
    drawn = draw(5000)
    for row in table_of(drawn, "language-models").rows:
        if row.name != "gpt-4o-mini":
            continue
        tasks = dict.fromkeys(("personal", "task", "tool", "rerank", "compression"), row.name)
        report = price_design(draw(5000, models=tasks))
        assert row.monthly_usd == add_up(line for line in report.lines if line.component == "llm").expected


def test_a_candidate_costs_what_the_plan_with_it_would(medium: Design) -> None:
    before = price_design(medium).total.expected
    after = price_design(design(medium.workload.with_override("vector_store", "pgvector"), catalogue())).total.expected
    row = next(row for row in table_of(medium, "vector-stores").rows if row.name == "postgresql")
    assert (row.monthly_usd, row.delta_usd) == (after, after - before)


def test_what_cannot_work_says_why(medium: Design) -> None:
    rows = {row.name: row for row in table_of(medium, "vector-stores").rows}
    for name in ("local-sqlite", "chromadb", "memory", "qdrant-same-host"):
        assert rows[name].cannot
        assert rows[name].why.startswith("cannot: ")
        assert rows[name].monthly_usd is None
    models_in_china = {row.name: row for row in table_of(draw(500, residency="cn"), "language-models").rows}
    assert models_in_china["gpt-4o-mini"].cannot
    assert "served from us, eu" in models_in_china["gpt-4o-mini"].why


@pytest.mark.parametrize("dimensions", [256, 512, 768, 1024, 3072])
def test_vectors_of_a_size_need_what_the_document_says(medium: Design, dimensions: int) -> None:
    row = next(row for row in table_of(medium, "dimensions").rows if row.name == str(dimensions))
    # §3.3 writes 1 KB for 256 components of 4 bytes: 1024 bytes.
    assert row.attributes[0] == f"{dimensions * 4 // 1024} KB"
    assert row.workload.startswith(f"{dimensions * 4:,} bytes a vector")


CORRECTIONS = [
    ("embedding-models", "text-embedding-3-small", "1536"),
    ("dimensions", "768", "per token, not per dimension"),
    ("databases", "db.r6i.large", "has 16 GB"),
    ("vector-stores", "qdrant-cloud", "another vendor's host"),
    ("instances", "t3.large", "has 2 vCPU"),
    ("instances", "t2.small", "1 vCPU and 2 GB"),
    ("language-models", "qwen3-30b-a3b-instruct-2507", "three prices"),
]


@pytest.mark.parametrize(("name", "option", "text"), CORRECTIONS)
def test_a_correction_stands_beside_the_figure(medium: Design, name: str, option: str, text: str) -> None:
    row = next(row for row in table_of(medium, name).rows if row.name == option)
    assert text in row.correction
    assert row.planning


def test_prices_are_those_of_the_primary_region() -> None:
    beijing = {row.name: row for row in table_of(draw(500, residency="cn"), "object-stores").rows}
    assert "alicloud/oss/standard-lrs@cn-mainland" in beijing["oss"].list_price
    ireland = {row.name: row for row in table_of(draw(500, residency="eu"), "instances").rows}
    assert "aws/ec2/t3.large@eu-west-1" in ireland["t3.large"].list_price


def test_machines_are_priced_for_a_month(medium: Design) -> None:
    rows = {row.name: row for row in table_of(medium, "instances").rows}
    usd = catalogue().usd("aws", "ec2", "c5.2xlarge", "us-east-1")
    assert usd is not None
    assert rows["c5.2xlarge"].monthly_usd == (usd * 3 * int(HOURS_PER_MONTH)).quantize(CENT)


def test_rows_fit_the_columns() -> None:
    for language in LANGUAGES:
        for table in comparison_tables(draw(50), language):
            assert table.title
            assert table.why
            assert table.note
            assert all(len(row.cells) == len(table.columns) for row in table.rows)
            assert all(row.why for row in table.rows)


def test_both_languages_are_complete() -> None:
    rows = read_table("messages/tables.csv")
    assert len({row["code"] for row in rows}) == len(rows)
    for row in rows:
        fields = [{name for _, name, _, _ in string.Formatter().parse(row[language]) if name} for language in LANGUAGES]
        assert row["en"].strip()
        assert row["zh"].strip()
        assert fields[0] == fields[1], row["code"]
    known = messages("en")
    for table in document_tables():
        for option in table.options:
            assert all(f"tables.fix.{code}" in known for code in option.corrections)
            assert all(cell.en and cell.zh for cell in option.attributes)
            assert {cell.name for cell in option.attributes} <= set(table.attributes)
            assert all(f"tables.unit.{figure.unit}" in known for figure in option.figures)
            for key in option.prices:
                assert f"tables.{'part' if key.provider else 'paid'}.{key.part}" in known


def test_the_languages_differ_in_words_alone() -> None:
    drawn = draw(5000)
    english, chinese = (comparison_tables(drawn, language) for language in LANGUAGES)
    for one, other in zip(english, chinese, strict=True):
        assert one.chosen == other.chosen
        assert [(row.name, row.monthly_usd, row.delta_usd) for row in one.rows] == [
            (row.name, row.monthly_usd, row.delta_usd) for row in other.rows
        ]
        assert one.title != other.title


def test_every_cell_belongs_to_an_option() -> None:
    options = {(row["table"], row["option"]) for row in read_table("comparisons/options.csv")}
    tables = {row["table"] for row in read_table("comparisons/tables.csv")}
    assert {table for table, _ in options} == tables
    for name in ("attributes", "figures", "list_prices"):
        assert {(row["table"], row["option"]) for row in read_table(f"comparisons/{name}.csv")} <= options
    assert all(row["section"] for row in read_table("comparisons/options.csv"))
