"""The OpenAPI document: complete, valid, and true of what is answered."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import BaseModel

from app.api import problems as problems_module
from app.api.openapi import list_problems
from app.api.times import read_moment, write_moment
from app.api.v1 import answers, resources

METHODS = ("get", "post", "put", "patch", "delete")


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


@pytest.fixture
def document(client: TestClient) -> dict[str, Any]:
    return dict(client.get("/openapi.json").json())


def test_every_operation_is_described(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        place = f"{method} {path}"
        assert operation["tags"], place
        assert operation["summary"], place
        assert operation["description"].endswith((".", "/purge.")), place
        assert [status for status in operation["responses"] if status < "300"], place


def test_every_error_under_v1_is_a_problem(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        for status, answer in operation["responses"].items():
            if path.startswith("/v1") and status >= "400":
                assert list(answer["content"]) == ["application/problem+json"], f"{method} {path} {status}"


def test_every_body_has_an_example(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]

    def has_example(schema: dict[str, Any]) -> bool:
        if "$ref" in schema:
            return has_example(schemas[schema["$ref"].rpartition("/")[2]])
        if schema.get("examples") or "example" in schema or "enum" in schema or "const" in schema:
            return True
        if "properties" in schema:
            required = schema.get("required", ())
            return all(has_example(schema["properties"][name]) for name in required)
        if "items" in schema:
            return has_example(schema["items"])
        return schema.get("type") in ("object", "integer", "number", "boolean", "string", "null")

    for path, method, operation in operations(document):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            assert has_example(content["schema"]), f"{method} {path}"


@pytest.mark.slow
def test_keys_are_declared_where_they_are_needed(document: dict[str, Any]) -> None:
    assert set(document["components"]["securitySchemes"]) == {"key", "bearer"}
    for path, method, operation in operations(document):
        public = path in ("/", "/health", "/livez", "/readyz")
        assert ("security" in operation) != public, f"{method} {path}"


def test_problems_are_listed_once_each() -> None:
    found = list_problems()
    assert found["not-found"] == 404
    assert found["store-full"] == 507
    assert set(problems_module.SLUGS.values()) <= set(found)


def test_what_is_written_fits_its_model(client: TestClient) -> None:
    """Answers are not validated when they are made, so this test does it for each kind."""
    workspace = "/v1/workspaces/ws"
    memory = {"type": "personal", "content": "x", "tags": ["a"], "metadata": {"a": [1, None]}, "valid_to": "2030-01-01"}
    added = client.post(f"{workspace}/memories", json=memory).json()
    one = f"{workspace}/memories/{added['memory']['id']}"
    said = {"kind": "personal", "messages": [{"role": "user", "content": "I like tea"}]}
    job = client.post(f"{workspace}/memories:batch", json={"memories": [memory]}, headers={"Prefer": "respond-async"})
    cases: list[tuple[type[BaseModel], Any]] = [
        (answers.AddedOut, added),
        (answers.MemoryOut, client.get(one).json()),
        (answers.MemoryPage, client.get(f"{workspace}/memories").json()),
        (answers.BatchOut, client.post(f"{workspace}/memories:batch", json={"memories": [memory]}).json()),
        (answers.SearchOut, client.post(f"{workspace}/search", json={"query": "x", "explain": True}).json()),
        (answers.RememberedOut, client.post(f"{workspace}/conversations", json=said).json()),
        (resources.WorkspaceOut, client.get(workspace).json()),
        (resources.WorkspacePage, client.get("/v1/workspaces").json()),
        (resources.UserOut, client.put(f"{workspace}/users/ada", json={}).json()),
        (resources.UserPage, client.get(f"{workspace}/users").json()),
        (resources.UsageOut, client.get("/v1/usage").json()),
        (resources.JobOut, job.json()),
        (resources.KeysOut, client.get("/v1/admin/keys").json()),
    ]
    for model, content in cases:
        model.model_validate(content)


@pytest.mark.parametrize("ms", [0, 1, -1, 1_795_349_578_856, -62_135_596_800_000, 253_402_300_799_999])
def test_moments_are_read_as_they_are_written(ms: int) -> None:
    assert read_moment(write_moment(ms)) == ms


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1970-01-01", 0),
        ("1970-01-01T00:00:00", 0),
        ("1970-01-01 00:00:01", 1000),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T00:00:00.0019Z", 1),
    ],
)
def test_moments_without_a_zone_are_utc(text: str, ms: int) -> None:
    assert read_moment(text) == ms


@pytest.mark.parametrize("value", ["", "now", "12", "-1.5", "1e9", 5, None, "2026-02-30", "10000-01-01", "24:00"])
def test_what_is_no_moment_is_refused(value: object) -> None:
    with pytest.raises(Exception, match="give a"):
        read_moment(value)


@pytest.mark.parametrize("value", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00"])
def test_a_zone_does_not_lead_out_of_the_calendar(value: str) -> None:
    with pytest.raises(Exception, match="years 1 to 9999"):
        read_moment(value)
