"""The envelope of every answer of the 0.2 API, and which workspace a request means."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from app.api.context import Call
from app.api.replies import reply_json
from app.domain.access import EVERY_WORKSPACE
from app.domain.identifiers import DEFAULT_WORKSPACE
from app.domain.memory import Layer, Memory, MemoryKind
from app.domain.query import Hit, MemoryFilter, SearchQuery
from app.errors import InvalidRequest
from app.service.conversations import Remembered
from app.service.items import write_item

NOTHING_TO_REMEMBER = "there is nothing to remember: send trajectories with messages"


class Envelope(BaseModel):
    """An answer: a text, list or object, whether it worked, and what else there is to say."""

    answer: str | list[Any] | dict[str, Any] = Field(examples=["I like coffee"])
    success: bool = Field(examples=[True])
    metadata: dict[str, Any] = Field(examples=[{"memory_list": []}])


FAILURES: dict[int | str, dict[str, Any]] = {
    status: {"model": Envelope, "description": description}
    for status, description in {
        400: "The request contradicts a rule; `answer` says which.",
        401: "No key, or one that does not open.",
        403: "The key's role does not allow this.",
        404: "Not there, or not for this key.",
        409: "Another change came first.",
        413: "The body is too large.",
        429: "Too many requests with this key.",
        500: "The service or its store failed.",
        503: "The store is busy.",
        507: "No space is left for the store.",
    }.items()
}
"""What every endpoint may answer instead; validation failures are 422 in FastAPI's own shape."""


def reply_envelope(answer: object, metadata: Mapping[str, object] | None = None, *, success: bool = True) -> Response:
    """The envelope with status 200."""
    return reply_json({"answer": answer, "success": success, "metadata": metadata or {}})


def open_call(request: Request, workspace_id: str) -> tuple[Call, str]:
    """The request's call and the workspace that it means.

    An empty id means "default" for callers who need no key, and the one workspace of a key that covers just one.
    With another key it is an `InvalidRequest`: a forgotten id would mix what belongs to several people.
    """
    call = Call(request, workspace_id)
    if not workspace_id:
        covered = call.principal.workspaces
        if call.local:
            workspace_id = DEFAULT_WORKSPACE
        elif len(covered) == 1 and not covered[0].endswith(EVERY_WORKSPACE):
            workspace_id = covered[0]
        else:
            raise InvalidRequest("workspace_id is needed: name the workspace that the request is for")
        call.exchange.workspace_id = workspace_id
    return call, workspace_id


async def find(call: Call, workspace_id: str, kind: MemoryKind, query: str, top_k: int) -> tuple[Hit, ...]:
    """The distilled memories of one kind that answer a query, best first; what was said is found by /v1 and /search."""
    wanted = SearchQuery(
        text=query,
        top_k=top_k,
        filter=MemoryFilter(kinds=(kind,), layers=(Layer.DISTILLED,)),
        half_life_days=call.api.settings.search.half_life_days,
    )
    return (await call.search(workspace_id, wanted)).hits


def list_hits(hits: Iterable[Hit]) -> list[object]:
    """The items of found memories; `score` is the similarity where there is one, the stored one stays in the store."""
    return [write_item(hit.memory, score=hit.score if hit.similarity is None else hit.similarity) for hit in hits]


def list_memories(memories: Iterable[Memory]) -> list[object]:
    """The items of memories as they are stored."""
    return [write_item(memory) for memory in memories]


def count_update(*, deleted: Sequence[object] | int = (), inserted: int = 0) -> dict[str, int]:
    """The `update_result` of an answer."""
    return {"deleted_count": deleted if isinstance(deleted, int) else len(deleted), "inserted_count": inserted}


def name_extractor(remembered: Remembered) -> dict[str, str]:
    """Which extractor made memories, and why a model did not, if one should have."""
    skipped = {"skipped": remembered.skipped} if remembered.skipped else {}
    return {"extractor": remembered.extractor, **skipped}
