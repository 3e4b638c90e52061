"""The published JSON Schemas, and the reading of a plan that was written by them."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from sizing.errors import InvalidWorkload
from sizing.plan import Plan
from sizing.workload_document import workload_schema

__all__ = ["plan_schema", "read_plan", "workload_schema"]


def plan_schema() -> dict[str, Any]:
    """Return the JSON Schema of a plan document (version ``plan.SCHEMA_VERSION``)."""
    schema = TypeAdapter(Plan).json_schema(mode="serialization")
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "reme-cloud plan"
    return schema


def read_plan(document: Mapping[str, object]) -> Plan:
    """Read a plan document back into a Plan; raises InvalidWorkload naming the field that is wrong."""
    try:
        return TypeAdapter(Plan).validate_json(json.dumps(dict(document)))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "plan"
        raise InvalidWorkload(f"plan.{field}", first["input"], first["msg"]) from None
