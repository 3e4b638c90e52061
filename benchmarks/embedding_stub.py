"""An OpenAI-compatible `/v1/embeddings` on 127.0.0.1 over the local embedder, for upstream ReMe, which has none.

`python -m benchmarks.embedding_stub PORT`. Its time is part of what ReMe's answers take and is
measured beside them.
"""

import asyncio
import sys
from typing import Any

import uvicorn
from fastapi import FastAPI

from app.backends.embedders.local import LocalEmbedder
from benchmarks.load import HOST


def make_application() -> FastAPI:
    """The service: embeds a text or a list of texts."""
    application = FastAPI()
    embedder = LocalEmbedder(threads=1)
    embedder.warm()

    @application.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "healthy"}

    @application.post("/v1/embeddings")
    async def embed(body: dict[str, Any]) -> dict[str, Any]:
        given = body["input"]
        texts = [given] if isinstance(given, str) else given
        vectors = await asyncio.to_thread(embedder.embed, texts)
        data = [{"object": "embedding", "index": at, "embedding": vector.tolist()} for at, vector in enumerate(vectors)]
        return {"object": "list", "model": body.get("model", ""), "data": data, "usage": {}}

    return application


if __name__ == "__main__":
    uvicorn.run(make_application(), host=HOST, port=int(sys.argv[1]), log_level="warning")
