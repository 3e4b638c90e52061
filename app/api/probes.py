"""What balancers and collectors ask: is it alive, can it work, how much does it do."""

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from app.api.context import api_of
from app.api.replies import reply_json
from app.telemetry.metrics import CONTENT_TYPE

router = APIRouter(tags=["probes"])


class HealthOut(BaseModel):
    """The body of upstream's /health."""

    status: str


class ReadinessOut(BaseModel):
    """Each check with "ok" or the reason why it fails."""

    status: str
    checks: dict[str, str]


@router.get("/health", operation_id="health", summary="Healthy", response_model=HealthOut)
async def health() -> Response:
    """The process answers. The body is upstream's, byte for byte."""
    return Response(b'{"status":"healthy"}', media_type="application/json")


@router.get("/livez", operation_id="livez", summary="Alive", response_model=HealthOut)
async def livez() -> Response:
    """The process answers; restart it if it does not."""
    return reply_json({"status": "alive"})


@router.get(
    "/readyz",
    operation_id="readyz",
    summary="Ready",
    response_model=ReadinessOut,
    responses={503: {"model": ReadinessOut, "description": "A check fails; send requests elsewhere."}},
)
async def readyz(request: Request) -> Response:
    """The store was read within the last second, and a text was embedded, unless a provider would be paid for it.

    A vector index beside the store that does not answer is told and is no reason not to be ready: the store searches.
    """
    api = api_of(request)
    checks = await api.run(api.readiness.examine)
    ready = api.readiness.is_ready(checks)
    return reply_json({"status": "ready" if ready else "not ready", "checks": checks}, 200 if ready else 503)


@router.get(
    "/metrics",
    operation_id="metrics",
    summary="Metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Prometheus' text."}},
)
async def metrics(request: Request) -> Response:
    """Counts of all workspaces. At a local address for anyone; elsewhere for a key that reads every workspace."""
    api = api_of(request)
    return Response(await api.run(api.metrics.render), media_type=CONTENT_TYPE)
