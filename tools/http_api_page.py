"""The reference of the HTTP API, written from the OpenAPI document of the application and from answers that it gave."""

import re
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from app.api.v1.documentation import ALWAYS, REASONS
from app.domain.access import PERMISSIONS, Permission
from tools.api_examples import Shown, make_app, run_examples
from tools.api_fields import explain
from tools.api_permissions import ADMIN, EXCEPTIONS, NEEDS
from tools.reference_pages import code, page, table

Node = Mapping[str, Any]
METHODS = ("get", "post", "put", "patch", "delete")

GROUPS: Mapping[str, tuple[str, str]] = {
    "ReMe 0.2": (
        "ReMe 0.2",
        (
            "The paths, fields and answers of ReMe 0.2, for clients that exist. Every answer is an envelope: "
            "`answer`, `success`, `metadata`. `/add_task_memory` is of 0.3. What differs on purpose: "
            "[use from an existing client](../howto/use-from-an-existing-client.md)."
        ),
    ),
    "ReMe 0.4": (
        "A few jobs of ReMe 0.4",
        "What the TypeScript and Hermes clients call besides files. The files of 0.4 are not offered.",
    ),
    "/v1": (
        "/v1",
        (
            "Our own interface. Unknown fields are refused, errors are `application/problem+json` (RFC 9457), and "
            "times are RFC 3339. Listings have `limit`, `cursor` and `next_cursor`."
        ),
    ),
    "probes": ("Probes", "For balancers, orchestrators and collectors."),
    "pages": ("Pages", "For people."),
}


@cache
def document() -> Node:
    """The OpenAPI document of the application with its default limits."""
    with tempfile.TemporaryDirectory() as folder:
        app = make_app(Path(folder))
        found = app.openapi()
        app.state.api.services.close()
    return found


def operations() -> Iterator[tuple[str, str, Node]]:
    """Every method (in capitals), path and operation of the document."""
    for path, item in document()["paths"].items():
        for method in METHODS:
            if method in item:
                yield method.upper(), path, item[method]


def group_of(path: str, operation: Node) -> str:
    """The key in `GROUPS` of an operation."""
    tag = str(operation["tags"][0]).partition(":")[0]
    return "/v1" if path.startswith("/v1") else tag


def write_http_api() -> str:
    """Return the page: how to call, every operation by group, and the objects that they carry."""
    shown = run_examples()
    parts = [INTRODUCTION, _describe_permissions(), _describe_errors()]
    for group, (title, text) in GROUPS.items():
        parts.append(f"## {title}\n\n{text}")
        parts += [
            _describe(method, path, operation, shown[method, path])
            for method, path, operation in operations()
            if group_of(path, operation) == group
        ]
    parts.append("## Objects\n\nWhat requests and answers carry, by name.")
    parts += [_describe_object(name, schema) for name, schema in sorted(document()["components"]["schemas"].items())]
    return page("HTTP API", *parts)


INTRODUCTION = (
    "The service describes itself: `/docs` is a page for people, `/openapi.json` the same for programs. This page is "
    "written from them. Every example was sent to a service in memory and is shown with what it answered; ids, times "
    "and keys are replaced. The address is `http://127.0.0.1:8002` unless "
    "[settings](settings.md) say otherwise.\n\n"
    "A key goes into `X-API-Key`, or into `Authorization` as a Bearer token; callers on this machine need none while "
    "no key exists ([API keys](../howto/api-keys.md)). `X-Request-Id` of a request stands in its answer and in its "
    "log line. `Idempotency-Key` makes a write repeatable for 24 hours. `HEAD` works wherever `GET` does."
)


def _describe_permissions() -> str:
    rows = [
        (code(role.value), *("yes" if permission in granted else "" for permission in Permission))
        for role, granted in PERMISSIONS.items()
    ]
    return "## Permissions\n\nWhat a key may do follows from its role.\n\n" + table(
        ("Role", *(code(permission.value) for permission in Permission)), rows
    )


def _describe_errors() -> str:
    rows = [(status, reason, "yes" if status in ALWAYS else "") for status, reason in REASONS.items()]
    return (
        "## Errors\n\nEvery operation with a key may answer with those marked *any*; what else it may answer with "
        "stands beside it. Outside `/v1` the same status carries an envelope with `success` false, and 422 a list of "
        "the fields that were refused. "
        "[Errors](service-errors.md) lists what is behind them.\n\n" + table(("Status", "Meaning", "Any"), rows)
    )


