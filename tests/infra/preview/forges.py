"""GitHub and GitLab over HTTP, as far as comments go: what cannot be had in a test, by the paths of their documentation."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "a-token-of-the-tests"  # noqa: S105
ME = "github-actions[bot]"
NUMBER = 7
LIST = re.compile(
    rf"^/repos/o/r/issues/{NUMBER}/comments$|^/api/v4/projects/group%2Fproject/merge_requests/{NUMBER}/notes$"
)
ONE = re.compile(
    rf"^/repos/o/r/issues/comments/(\d+)$|^/api/v4/projects/group%2Fproject/merge_requests/{NUMBER}/notes/(\d+)$"
)


@dataclass
class Discussion:
    """What stands in the request, and what is asked of it."""

    url: str = ""
    comments: list[dict[str, Any]] = field(default_factory=list)
    pulls: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    refuse: int = 0

    def add(self, body: str, author: str = ME) -> int:
        """A comment that somebody wrote."""
        number = len(self.comments) + 1
        self.comments.append({"id": number, "body": body, "user": {"login": author}, "author": {"username": author}})
        return number


@contextmanager
def serve_discussion() -> Iterator[Discussion]:
    """A forge with one request, number 7."""
    discussion = Discussion()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

        def _answer(self, status: int, content: object) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _handle(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            sent = json.loads(self.rfile.read(length)) if length else {}
            discussion.asked.append(f"{self.command} {parts.path}")
            said = (self.headers.get("Authorization") or "").removeprefix("Bearer ") or self.headers.get(
                "PRIVATE-TOKEN"
            )
            if said != TOKEN or discussion.refuse:
                return self._answer(discussion.refuse or 401, {"message": "no"})
            query = parse_qs(parts.query)
            page, size = int(query.get("page", ["1"])[0]), int(query.get("per_page", ["30"])[0])
            one = ONE.match(parts.path)
            if self.command == "GET" and LIST.match(parts.path):
                return self._answer(200, discussion.comments[(page - 1) * size : page * size])
            if self.command == "POST" and LIST.match(parts.path):
                discussion.add(sent["body"])
                return self._answer(201, discussion.comments[-1])
            if self.command in ("PATCH", "PUT") and one:
                comment = discussion.comments[int(one[1] or one[2]) - 1]
                comment["body"] = sent["body"]
                return self._answer(200, comment)
            if self.command == "GET" and parts.path == "/repos/o/r/pulls":
                found = [pull for pull in discussion.pulls if query["head"] == [pull["head"]["label"]]]
                return self._answer(200, found[(page - 1) * size : page * size])
            return self._answer(404, {"message": "not found"})

        do_GET = do_POST = do_PATCH = do_PUT = _handle  # noqa: N815

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    discussion.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield discussion
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
