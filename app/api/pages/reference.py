"""The reference: the OpenAPI document as one page of HTML, with a curl line for every operation."""

import json
import re
from collections.abc import Iterator, Mapping
from html import escape
from string import Template
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.responses import HTMLResponse

from app.api.compat.envelope import FAILURES
from app.api.pages.home import POLICY, read_page
from app.api.problems import is_versioned
from app.api.v1.documentation import REASONS

METHODS = ("get", "post", "put", "patch", "delete")
CODE = re.compile(r"`([^`]+)`")
NESTED = 3
"""How deep a schema is unfolded; what lies deeper is named."""

Node = Mapping[str, Any]

router = APIRouter(tags=["pages"], responses=FAILURES)


@router.get("/docs", operation_id="docs", summary="Reference", response_class=HTMLResponse)
async def docs(request: Request) -> Response:
    """This page."""
    page = getattr(request.app.state, "reference", None)
    if page is None:
        page = request.app.state.reference = render_reference(request.app.openapi())
    return HTMLResponse(page, headers=POLICY)


def render_reference(document: Node) -> str:
    """The page of an OpenAPI document."""
    described = {tag["name"]: tag.get("description", "") for tag in document.get("tags", ())}
    groups: dict[str, list[str]] = {tag: [] for tag in described}
    index: dict[str, list[str]] = {tag: [] for tag in described}
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                operation = item[method]
                tag = (operation.get("tags") or ["other"])[0]
                groups.setdefault(tag, []).append(_operation(document, path, method, operation))
                label = operation.get("summary", path) if is_versioned(path) else path
                index.setdefault(tag, []).append(
                    f'<a href="#{escape(operation["operationId"])}">{_badge(method)} {escape(label)}</a>'
                )
    return Template(read_page("reference.html")).substitute(
        style=read_page("style.css"),
        title=escape(document["info"]["title"]),
        version=escape(document["info"]["version"]),
        description=escape(document["info"].get("description", "")),
        index="\n".join(f"<h3>{escape(tag)}</h3>{''.join(links)}" for tag, links in index.items()),
        groups="\n".join(
            f"<h2>{escape(tag)}</h2><p>{_prose(described.get(tag, ''))}</p>{''.join(parts)}"
            for tag, parts in groups.items()
        ),
        problems="\n".join(
            f'<tr id="problem-{escape(slug)}"><td><code>{escape(slug)}</code></td><td>{status}</td>'
            f"<td>{escape(REASONS.get(status, ''))}</td></tr>"
            for slug, status in document["info"].get("x-problems", {}).items()
        ),
    )


def _operation(document: Node, path: str, method: str, operation: Node) -> str:
    body = operation.get("requestBody", {}).get("content", {})
    badge, summary = _badge(method), escape(operation.get("summary", ""))
    parts = [
        f'<details class="operation" id="{escape(operation["operationId"])}">',
        f"<summary>{badge}<code>{escape(path)}</code><span>{summary}</span></summary>",
        f"<p>{_prose(operation.get('description', ''))}</p>",
    ]
    if operation.get("parameters"):
        rows = "".join(_parameter(document, parameter) for parameter in operation["parameters"])
        parts.append(f"<h4>Parameters</h4><table>{rows}</table>")
    for media_type, content in body.items():
        parts.append(f"<h4>Body <code>{escape(media_type)}</code></h4>{_fields(document, content.get('schema', {}))}")
    parts.append(f"<h4>Try it</h4><pre><code>{escape(_curl(document, path, method, body), quote=False)}</code></pre>")
    parts.append("<h4>Answers</h4>")
    failures = []
    for status, answer in operation.get("responses", {}).items():
        said = _prose(answer.get("description", ""))
        if status >= "400":
            failures.append(f"<tr><td>{escape(status)}</td><td>{said}</td></tr>")
            continue
        fields = "".join(
            _fields(document, content.get("schema", {}))
            for media_type, content in answer.get("content", {}).items()
            if "json" in media_type
        )
        parts.append(f"<p><b>{escape(status)}</b> {said}</p>{fields}")
    errors = f"<details><summary>errors</summary><table>{''.join(failures)}</table></details>" if failures else ""
    return "".join(parts) + errors + "</details>"


def _prose(text: str) -> str:
    """Text with what stands between backticks as code."""
    return CODE.sub(r"<code>\1</code>", escape(text))


