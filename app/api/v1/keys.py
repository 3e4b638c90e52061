"""Routes of administration: keys, and what was used."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response

from app.api.context import Call
from app.api.replies import reply_json
from app.api.v1.documentation import WRITING, problems
from app.api.v1.requests import KeyIn
from app.api.v1.resources import IssuedKeyOut, KeyOut, KeysOut, UsageOut, write_key, write_usage
from app.domain.access import ApiKey
from app.errors import InvalidRequest

KEYS = "/v1/admin/keys"
KEY = KEYS + "/{key_id}"

router = APIRouter()

KeyId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="The key's id, not its secret.")]
Day = Annotated[str, Query(pattern=r"^(\d{4}-\d{2}-\d{2})?$", description="A day in UTC, included.")]


@router.get(
    KEYS,
    tags=["keys"],
    operation_id="list_keys",
    summary="List keys",
    response_model=KeysOut,
    responses=problems(),
)
async def list_keys(request: Request) -> Response:
    """The keys that the caller may administer, those that ended too. Secrets are never shown."""
    call = Call(request)
    keys = await call.run(lambda: call.services.keys.list(call.principal))
    return reply_json({"items": [write_key(key) for key in keys]})


@router.post(
    KEYS,
    tags=["keys"],
    operation_id="issue_key",
    summary="Issue a key",
    status_code=201,
    response_model=IssuedKeyOut,
    responses=problems(*WRITING),
)
async def issue_key(request: Request, body: KeyIn) -> Response:
    """Make a key. The secret is in this answer only; a repetition makes another key, so revoke one that got lost."""
    call = Call(request)
    _refuse_idempotency_key(request)
    key, secret = await call.run(
        lambda: call.services.keys.issue(
            call.principal,
            name=body.name,
            role=body.role,
            workspaces=tuple(body.workspaces),
            tenant_id=body.tenant,
            key_days=body.days,
        )
    )
    return _reply_issued(key, secret)


@router.post(
    KEY + "/rotate",
    tags=["keys"],
    operation_id="rotate_key",
    summary="Rotate a key",
    status_code=201,
    response_model=IssuedKeyOut,
    responses=problems(*WRITING),
)
async def rotate_key(request: Request, key_id: KeyId) -> Response:
    """Make a key in the place of another, which works some days longer. A key can be rotated once."""
    call = Call(request)
    _refuse_idempotency_key(request)
    key, secret = await call.run(lambda: call.services.keys.rotate(call.principal, key_id))
    return _reply_issued(key, secret)


@router.delete(
    KEY,
    tags=["keys"],
    operation_id="revoke_key",
    summary="Revoke a key",
    response_model=KeyOut,
    responses=problems(409),
)
async def revoke_key(request: Request, key_id: KeyId) -> Response:
    """End a key at once, in every process."""
    call = Call(request)
    return reply_json(write_key(await call.run(lambda: call.services.keys.revoke(call.principal, key_id))))


@router.get(
    "/v1/usage",
    tags=["usage"],
    operation_id="read_usage",
    summary="What was used",
    response_model=UsageOut | dict[str, Any],
    responses=problems(),
)
async def read_usage(
    request: Request,
    workspace: Annotated[
        str | None, Query(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}$", description="One workspace only.")
    ] = None,
    from_day: Annotated[Day, Query(alias="from")] = "",
    to_day: Annotated[Day, Query(alias="to")] = "",
    format: Annotated[
        Literal["report", "workload"],
        Query(description="`workload` is a document for `reme-size --file`: metered use becomes the next plan."),
    ] = "report",
) -> Response:
    """Calls, items and tokens by operation and model, or the same as a workload for the cost planner."""
    call = Call(request, workspace or "")
    usage = call.services.usage
    if format == "workload":
        document = await call.run(
            lambda: usage.as_workload(call.principal, workspace_id=workspace, from_day=from_day, to_day=to_day)
        )
        return reply_json(document)
    report = await call.run(
        lambda: usage.report(call.principal, workspace_id=workspace, from_day=from_day, to_day=to_day)
    )
    return reply_json(write_usage(report))


def _refuse_idempotency_key(request: Request) -> None:
    if "idempotency-key" in request.headers:
        raise InvalidRequest(
            "the Idempotency-Key header is not taken here: to answer a repetition alike, the secret would have to be "
            "stored; send the request without it, and revoke a key that got lost"
        )


def _reply_issued(key: ApiKey, secret: str) -> Response:
    return reply_json(
        {**write_key(key), "secret": secret}, 201, {"Location": f"{KEYS}/{key.id}", "Cache-Control": "no-store"}
    )
