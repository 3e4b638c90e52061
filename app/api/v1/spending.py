"""Routes of what models cost: a workspace's spending, its caps and its ledger."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from app.api.context import Call
from app.api.replies import reply_json
from app.api.times import Moment, write_moment
from app.api.v1.answers import MOMENT, Answer
from app.api.v1.documentation import WRITING, Cursor, Limit, WorkspaceId, problems
from app.api.v1.requests import RequestBody
from app.domain.caps import LARGEST_CAP_USD
from app.domain.spending import LedgerEntry
from app.service.spending import PeriodSpending

SPENDING = "/v1/workspaces/{workspace_id}/spending"
LEDGER = "/v1/workspaces/{workspace_id}/ledger"

router = APIRouter(tags=["usage"])

CapUsd = Annotated[
    Decimal | None,
    Field(
        ge=0,
        le=LARGEST_CAP_USD,
        decimal_places=12,
        description="USD; null or left out takes the service's default, 0 asks no model that costs anything.",
    ),
]
Usd = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?$", examples=["0.001275"])]


class SpendingIn(RequestBody):
    """The caps that a workspace shall have of its own."""

    daily_usd: CapUsd = None
    monthly_usd: CapUsd = None


class PeriodOut(Answer):
    """Spending of the day or calendar month (UTC) that runs. Amounts are decimal texts, so that none is rounded."""

    period: Literal["day", "month"]
    begins_at: str = MOMENT
    ends_at: str = MOMENT
    spent_usd: Usd
    cap_usd: Usd | None
    left_usd: Usd | None
    own: bool


class SpendingOut(Answer):
    """What models cost a workspace, and what they may."""

    workspace_id: str
    periods: list[PeriodOut]


class LedgerEntryOut(Answer):
    """One call of a model, for good."""

    id: str
    at: str = MOMENT
    key_id: str
    operation: str = Field(examples=["extract"])
    task: str = Field(examples=["personal"])
    model: str
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    usd: Usd | None


class LedgerPage(Answer):
    """Entries in the order in which they were settled; an empty `next_cursor` says that this is the last page."""

    items: list[LedgerEntryOut]
    next_cursor: str


@router.get(
    SPENDING,
    operation_id="read_spending",
    summary="What models cost a workspace",
    response_model=SpendingOut,
    responses=problems(),
)
async def read_spending(request: Request, workspace_id: WorkspaceId) -> Response:
    """What was spent on models this day and this month (UTC), the caps, and what is left."""
    call = Call(request, workspace_id)
    status = await call.run(lambda: call.services.spending.status(call.principal, workspace_id))
    return reply_json(_write_spending(workspace_id, status))


@router.put(
    SPENDING,
    operation_id="set_spending_caps",
    summary="Cap what models may cost a workspace",
    response_model=SpendingOut,
    responses=problems(*WRITING),
)
async def set_spending_caps(request: Request, workspace_id: WorkspaceId, body: SpendingIn) -> Response:
    """Give a workspace caps of its own in place of the service's. Beyond them rules answer. Needs an admin's key."""
    call = Call(request, workspace_id)
    status = await call.run(
        lambda: call.services.spending.set_caps(
            call.principal, workspace_id, daily_usd=body.daily_usd, monthly_usd=body.monthly_usd
        )
    )
    return reply_json(_write_spending(workspace_id, status))


@router.get(
    LEDGER,
    operation_id="read_ledger",
    summary="Every call of a model",
    response_model=LedgerPage,
    responses=problems(),
)
async def read_ledger(
    request: Request,
    workspace_id: WorkspaceId,
    since: Annotated[Moment | None, Query(description="Asked at this moment or later.")] = None,
    until: Annotated[Moment | None, Query(description="Asked before this moment.")] = None,
    limit: Limit = 50,
    cursor: Cursor = "",
) -> Response:
    """The calls of models that the workspace was charged with, with their tokens and cost; they outlive it."""
    call = Call(request, workspace_id)
    call.check_limit(limit)
    page = await call.run(
        lambda: call.services.spending.list_entries(
            call.principal, workspace_id, from_ms=since or 0, to_ms=until, limit=limit, cursor=cursor
        )
    )
    return reply_json({"items": [_write_entry(entry) for entry in page.items], "next_cursor": page.next_cursor})


def _write_spending(workspace_id: str, status: Sequence[PeriodSpending]) -> dict[str, Any]:
    """A `SpendingOut`."""
    return {
        "workspace_id": workspace_id,
        "periods": [
            {
                "period": each.name,
                "begins_at": write_moment(each.from_ms),
                "ends_at": write_moment(each.to_ms),
                "spent_usd": _write_usd(each.spent_usd),
                "cap_usd": _write_usd(each.cap_usd),
                "left_usd": _write_usd(each.left_usd),
                "own": each.own,
            }
            for each in status
        ],
    }


def _write_entry(entry: LedgerEntry) -> dict[str, Any]:
    """A `LedgerEntryOut`."""
    return {
        "id": entry.id,
        "at": write_moment(entry.at_ms),
        "key_id": entry.payer.key_id,
        "operation": entry.payer.operation,
        "task": entry.task,
        "model": entry.model,
        "input_tokens": entry.input_tokens,
        "output_tokens": entry.output_tokens,
        "cached_tokens": entry.cached_tokens,
        "usd": _write_usd(entry.usd),
    }


def _write_usd(usd: Decimal | None) -> str | None:
    """An amount without an exponent and without zeros that say nothing."""
    if usd is None:
        return None
    text = f"{usd:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
