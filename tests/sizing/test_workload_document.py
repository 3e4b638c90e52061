import json
from pathlib import Path

import jsonschema
import pytest

from sizing.drivers import drivers
from sizing.errors import InvalidWorkload
from sizing.workload import Point, Workload
from sizing.workload_document import describe_workload, load_document, read_workload, workload_schema


def test_points_have_the_drivers_of_the_table_in_its_order() -> None:
    assert Point._fields == tuple(drivers())


def test_every_default_carries_its_origin_and_lies_within_its_bounds() -> None:
    for driver in drivers().values():
        assert driver.origin.startswith(("§", "ours", "required")), driver.name
        assert driver.help_en
        assert driver.help_zh
        if driver.default is not None:
            assert driver.minimum <= driver.default.low <= driver.default.high <= driver.maximum


def test_users_alone_are_enough() -> None:
    workload = read_workload({"users": 500})
    assert workload.point("expected").users == 500
    assert workload.given == {"users"}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({}, ["users", "--users"]),
        ({"users": -5}, ["users", "-5", "1 to"]),
        ({"users": float("nan")}, ["users", "nan", "finite"]),
        ({"users": 5, "activ_share": 1}, ["activ_share", "did you mean", "active_share"]),
        ({"users": 5, "active_share": 1.5}, ["active_share", "1.5", "0 to 1"]),
        ({"users": 5, "clouds": ["gcp"]}, ["clouds", "gcp", "aws, alicloud"]),
        ({"users": 5, "clouds": []}, ["clouds"]),
        ({"users": 5, "regions": [{"region": "mars"}]}, ["regions", "mars", "aws:us-east-1"]),
        ({"users": 5, "regions": [{"region": "us-east-1", "nodes": 0}]}, ["nodes", "0"]),
        ({"users": 5, "models": {"default": "gpt-9"}}, ["models.default", "gpt-9", "gpt-4o-mini"]),
        ({"users": 5, "models": {"dreaming": "gpt-4o"}}, ["models", "dreaming", "rerank"]),
        ({"users": 5, "models": {"embedding": "gpt-4o"}}, ["models.embedding", "text-embedding-v3"]),
        ({"users": 5, "models": {"embedding": "bge-m3"}}, ["models.embedding", "local-cpu"]),
        ({"users": 5, "dimensions": 3072, "models": {"embedding": "text-embedding-v3"}}, ["dimensions", "3072", "512|768|1024"]),
        ({"users": 5, "overrides": {"roof": "red"}}, ["overrides", "roof", "vector_store"]),
        ({"users": 5, "residency": "atlantis"}, ["residency", "atlantis", "eu"]),
        ({"users": 5, "residency": "eu", "regions": [{"region": "us-east-1"}]}, ["regions", "us-east-1", "eu"]),
        ({"users": 5, "availability_percent": 100}, ["availability_percent", "100"]),
        ({"users": 5, "schema_version": 2}, ["schema_version", "2"]),
        ({"users": 5, "memories": 9, "memories_per_user": 1}, ["memories", "not both"]),
        ({"users": 5, "name": "x" * 64}, ["name"]),
        ({"users": 5, "name": "<script>"}, ["name", "<script>"]),
        ({"users": "5; rm"}, ["users", "5; rm"]),
    ],
)  # fmt: skip
def test_bad_input_names_field_value_and_what_would_be_valid(document: dict[str, object], words: list[str]) -> None:
    with pytest.raises(InvalidWorkload) as caught:
        read_workload(document)
    for word in words:
        assert word in str(caught.value)


def test_total_memories_become_memories_per_user() -> None:
    workload = read_workload({"users": 500, "memories": 1_000_000})
    assert workload.point("expected").memories_per_user == 2000


def test_a_document_describes_itself() -> None:
    document = {
        "users": {"low": 300, "expected": 500, "high": 900},
        "clouds": ["alicloud", "aws"],
        "regions": [{"cloud": "aws", "region": "eu-west-1", "nodes": 3, "llm": "gpt-4o-mini"}],
        "residency": "eu",
        "gdpr": True,
        "models": {"rerank": "gpt-4o"},
        "overrides": {"tier": "ha"},
        "availability_percent": 99.9,
    }
    workload = read_workload(document)
    again = read_workload(json.loads(json.dumps(describe_workload(workload))))
    assert again == workload


def test_gdpr_keeps_working_memory_thirty_days_unless_told_otherwise() -> None:
    assert read_workload({"users": 5, "gdpr": True}).point("expected").working_memory_retention_days == 30
    told = read_workload({"users": 5, "gdpr": True, "working_memory_retention_days": 60})
    assert told.point("expected").working_memory_retention_days == 60


def test_cost_low_takes_the_high_hit_rate() -> None:
    workload = read_workload({"users": 5, "cache_hit_rate": "0.1..0.4..0.9"})
    assert workload.point("low").cache_hit_rate == 0.9
    assert workload.point("high").cache_hit_rate == 0.1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("w.toml", "users = 500\n[models]\nrerank = 'gpt-4o'\n"),
        ("w.yaml", "users: 500\nmodels:\n  rerank: gpt-4o\n"),
        ("w.json", '{"users": 500, "models": {"rerank": "gpt-4o"}}'),
    ],
)
def test_files_of_all_forms_read_alike(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    assert read_workload(load_document(path)) == read_workload({"users": 500, "models": {"rerank": "gpt-4o"}})


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("w.toml", b"users = [", "valid TOML"),
        ("w.yaml", b"users: [1", "valid YAML"),
        ("w.yaml", b"- 1\n- 2\n", "TOML"),
        ("w.yaml", b"!!python/object/apply:os.system ['true']", "valid YAML"),
        ("w.toml", b"\xff\xfe\x00", "TOML"),
        ("w.ini", b"users=5", ".toml"),
        ("w.toml", b"#" * 1_000_001, "1,000,000"),
    ],
)
def test_malformed_files_are_refused_with_the_reason(tmp_path: Path, name: str, content: bytes, word: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InvalidWorkload) as caught:
        load_document(path)
    assert word in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidWorkload, match="none.toml"):
        load_document(tmp_path / "none.toml")


def test_the_published_schema_accepts_and_refuses_what_the_reader_does() -> None:
    schema = workload_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert validator.is_valid({"users": 500, "active_share": {"low": 0.1, "expected": 0.2, "high": 0.3}})
    assert not validator.is_valid({"users": 0})
    assert not validator.is_valid({"userz": 5, "users": 5})
    assert not validator.is_valid({})


def test_a_workload_cannot_be_built_around_the_checks() -> None:
    with pytest.raises(InvalidWorkload):
        Workload(drivers={})
