"""All routes, those that are asked most often first: they are tried in this order."""

from fastapi import APIRouter, Request, Response

from app.api import probes
from app.api.compat import jobs as compat_jobs
from app.api.compat import personal_memory, task_memory, tool_memory, vector_store
from app.api.compat import working_memory as compat_working
from app.api.compat.envelope import FAILURES
from app.api.pages import home, reference
from app.api.replies import reply_json
from app.api.v1 import jobs, keys, memories, profiles, search, spending, transfers, working, workspaces

documents = APIRouter(tags=["pages"], responses=FAILURES)


@documents.get("/openapi.json", operation_id="openapi", summary="OpenAPI document")
async def openapi(request: Request) -> Response:
    """What is described at /docs, for programs."""
    return reply_json(request.app.openapi())


TAGS = {
    "search": "Find memories.",
    "memories": "One at a time, in batches, and what happens to them over time.",
    "conversations": "Let the service find out what is worth keeping.",
    "transfers": "Whole workspaces as lines of JSON.",
    "workspaces": "Closed spaces of memories. A key covers some of them, and the others do not exist for it.",
    "users": "People whom memories of a workspace are about.",
    "working memory": "Conversations made short enough for a model, and what was taken out of them.",
    "jobs": "Work that was accepted and is done later.",
    "keys": "Who may do what. Needs an admin's key.",
    "usage": "What was used and what it cost.",
    "ReMe 0.2: personal memory": "As upstream's clients ask; the Java client of AgentScope speaks these two.",
    "ReMe 0.2: task memory": "As upstream's clients ask.",
    "ReMe 0.2: tool memory": "As upstream's clients ask.",
    "ReMe 0.2: working memory": "As upstream's clients ask; AgentScope's short-term memory speaks the first.",
    "ReMe 0.2: vector store": "As upstream's clients ask, within the data directory.",
    "ReMe 0.4: jobs": "The calls of its TypeScript and Hermes clients that are about memories, not about files.",
    "probes": "For balancers, orchestrators and Prometheus.",
    "pages": "For people.",
}
"""The groups of routes in the order in which they are described."""

ROUTERS = (
    search.router,
    personal_memory.router,
    task_memory.router,
    memories.router,
    tool_memory.router,
    probes.router,
    jobs.router,
    workspaces.router,
    profiles.router,
    transfers.router,
    keys.router,
    spending.router,
    compat_jobs.router,
    vector_store.router,
    compat_working.router,
    working.router,
    home.router,
    reference.router,
    documents,
)
