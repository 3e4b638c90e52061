"""Routes of workspaces and of the users in them."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from app.api.context import Call
from app.api.replies import reply_json
from app.api.v1.answers import ErasedOut
from app.api.v1.documentation import WRITING, Cursor, IdempotencyKey, Limit, WorkspaceId, problems, replay_headers
from app.api.v1.requests import UserIn, UserPatchIn, WorkspaceIn, WorkspacePatchIn
from app.api.v1.resources import (
    UserOut,
    UserPage,
    WorkspaceOut,
    WorkspacePage,
    write_user,
    write_workspace,
)
from app.errors import AlreadyExists, InvalidRequest

WORKSPACES = "/v1/workspaces"
WORKSPACE = WORKSPACES + "/{workspace_id}"
USERS = WORKSPACE + "/users"
USER = USERS + "/{user_id}"

router = APIRouter()

UserId = Annotated[str, Path(min_length=1, max_length=128, description="The user.", examples=["ada"])]


@router.get(
    WORKSPACES,
    tags=["workspaces"],
    operation_id="list_workspaces",
    summary="List workspaces",
    response_model=WorkspacePage,
    responses=problems(),
)
async def list_workspaces(request: Request, limit: Limit = 50, cursor: Cursor = "") -> Response:
    """The workspaces that the key covers, in the order of their ids."""
    call = Call(request)
    call.check_limit(limit)
    page = await call.run(lambda: call.services.workspaces.list(call.principal, limit=limit, cursor=cursor))
    return reply_json({"items": [write_workspace(item) for item in page.items], "next_cursor": page.next_cursor})


@router.post(
    WORKSPACES,
    tags=["workspaces"],
    operation_id="create_workspace",
    summary="Make a workspace",
    status_code=201,
    response_model=WorkspaceOut,
    responses={
        200: {"model": WorkspaceOut, "description": "Made before with the same Idempotency-Key."},
        **problems(*WRITING),
    },
)
async def create_workspace(request: Request, body: WorkspaceIn, idempotency_key: IdempotencyKey = "") -> Response:
    """Make a workspace in the key's scope. With an Idempotency-Key one with the same values is no conflict."""
    call = Call(request, body.id)
    replayed = False
    try:
        workspace = await call.run(
            lambda: call.services.workspaces.create(call.principal, body.id, name=body.name, metadata=body.metadata)
        )
    except AlreadyExists:
        workspace = await call.run(lambda: call.services.workspaces.get(call.principal, body.id))
        replayed = bool(idempotency_key) and (workspace.name, dict(workspace.metadata)) == (
            body.name.strip(),
            body.metadata,
        )
        if not replayed:
            raise
    return reply_json(
        write_workspace(workspace),
        200 if replayed else 201,
        {"Location": f"{WORKSPACES}/{body.id}", **replay_headers(replayed)},
    )


@router.get(
    WORKSPACE,
    tags=["workspaces"],
    operation_id="get_workspace",
    summary="Describe a workspace",
    response_model=WorkspaceOut,
    responses=problems(),
)
async def get_workspace(request: Request, workspace_id: WorkspaceId) -> Response:
    """A workspace and what it holds."""
    call = Call(request, workspace_id)
    workspace = await call.run(lambda: call.services.workspaces.get(call.principal, workspace_id))
    contents = await call.run(lambda: call.services.workspaces.contents(call.principal, workspace_id))
    return reply_json(write_workspace(workspace, contents))


@router.patch(
    WORKSPACE,
    tags=["workspaces"],
    operation_id="update_workspace",
    summary="Change a workspace",
    response_model=WorkspaceOut,
    responses=problems(*WRITING),
)
async def update_workspace(request: Request, workspace_id: WorkspaceId, body: WorkspacePatchIn) -> Response:
    """Change the name or the metadata; what is left out stays."""
    call = Call(request, workspace_id)
    workspace = await call.run(
        lambda: call.services.workspaces.update(call.principal, workspace_id, name=body.name, metadata=body.metadata)
    )
    return reply_json(write_workspace(workspace))