def _describe(method: str, path: str, operation: Node, shown: Shown) -> str:
    needs = NEEDS[operation["operationId"]]
    permission = f"`{needs}`" if ":" in needs or needs == ADMIN else needs
    exception = EXCEPTIONS.get(operation["operationId"], "")
    parts = [
        f"### {method} {path}",
        " ".join(operation["description"].split()),
        f"Needs {permission}{f', {exception}' if exception else ''}. Operation `{operation['operationId']}`.",
    ]
    fields = [*_describe_parameters(operation), *_describe_body(operation)]
    if fields:
        parts.append(table(("Field", "In", "Type", "Default", "Meaning"), fields))
    parts.append(_describe_answers(operation))
    parts.append(f"```bash\n{shown.command}\n```")
    if shown.answer:
        parts.append(f"```json\n{shown.answer}\n```")
    return "\n\n".join(parts)


def _describe_parameters(operation: Node) -> Iterator[tuple[str, ...]]:
    for parameter in operation.get("parameters", ()):
        name, schema = parameter["name"], parameter["schema"]
        default = "required" if parameter.get("required") else show_default(schema)
        meaning = explain("parameter", name, parameter)
        yield code(name), parameter["in"], describe_type(schema), default, meaning


def _describe_body(operation: Node) -> Iterator[tuple[str, ...]]:
    body = operation.get("requestBody", {})
    for media_type, content in body.get("content", {}).items():
        name, found = resolve(content["schema"])
        if "properties" not in found:
            yield "", "body", code(media_type), "required", str(body.get("description", ""))
        for field, schema in found.get("properties", {}).items():
            default = "required" if field in found.get("required", ()) else show_default(schema)
            yield code(field), "body", describe_type(schema), default, explain(name, field, schema)


def _describe_answers(operation: Node) -> str:
    good, bad = [], []
    for status, answer in sorted(operation["responses"].items()):
        if status >= "400":
            bad.append(status)
            continue
        kinds = [
            describe_type(content.get("schema", {})) if "json" in media_type else code(media_type)
            for media_type, content in answer.get("content", {}).items()
        ]
        text = answer["description"].rstrip(".").replace("Successful Response", "")
        good.append(": ".join(filter(None, (f"**{status}** {' or '.join(filter(None, kinds))}".strip(), text))))
    beside = [status for status in bad if int(status) not in ALWAYS]
    usual = "any of the usual errors" if len(beside) < len(bad) else ""
    errors = " and ".join(filter(None, (usual, ", ".join(beside))))
    return f"Answers {'; '.join(good)}. " + (f"Fails with {errors}." if errors else "Does not fail.")


def _describe_object(name: str, schema: Node) -> str:
    text = " ".join(schema.get("description", "").split())
    if "enum" in schema:
        values = ", ".join(code(value) for value in schema["enum"])
        return f"### {name}\n\n{text + ' ' if text else ''}One of {values}."
    rows = [
        (
            code(field),
            describe_type(inner),
            "required" if field in schema.get("required", ()) else show_default(inner),
            explain(name, field, inner),
        )
        for field, inner in schema.get("properties", {}).items()
    ]
    return "\n\n".join(filter(None, (f"### {name}", text, table(("Field", "Type", "Default", "Meaning"), rows))))


def resolve(schema: Node) -> tuple[str, Node]:
    """The name and the content of what a schema refers to; a schema that stands alone has no name."""
    choices = [choice for choice in schema.get("anyOf", ()) if choice.get("type") != "null"]
    if len(choices) == 1:
        schema = choices[0]
    if "$ref" not in schema:
        return "", schema
    name = str(schema["$ref"]).rpartition("/")[2]
    return name, document()["components"]["schemas"][name]


def describe_type(schema: Node) -> str:
    """A type in words, with its bounds; an object of the page as a link."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(describe_type(choice) for choice in schema["anyOf"]))
    if "enum" in schema or "const" in schema:
        return " or ".join(code(value) for value in schema.get("enum", [schema.get("const")]))
    kind = str(schema.get("type", ""))
    bounds = [f"{sign} {_show_bound(schema[key])}" for key, sign in BOUNDS.items() if key in schema]
    if kind == "array":
        kind = f"list of {describe_type(schema.get('items', {})) or 'anything'}"
    return ", ".join([schema.get("format", kind).replace("date-time", "time"), *bounds])


BOUNDS = {
    "minimum": "≥",
    "exclusiveMinimum": ">",
    "maximum": "≤",
    "exclusiveMaximum": "<",
    "minLength": "length ≥",
    "maxLength": "length ≤",
    "minItems": "items ≥",
    "maxItems": "items ≤",
}


def _show_bound(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else str(value)


def show_default(schema: Node) -> str:
    """A field's default as JSON writes it; empty for none."""
    if "default" not in schema:
        return ""
    value = schema["default"]
    known = {True: "true", False: "false", None: "null"}
    text = known[value] if isinstance(value, bool) or value is None else str(value).replace("'", '"')
    return code(re.sub(r"^$", '""', text))