def _badge(method: str) -> str:
    return f'<span class="method {method}">{method.upper()}</span>'


def _parameter(document: Node, parameter: Node) -> str:
    required = " <b>required</b>" if parameter.get("required") else ""
    return (
        f"<tr><td><code>{escape(parameter['name'])}</code></td><td>{escape(parameter['in'])}{required}</td>"
        f"<td>{escape(_kind(document, parameter.get('schema', {})))}</td>"
        f"<td>{_prose(parameter.get('description', ''))}</td></tr>"
    )


def _fields(document: Node, schema: Node, depth: int = 0) -> str:
    """The fields of an object as a table; other schemas as their kind."""
    found = _resolve(document, schema)
    if "items" in found:
        found = _resolve(document, found["items"])
    if "properties" not in found:
        return (
            f'<p class="quiet">{escape(_kind(document, schema))}</p>' if depth == 0 and _kind(document, schema) else ""
        )
    rows = []
    for name, field in found["properties"].items():
        required = " <b>required</b>" if name in found.get("required", ()) else ""
        inner = _fields(document, field, depth + 1) if depth + 1 < NESTED else ""
        nested = f"<details><summary>fields</summary>{inner}</details>" if inner else ""
        rows.append(
            f"<tr><td><code>{escape(name)}</code></td><td>{escape(_kind(document, field))}{required}</td>"
            f"<td>{_prose(field.get('description', ''))}{nested}</td></tr>"
        )
    note = _prose(found.get("description", "")) if depth == 0 else ""
    return f'<p class="quiet">{note}</p><table>{"".join(rows)}</table>'


def _kind(document: Node, schema: Node) -> str:
    if "$ref" in schema:
        found = _resolve(document, schema)
        return " | ".join(map(str, found["enum"])) if "enum" in found else str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_kind(document, choice) for choice in schema["anyOf"]))
    if "enum" in schema or "const" in schema:
        return " | ".join(map(str, schema.get("enum", [schema.get("const")])))
    kind = str(schema.get("type", ""))
    if kind == "array":
        return f"list of {_kind(document, schema.get('items', {}))}"
    limits = [
        f"{sign} {schema[key]:g}"
        for key, sign in (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("maxLength", "length ≤"))
        if key in schema
    ]
    return ", ".join([str(schema.get("format", kind)), *limits])


def _resolve(document: Node, schema: Node) -> Node:
    choices = [choice for choice in schema.get("anyOf", ()) if choice.get("type") != "null"]
    if len(choices) == 1:
        schema = choices[0]
    if "$ref" in schema:
        found: Any = document
        for part in str(schema["$ref"]).removeprefix("#/").split("/"):
            found = found[part]
        return _resolve(document, found)
    return schema


def _curl(document: Node, path: str, method: str, body: Node) -> str:
    words = ["curl", "-X", method.upper(), '-H "X-API-Key: $KEY"']
    lines = [" ".join(words)]
    for media_type, content in body.items():
        lines.append(f"-H 'Content-Type: {media_type}'")
        if "json" in media_type and media_type.endswith("/json"):
            example = json.dumps(_example(document, content.get("schema", {})), ensure_ascii=False)
            lines.append("-d '" + example.replace("'", "'\\''") + "'")
        else:
            lines.append("--data-binary @memories.jsonl")
        break
    lines.append(f"http://127.0.0.1:8002{path.replace('{workspace_id}', 'demo')}")
    return " \\\n  ".join(lines)


def _example(document: Node, schema: Node) -> Any:
    """An example that stands in the schema, or one made of the required fields."""
    found = _resolve(document, schema)
    for candidate in (schema, found):
        if candidate.get("examples"):
            return candidate["examples"][0]
    if "properties" in found:
        return dict(_required(document, found))
    if "enum" in found:
        return found["enum"][0]
    if "const" in found:
        return found["const"]
    defaults: dict[str, Any] = {"string": "text", "integer": 1, "number": 0.5, "boolean": True, "object": {}}
    if found.get("type") == "array":
        return [_example(document, found.get("items", {}))]
    return defaults.get(str(found.get("type")), "text")


def _required(document: Node, schema: Node) -> Iterator[tuple[str, Any]]:
    for name, field in schema["properties"].items():
        if name in schema.get("required", ()):
            yield name, _example(document, field)
