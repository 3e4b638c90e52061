"""The stand-in: a real HTTP server in a thread, on a port that is free."""

import asyncio
import gzip
import json
import math
import socket
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock, Thread
from time import monotonic
from typing import Any

import numpy as np
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from app.backends.embedders.hashing import HashingEmbedder
from app.backends.models.choices import ModelChoice
from app.domain.language import ModelTask
from app.domain.usage import NO_TOKENS, TokenUsage
from app.ports import Embedder
from tests.servers.waiting import PATIENCE_S, wait_until
from tests.standin.bodies import TRICKLE_S, DroppableProtocol, break_off, drop, flood, refuse, stream, trickle
from tests.standin.faults import STATUSES, Failing, Fault
from tests.standin.scripts import ChatRequest, Lines, Said, Script, read_request, smallest_value

KEY = "sk-standin-0123456789"
"""The key that the server wants."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request that reached the server, and the fault that it met; `at_s` by a clock that never goes back."""

    path: str
    body: dict[str, Any]
    at_s: float
    fault: Fault | None = None


@dataclass
class ModelServer:
    """Answers, fails and bills as it is told. `address` is what clients take as api_base.

    `usage` sums the tokens that clients were told of in whole answers; `untold` those of answers that were paid for but
    broke off, or came without usage. `cached_share` is the part of the input that counts as cached. Vectors are those
    of `embedder`, cut or repeated to the dimensions asked for, or `dimensions`.
    """

    address: str = ""
    calls: list[Call] = field(default_factory=list)
    usage: TokenUsage = NO_TOKENS
    untold: TokenUsage = NO_TOKENS
    cached_share: float = 0.0
    dimensions: int = 64
    key: str = KEY
    embedder: Embedder = field(default_factory=lambda: HashingEmbedder(dimensions=64))

    def __post_init__(self) -> None:
        self._lock = Lock()
        self._failing: deque[Failing] = deque()
        self._lines: deque[Lines] = deque()
        self._turn = 0

    def choices(self, **fields: Any) -> dict[ModelTask, ModelChoice]:
        """A model for each task, so that scripts can tell them apart; `fields` are those of `ModelChoice`."""
        return {
            task: ModelChoice(
                **{"model_name": _model_of(task), "api_base": self.address, "api_key": self.key, **fields}
            )
            for task in ModelTask
        }

    def script(self, *scripts: Script, task: ModelTask | None = None, model: str = "", containing: str = "") -> None:
        """Say these in turn to requests of a task (see `choices`), for a model, or with some words in them.

        The last stays; what was scripted later goes first.
        """
        with self._lock:
            self._lines.appendleft(Lines(model if task is None else _model_of(task), containing, deque(scripts)))

    def fail(
        self,
        fault: Fault,
        *,
        on: str = "",
        times: int | None = 1,
        after: int = 0,
        retry_after: str = "",
        retry_after_ms: str = "",
        message: str = "",
        code: str = "",
        location: str = "",
    ) -> None:
        """Let the next `times` calls fail (all where it is None), after `after` good ones; `on` "chat" or "embeddings".

        Faults that were told before are met first. `retry_after` and `retry_after_ms` are headers of refusals, `message`
        and `code` what they say; a redirect leads to `location`.
        """
        with self._lock:
            self._failing.append(
                Failing(
                    fault=fault,
                    on=on,
                    times=times,
                    after=after,
                    retry_after=retry_after,
                    retry_after_ms=retry_after_ms,
                    message=message,
                    code=code,
                    location=location,
                )
            )

    def recover(self) -> None:
        """Forget all faults that are still to come."""
        with self._lock:
            self._failing.clear()

    def forget(self) -> None:
        """Begin anew: no calls, no tokens, no scripts, no faults, and another address.

        A request that was given up may arrive late, at the address of its time; it counts no more.
        """
        with self._lock:
            self.address = self.address.replace(f"/{self._turn}/v1", f"/{self._turn + 1}/v1")
            self._turn += 1
            self.calls = []
            self.usage = self.untold = NO_TOKENS
            self.cached_share = 0.0
            self._failing.clear()
            self._lines.clear()

    def app(self) -> FastAPI:
        """The application: chat completions and embeddings."""
        app = FastAPI()

        @app.post("/{turn}/v1/chat/completions")
        async def chat(request: Request, turn: int) -> Response:
            return await self._serve(request, "chat", turn)

        @app.post("/{turn}/v1/embeddings")
        async def embeddings(request: Request, turn: int) -> Response:
            return await self._serve(request, "embeddings", turn)

        return app

    async def _serve(self, request: Request, path: str, turn: int) -> Response:
        body = await request.json()
        if turn != self._turn:
            return Response(status_code=410)
        failing = self._next_fault(path, body)
        fault = failing.fault if failing is not None else None
        with self._lock:
            self.calls.append(Call(path=path, body=body, at_s=monotonic(), fault=fault))
        if request.headers.get("authorization") != f"Bearer {self.key}":
            return refuse(Fault.UNAUTHORISED)
        if failing is not None and failing.fault in STATUSES:
            return refuse(failing.fault, failing)
        if failing is not None and failing.fault is Fault.REDIRECT:
            return Response(status_code=307, headers={"Location": failing.location or "http://elsewhere.invalid/v1"})
        if fault is Fault.HANG:
            while not await request.is_disconnected():
                await asyncio.sleep(TRICKLE_S)
            return Response()
        if fault is Fault.ENDLESS_REFUSAL:
            return StreamingResponse(flood(), status_code=403, media_type="application/json")
        if fault is Fault.DROPPED:
            drop(request)
            return Response()
        answer, usage = self._complete(body, fault) if path == "chat" else self._embed(body, fault)
        return self._bill(request, body, answer, usage, fault)

    def _next_fault(self, path: str, body: dict[str, Any]) -> Failing | None:
        with self._lock:
            for position, failing in enumerate(self._failing):
                if failing.on not in ("", path) or (
                    failing.fault is Fault.BAD_FORMAT and "response_format" not in body
                ):
                    continue
                if failing.after:
                    left: Failing | None = Failing(**{**vars(failing), "after": failing.after - 1})
                elif failing.times is None:
                    return failing
                else:
                    left = Failing(**{**vars(failing), "times": failing.times - 1}) if failing.times > 1 else None
                if left is None:
                    del self._failing[position]
                else:
                    self._failing[position] = left
                return None if failing.after else failing
        return None

    def _complete(self, body: dict[str, Any], fault: Fault | None) -> tuple[dict[str, Any], TokenUsage]:
        request = read_request(body)
        said = self._say(request)
        text = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
        if fault is Fault.BROKEN_VALUE:
            text = '{"memories": [{"content": "Ana li'
        elif fault is Fault.WRONG_SCHEMA:
            text = '{"unasked": true}'
        usage = self._count(f"{request.system}{request.user}", text)
        reasons = {Fault.CUT_OFF: "length", Fault.FILTERED: "content_filter"}
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": text},
            "finish_reason": reasons.get(fault, "stop") if fault else "stop",
        }
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": body["model"],
            "choices": [] if fault is Fault.EMPTY else [choice],
        }, usage

    def _say(self, request: ChatRequest) -> Said:
        with self._lock:
            lines = tuple(self._lines)
        for line in lines:
            said = line.say(request)
            if said is not None:
                return said
        return json.dumps(smallest_value(request.schema)) if request.schema else f"You said: {request.user}"

    def _embed(self, body: dict[str, Any], fault: Fault | None) -> tuple[dict[str, Any], TokenUsage]:
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        dimensions = body.get("dimensions", self.dimensions) + (fault is Fault.WRONG_DIMENSIONS)
        vectors = np.resize(self.embedder.embed(texts).T, (dimensions, len(texts))).T.astype(np.float64) * 2
        data = [{"object": "embedding", "index": index, "embedding": list(row)} for index, row in enumerate(vectors)]
        if fault is Fault.WRONG_COUNT:
            data.pop()
        elif fault is Fault.EMPTY:
            data.clear()
        elif fault is Fault.NOT_A_NUMBER:
            data[0]["embedding"] = [math.nan, *list(vectors[0])[1:]]
        elif fault is Fault.ZERO:
            data[0]["embedding"] = [0.0] * dimensions
        elif fault is Fault.WRONG_INDEX:
            data[0]["index"] = len(data)
        answer = {"object": "list", "model": body["model"], "data": data[::-1]}
        return answer, self._count("".join(texts), "")

    def _count(self, sent: str, said: str) -> TokenUsage:
        """A token for every 3 bytes: another count than that of any client that only guesses."""
        input_tokens = math.ceil(len(sent.encode()) / 3)
        return TokenUsage(
            input_tokens=input_tokens,
            output_tokens=math.ceil(len(said.encode()) / 3),
            cached_tokens=int(input_tokens * self.cached_share),
        )

    def _bill(
        self, request: Request, body: dict[str, Any], answer: dict[str, Any], usage: TokenUsage, fault: Fault | None
    ) -> Response:
        told = fault not in {
            Fault.TRUNCATED,
            Fault.TRICKLE,
            Fault.NOT_JSON,
            Fault.NOT_AN_ANSWER,
            Fault.MISSING_USAGE,
            Fault.FLOOD,
            Fault.PACKED,
        }
        with self._lock:
            if told:
                self.usage += usage
            else:
                self.untold += usage
        counted = {
            "prompt_tokens": usage.input_tokens,
            "completion_tokens": usage.output_tokens,
            "total_tokens": usage.input_tokens + usage.output_tokens,
            "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        }
        whole = json.dumps(answer if fault is Fault.MISSING_USAGE else {**answer, "usage": counted}).encode()
        if fault is Fault.TRUNCATED:
            return StreamingResponse(break_off(request, whole), headers={"Content-Length": str(len(whole))})
        if fault is Fault.TRICKLE:
            return StreamingResponse(trickle(whole), headers={"Content-Length": str(len(whole))})
        if fault is Fault.FLOOD:
            return StreamingResponse(flood(), media_type="application/json")
        if fault is Fault.PACKED:
            return Response(gzip.compress(whole), media_type="application/json", headers={"Content-Encoding": "gzip"})
        if fault is Fault.NOT_JSON:
            return Response(b"<html>Bad gateway</html>", media_type="text/html")
        if fault is Fault.NOT_AN_ANSWER:
            return JSONResponse({"error": {"message": "upstream said no"}})
        if body.get("stream"):
            return StreamingResponse(stream(body, answer, counted), media_type="text/event-stream")
        return Response(whole, media_type="application/json")


@contextmanager
def model_server(**fields: Any) -> Iterator[ModelServer]:
    """A running server; it stops, and drops its connections, at the end."""
    server = ModelServer(**fields)
    config = uvicorn.Config(
        server.app(),
        log_config=None,
        log_level="critical",
        access_log=False,
        http=DroppableProtocol,
        lifespan="off",
        ws="none",
        timeout_keep_alive=int(PATIENCE_S),
    )
    running = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as door:
        server.address = f"http://127.0.0.1:{door.getsockname()[1]}/0/v1"
        thread = Thread(target=running.run, kwargs={"sockets": [door]}, name="model-stand-in", daemon=True)
        thread.start()
        wait_until(lambda: running.started or not thread.is_alive(), "the stand-in")
        assert running.started, "the stand-in did not start"
        try:
            yield server
        finally:
            running.should_exit = running.force_exit = True
            thread.join(PATIENCE_S)


def _model_of(task: ModelTask) -> str:
    return f"standin-{task.value}"
