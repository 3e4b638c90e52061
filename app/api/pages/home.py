"""The front page: what this is, how it is, and where things are. For programs the same as JSON."""

from collections.abc import Mapping
from functools import cache
from html import escape
from importlib.resources import files
from string import Template

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from starlette.responses import HTMLResponse

from app.api.context import ApiContext, api_of
from app.api.replies import reply_json

POLICY = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
"""Headers of pages: nothing is loaded, no script runs, nobody frames them."""
EXAMPLE = (
    "curl -H 'Content-Type: application/json' {key}{base}/v1/workspaces/demo/memories \\\n"
    '  -d \'{{"type": "personal", "content": "Prefers coffee without sugar"}}\'\n\n'
    "curl -H 'Content-Type: application/json' {key}{base}/v1/workspaces/demo/search \\\n"
    '  -d \'{{"query": "what to drink?"}}\''
)

router = APIRouter(tags=["pages"])


class HomeOut(BaseModel):
    """What the front page says. Counts only while no key is needed."""

    service: str
    status: str
    version: str
    store: str
    embedder: str
    access: str
    workspaces: int | None
    memories: int | None
    links: dict[str, str]


@router.get(
    "/",
    operation_id="home",
    summary="Front page",
    response_model=HomeOut,
    responses={200: {"content": {"text/html": {"schema": {"type": "string"}}}}},
)
async def home(request: Request) -> Response:
    """A page for browsers; with `Accept: application/json` the same for programs."""
    api = api_of(request)
    facts = await api.run(lambda: _gather(api))
    accept = request.headers.get("accept", "")
    if "text/html" not in accept and ("json" in accept or "*/*" in accept or not accept):
        return reply_json(facts)
    return HTMLResponse(_render(facts, str(request.base_url).rstrip("/")), headers=POLICY)


@cache
def read_page(name: str) -> str:
    """A file of this package."""
    return (files("app.api.pages") / name).read_text(encoding="utf-8")


def _gather(api: ApiContext) -> dict[str, object]:
    ready = all(outcome == "ok" for outcome in api.readiness.examine().values())
    counted = api.inventory.count() if api.doorkeeper.open else None
    return {
        "service": "ReMe memory service",
        "status": "ready" if ready else "not ready",
        **api.facts,
        "access": "open" if api.doorkeeper.open else "key",
        "workspaces": None if counted is None else counted.workspaces,
        "memories": None if counted is None else sum(counted.memories.values()),
        "links": {"docs": "/docs", "openapi": "/openapi.json", "metrics": "/metrics", "api": "/v1"},
    }


def _render(facts: Mapping[str, object], base: str) -> str:
    shown = {"Version": facts["version"], "Store": facts["store"]}
    if facts["workspaces"] is not None:
        shown |= {"Workspaces": f"{facts['workspaces']:,}", "Memories": f"{facts['memories']:,}"}
    shown["Embedder"] = facts["embedder"]
    ready, is_open = facts["status"] == "ready", facts["access"] == "open"
    return Template(read_page("home.html")).substitute(
        style=read_page("style.css"),
        health_class="ok" if ready else "",
        health="Ready" if ready else "Not ready: see /readyz",
        facts="\n".join(
            f'<div class="{"wide" if name == "Embedder" else ""}"><dt>{name}</dt><dd>{escape(str(value))}</dd></div>'
            for name, value in shown.items()
        ),
        example=escape(EXAMPLE.format(base=base, key="" if is_open else '-H "X-API-Key: $KEY" '), quote=False),
        access=(
            "No key exists yet, so callers on this machine need none. Issue the first with "
            "<code>reme keys issue</code>; from then on every request needs one."
            if is_open
            else "Requests need a key in the <code>X-API-Key</code> header, or as a Bearer token."
        ),
    )
