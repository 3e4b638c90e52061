"""What a tool asks of the HTTP API, and what its answer says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from app.telemetry.masking import MASK, SECRETS

PROBLEM_TYPE = "#problem-"
"""What stands before the slug in the type of a problem (RFC 9457) of this service."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """A request to the HTTP API: its method, path, query parameters and JSON body."""

    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None

    async def send(self, client: httpx.AsyncClient) -> httpx.Response:
        """Ask, and return the answer, whatever its status. Raises `httpx.HTTPError`."""
        params = {name: value for name, value in self.params.items() if value is not None}
        return await client.request(self.method, self.path, params=params, json=self.body)


def read_answer(answer: httpx.Response) -> dict[str, Any]:
    """The JSON object of an answer; an empty one where there is none, as after a deletion."""
    if not answer.content:
        return {}
    document = answer.json()
    return document if isinstance(document, dict) else {}


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Why a request was refused: the slug of the error, and what happened and what to do."""

    slug: str
    detail: str

    def __str__(self) -> str:
        return f"{self.slug}: {self.detail}"


def read_failure(answer: httpx.Response) -> Failure:
    """Read problem+json of /v1, the envelope of the 0.2 API, or FastAPI's list of faults.

    Nothing that was sent is quoted but what the service itself quotes.
    """
    try:
        document = read_answer(answer)
    except ValueError:
        document = {}
    slug = str(document.get("type", "")).rpartition(PROBLEM_TYPE)[2]
    detail = document.get("detail") or document.get("answer")
    metadata = document.get("metadata")
    if isinstance(metadata, dict):
        slug = str(metadata.get("error") or slug)
    faults = detail if isinstance(detail, list) else document.get("errors")
    if isinstance(faults, list) and slug in ("", "validation-failed"):
        slug, detail = "validation-failed", describe_faults(faults)
    return Failure(
        slug=slug or "failed", detail=str(detail or f"the service answered with status {answer.status_code}")
    )


def describe_faults(faults: Sequence[Any]) -> str:
    """The place and the message of each fault that a validation found, without the value that was sent.

    Faults are pydantic's, or those of a problem of /v1, which call the same by other names.
    """
    return "; ".join(
        SECRETS.sub(
            MASK,
            f"{'.'.join(str(part) for part in fault.get('loc') or fault.get('location') or ())}: "
            f"{fault.get('msg') or fault.get('message')}",
        )
        for fault in faults
    )
