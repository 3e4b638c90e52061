"""Routes of work that is done later."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from app.api.context import Call
from app.api.replies import reply_json
from app.api.v1.documentation import WorkspaceId, problems
from app.api.v1.resources import JobOut, write_job
from app.domain.job import Job

JOB = "/v1/workspaces/{workspace_id}/jobs/{job_id}"

router = APIRouter(tags=["jobs"])


@router.get(
    JOB,
    operation_id="get_job",
    summary="See what became of a job",
    response_model=JobOut,
    responses=problems(),
)
async def get_job(
    request: Request,
    workspace_id: WorkspaceId,
    job_id: Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="The job.")],
) -> Response:
    """A job that was accepted with 202: queued, running, done with a result, or failed with an error."""
    call = Call(request, workspace_id)
    return reply_json(write_job(await call.run(lambda: call.services.jobs.find(call.principal, workspace_id, job_id))))


def wants_job(prefer: str) -> bool:
    """Whether a Prefer header (RFC 7240) asks for an answer before the work is done."""
    return any(preference.partition(";")[0].strip().casefold() == "respond-async" for preference in prefer.split(","))


def reply_accepted(job: Job) -> Response:
    """202 with the job and where to look for it."""
    location = f"/v1/workspaces/{job.scope.workspace_id}/jobs/{job.id}"
    return reply_json(write_job(job), 202, {"Location": location, "Preference-Applied": "respond-async"})
