"""The OpenAPI document: what the routes declare, with keys, error formats and limits as they are configured."""

from typing import Any

from fastapi import FastAPI

from app import errors
from app.api.gate import METRICS, PUBLIC
from app.api.problems import SLUGS, is_versioned
from app.api.replies import JSON, PROBLEM
from app.settings import Settings

SCHEMES = {
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "rk_ and 32 hexadecimal digits."},
    "bearer": {"type": "http", "scheme": "bearer", "description": "The same key as a Bearer token."},
}
METHODS = ("get", "post", "put", "patch", "delete")


def complete_openapi(app: FastAPI, settings: Settings) -> None:
    """Make `app.openapi()` return the completed document, built once."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = plain()
            _complete(document, settings)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _complete(document: dict[str, Any], settings: Settings) -> None:
    document["info"]["x-problems"] = list_problems()
    document.setdefault("components", {})["securitySchemes"] = SCHEMES
    for path, item in document["paths"].items():
        for method in METHODS:
            if method not in item:
                continue
            operation = item[method]
            if path not in PUBLIC:
                operation["security"] = [{name: []} for name in SCHEMES]
                if path == METRICS:
                    operation["security"].append({})
            if is_versioned(path):
                for status, answer in operation["responses"].items():
                    if status >= "400" and JSON in answer.get("content", {}):
                        answer["content"][PROBLEM] = answer["content"].pop(JSON)
            for parameter in operation.get("parameters", ()):
                if parameter["name"] == "limit":
                    parameter["schema"]["maximum"] = settings.access.max_page
    schemas = document["components"].get("schemas", {})
    schemas["SearchIn"]["properties"]["top_k"]["maximum"] = settings.access.max_top_k


def list_problems() -> dict[str, int]:
    """Every slug that an error may have, with its status."""
    found = {slug: status for status, slug in SLUGS.items()}
    for name in dir(errors):
        kind = getattr(errors, name)
        if isinstance(kind, type) and issubclass(kind, errors.MemoryServiceError):
            found[kind.slug] = kind.status
    return dict(sorted(found.items(), key=lambda entry: (entry[1], entry[0])))
