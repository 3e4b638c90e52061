"""Routes of users' profiles: what a user prefers, as one JSON object."""

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import ConfigDict, Field

from app.api.context import Call
from app.api.replies import reply_json
from app.api.times import write_moment
from app.api.v1.answers import MOMENT, Answer
from app.api.v1.documentation import WRITING, WorkspaceId, problems
from app.api.v1.memories import IfMatch, expected_version
from app.api.v1.requests import JsonMap, RequestBody
from app.api.v1.workspaces import USER, UserId
from app.domain.profiles import Profile

PROFILE = USER + "/profile"

router = APIRouter(tags=["users"])


class ProfileIn(RequestBody):
    """A profile, or a merge patch to one, where null removes a preference (RFC 7396)."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"preferences": {"language": "zh", "units": {"length": "metric"}}}]}
    )

    preferences: JsonMap


class ProfileOut(Answer):
    """What a user prefers."""

    workspace_id: str
    user_id: str
    version: int = Field(description="Counts its changes from 1; also the ETag.")
    updated_at: str = MOMENT
    preferences: dict[str, Any]


def reply_profile(profile: Profile) -> Response:
    """A `ProfileOut` with its version as ETag."""
    answer = {
        "workspace_id": profile.scope.workspace_id,
        "user_id": profile.user_id,
        "version": profile.version,
        "updated_at": write_moment(profile.updated_ms),
        "preferences": profile.preferences,
    }
    return reply_json(answer, headers={"ETag": f'"{profile.version}"'})


@router.get(
    PROFILE,
    operation_id="get_profile",
    summary="Read a user's profile",
    response_model=ProfileOut,
    responses=problems(),
)
async def get_profile(request: Request, workspace_id: WorkspaceId, user_id: UserId) -> Response:
    """What a user prefers, with its version as ETag."""
    call = Call(request, workspace_id)
    return reply_profile(await call.run(lambda: call.services.profiles.get(call.principal, workspace_id, user_id)))


@router.put(
    PROFILE,
    operation_id="replace_profile",
    summary="Make or replace a user's profile",
    response_model=ProfileOut,
    responses=problems(*WRITING),
)
async def replace_profile(
    request: Request, workspace_id: WorkspaceId, user_id: UserId, body: ProfileIn, if_match: IfMatch = ""
) -> Response:
    """Keep what a user prefers; a user who is missing is made. With If-Match another's change in between is a 409."""
    call = Call(request, workspace_id)
    version = expected_version(if_match)
    return reply_profile(
        await call.run(
            lambda: call.services.profiles.replace(
                call.principal, workspace_id, user_id, body.preferences, version=version
            )
        )
    )


@router.patch(
    PROFILE,
    operation_id="update_profile",
    summary="Change a user's profile",
    response_model=ProfileOut,
    responses=problems(*WRITING),
)
async def update_profile(
    request: Request, workspace_id: WorkspaceId, user_id: UserId, body: ProfileIn, if_match: IfMatch = ""
) -> Response:
    """Apply a JSON merge patch: what is null goes, what is left out stays, also under others' changes at once.

    Where there is no profile it is made. With If-Match another's change in between is a 409.
    """
    call = Call(request, workspace_id)
    version = expected_version(if_match)
    return reply_profile(
        await call.run(
            lambda: call.services.profiles.patch(
                call.principal, workspace_id, user_id, body.preferences, version=version
            )
        )
    )


@router.delete(
    PROFILE,
    operation_id="delete_profile",
    summary="Delete a user's profile",
    status_code=204,
    response_class=Response,
    responses=problems(409),
)
async def delete_profile(
    request: Request, workspace_id: WorkspaceId, user_id: UserId, if_match: IfMatch = ""
) -> Response:
    """Remove what a user prefers for good; the user stays."""
    call = Call(request, workspace_id)
    version = expected_version(if_match)
    await call.run(lambda: call.services.profiles.delete(call.principal, workspace_id, user_id, version=version))
    return Response(status_code=204)