@router.delete(
    WORKSPACE,
    tags=["workspaces"],
    operation_id="delete_workspace",
    summary="Remove a workspace",
    response_model=ErasedOut,
    responses=problems(409),
)
async def delete_workspace(request: Request, workspace_id: WorkspaceId) -> Response:
    """Remove a workspace with all that it holds, for good. Needs an admin's key."""
    call = Call(request, workspace_id)
    erased = await call.run(lambda: call.services.workspaces.delete(call.principal, workspace_id))
    return reply_json({"erased": erased})


@router.get(
    USERS,
    tags=["users"],
    operation_id="list_users",
    summary="List users",
    response_model=UserPage,
    responses=problems(),
)
async def list_users(request: Request, workspace_id: WorkspaceId, limit: Limit = 50, cursor: Cursor = "") -> Response:
    """The users of a workspace in the order of their ids."""
    call = Call(request, workspace_id)
    call.check_limit(limit)
    page = await call.run(
        lambda: call.services.workspaces.list_users(call.principal, workspace_id, limit=limit, cursor=cursor)
    )
    return reply_json({"items": [write_user(item) for item in page.items], "next_cursor": page.next_cursor})


@router.post(
    USERS,
    tags=["users"],
    operation_id="put_user",
    summary="Make or change a user",
    response_model=UserOut,
    responses=problems(*WRITING),
)
async def put_user(request: Request, workspace_id: WorkspaceId, body: UserIn) -> Response:
    """Make a user, or give one that is there this name and metadata; a repetition changes nothing."""
    return await _put_user(request, workspace_id, body.id, UserPatchIn(name=body.name, metadata=body.metadata))


@router.put(
    USER,
    tags=["users"],
    operation_id="replace_user",
    summary="Make or replace a user",
    response_model=UserOut,
    responses=problems(*WRITING),
)
async def replace_user(request: Request, workspace_id: WorkspaceId, user_id: UserId, body: UserPatchIn) -> Response:
    """Make a user, or replace the name and the metadata of one; what is left out becomes empty."""
    whole = UserPatchIn(name=body.name or "", metadata=body.metadata or {})
    return await _put_user(request, workspace_id, user_id, whole)


@router.get(
    USER,
    tags=["users"],
    operation_id="get_user",
    summary="Read a user",
    response_model=UserOut,
    responses=problems(),
)
async def get_user(request: Request, workspace_id: WorkspaceId, user_id: UserId) -> Response:
    """A person whom memories are about."""
    call = Call(request, workspace_id)
    return reply_json(
        write_user(await call.run(lambda: call.services.workspaces.get_user(call.principal, workspace_id, user_id)))
    )


@router.patch(
    USER,
    tags=["users"],
    operation_id="update_user",
    summary="Change a user",
    response_model=UserOut,
    responses=problems(*WRITING),
)
async def update_user(request: Request, workspace_id: WorkspaceId, user_id: UserId, body: UserPatchIn) -> Response:
    """Change the name or the metadata of a user who is there; what is left out stays."""
    call = Call(request, workspace_id)
    if body.name is None and body.metadata is None:
        raise InvalidRequest("the patch changes nothing: give name or metadata")
    await call.run(lambda: call.services.workspaces.get_user(call.principal, workspace_id, user_id))
    return await _put_user(request, workspace_id, user_id, body)


@router.delete(
    USER,
    tags=["users"],
    operation_id="delete_user",
    summary="Remove a user and all memories about the user",
    response_model=ErasedOut,
    responses=problems(409),
)
async def delete_user(request: Request, workspace_id: WorkspaceId, user_id: UserId) -> Response:
    """Remove a user and the profile, and erase, for good, every memory about the user."""
    call = Call(request, workspace_id)
    erased = await call.run(lambda: call.services.workspaces.delete_user(call.principal, workspace_id, user_id))
    return reply_json({"erased": erased})


async def _put_user(request: Request, workspace_id: str, user_id: str, body: UserPatchIn) -> Response:
    call = Call(request, workspace_id)
    user = await call.run(
        lambda: call.services.workspaces.put_user(
            call.principal, workspace_id, user_id, name=body.name, metadata=body.metadata
        )
    )
    return reply_json(write_user(user))
