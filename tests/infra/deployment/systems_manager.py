"""A Systems Manager that answers about one association, over HTTP as AWS does: the host takes a version or refuses it."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

ASSOCIATION = "8dfe3659-4309-493a-8755-0123456789ab"
TARGET_PREFIX = "AmazonSSM."
ERA_S = 1_800_000_000


class AssociatedHost:
    """Follows what is deployed: each other version of the service is another version of the association.

    An execution is not there at the first look, runs at the second, and ends with the third; a version whose name says
    "bad" is refused. `serving` is the version that answers on the host.
    """

    def __init__(self, read_deployed: Callable[[], list[str]]) -> None:
        self._read, self._looks = read_deployed, dict[int, int]()
        self.serving = "0.1.0"

    def describe_association(self) -> dict[str, Any]:
        """The association as it is now."""
        told = self._read()
        return {
            "AssociationDescription": {
                "AssociationId": ASSOCIATION,
                "AssociationVersion": str(len(told)),
                "Parameters": {"Version": [told[-1]]},
            }
        }

    def describe_association_executions(self) -> dict[str, Any]:
        """What was made of every version of it."""
        told = self._read()
        place = len(told)
        self._looks[place] = self._looks.get(place, 0) + 1
        if self._looks[place] > 2 and "bad" not in told[-1]:
            self.serving = told[-1]
        found = [self._tell(number, version) for number, version in enumerate(told, start=1)]
        return {"AssociationExecutions": [each for each in found if each]}

    def _tell(self, number: int, version: str) -> dict[str, Any]:
        looks = self._looks.get(number, 3)
        if looks < 2:
            return {}
        ended = "Failed" if "bad" in version else "Success"
        return {
            "AssociationId": ASSOCIATION,
            "AssociationVersion": str(number),
            "Status": "InProgress" if looks == 2 else ended,
            "CreatedTime": ERA_S + number,
        }


@contextmanager
def serving(host: AssociatedHost) -> Iterator[str]:
    """Answers for the host; yields the address of the API."""
    operations = {
        "DescribeAssociation": host.describe_association,
        "DescribeAssociationExecutions": host.describe_association_executions,
    }

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            known = asked["AssociationId"] == ASSOCIATION
            operation = operations[self.headers["X-Amz-Target"].removeprefix(TARGET_PREFIX)]
            body = operation() if known else {"__type": "AssociationDoesNotExist", "message": "no such association"}
            self.send_response(200 if known else 400)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
