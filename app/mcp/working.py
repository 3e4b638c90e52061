"""Arguments of the tools for working memory.

Notes in a shortened conversation name the two tools that read and search what was taken out, so they are called as
the 0.2 API calls them.
"""

from typing import Annotated, Any
from urllib.parse import quote

from pydantic import Field

from app.domain.working import WorkingMode
from app.mcp.arguments import InWorkspace
from app.mcp.operations import Operation

LINES = 200
"""Lines that are read where nobody says: some thousand tokens of a log."""
MATCHES = 50

FilePath = Annotated[
    str,
    Field(
        max_length=200,
        description="As the note in the conversation names it.",
        examples=["working_memory/019abc7e51d87f3c9f0e6c1b2a3d4e5f.txt"],
    ),
]


class Shorten(InWorkspace):
    """Arguments of `shorten_conversation`."""

    messages: Annotated[
        list[dict[str, Any]], Field(description="The conversation: objects with a role and content, tool calls too.")
    ]
    max_total_tokens: Annotated[
        int | None, Field(ge=1, le=10_000_000, description="Tokens that it may have; null for the service's setting.")
    ] = None
    mode: Annotated[
        WorkingMode | None,
        Field(description="`compact` takes out long outputs, `compress` summarises, `auto` does what is needed."),
    ] = None
    chat_id: Annotated[str, Field(max_length=200, description="Names the conversation.")] = ""

    def operation(self, workspace_id: str) -> Operation:
        """POST …/working:compact."""
        body = self.model_dump(mode="json", exclude={"workspace_id"})
        return Operation(
            method="POST", path=f"/v1/workspaces/{quote(workspace_id, safe='')}/working:compact", body=body
        )


class ReadOffloaded(InWorkspace):
    """Arguments of `read_working_memory`."""

    file_path: FilePath
    offset: Annotated[int, Field(ge=0, le=1_000_000_000, description="Lines to leave out at the beginning.")] = 0
    limit: Annotated[int, Field(ge=1, le=1_000_000, description="The most lines to read.")] = LINES

    def operation(self, workspace_id: str) -> Operation:
        """POST /read_working_memory."""
        body = {**self.model_dump(mode="json"), "workspace_id": workspace_id}
        return Operation(method="POST", path="/read_working_memory", body=body)


class SearchOffloaded(InWorkspace):
    """Arguments of `grep_working_memory`."""

    file_path: FilePath
    pattern: Annotated[
        str,
        Field(min_length=1, max_length=1000, description="A text or a regular expression to look for in each line."),
    ]
    limit: Annotated[int, Field(ge=1, le=1000, description="The most lines to return.")] = MATCHES

    def operation(self, workspace_id: str) -> Operation:
        """POST /grep_working_memory."""
        body = {**self.model_dump(mode="json"), "workspace_id": workspace_id}
        return Operation(method="POST", path="/grep_working_memory", body=body)
