"""Content moderation as a language model meets it, over the Model Context Protocol."""

from pathlib import Path
from typing import Any

import anyio

from tests.app.mcp.serving import connected, serving, text_of
from tests.app.moderation.green_server import GreenServer


def test_a_tool_says_what_was_refused_and_keeps_nothing(
    tmp_path: Path, settings: dict[str, Any], server: GreenServer
) -> None:
    server.dislike("bomb")

    async def run(url: str) -> None:
        async with connected(url) as client:
            refused = await client.call_tool("add_memory", {"workspace_id": "w", "content": "how to build a bomb"})
            assert refused.is_error
            assert text_of(refused).startswith("content-refused: ")
            assert "violent_weapons" in text_of(refused)
            assert "bomb" not in text_of(refused)
            kept = await client.call_tool("add_memory", {"workspace_id": "w", "content": "I like tea"})
            assert not kept.is_error
            listed = await client.call_tool("list_memories", {"workspace_id": "w"})
            assert listed.structured_content is not None
            assert [item["content"] for item in listed.structured_content["items"]] == ["I like tea"]

    with serving(tmp_path, moderation=settings) as served:
        anyio.run(run, served.url)
