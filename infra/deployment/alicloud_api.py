"""Calls of Alibaba Cloud's API that a deployment needs beside the engine, signed as version 3 of the signature says.

Source: "Request syntax and signature method V3" of Alibaba Cloud's SDK documentation (read 2026-11-23), whose example
with fixed parameters is a test.
"""

import hmac
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener
from uuid import uuid4

from infra.deployment.errors import DeploymentError

ALGORITHM = "ACS3-HMAC-SHA256"
TIMEOUT_S = 20.0
WAITS_S = (1.0, 3.0)
"""Ours: every call here only reads, so one that was lost or throttled is sent again after these waits."""
MOST_BYTES = 4_194_304
"""Ours: of an answer; a page of servers or figures takes some kilobytes."""
NOTHING = sha256(b"").hexdigest()
_KEY_VARIABLES = {
    "id": ("ALICLOUD_ACCESS_KEY", "ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABACLOUD_ACCESS_KEY_ID"),
    "secret": ("ALICLOUD_SECRET_KEY", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABACLOUD_ACCESS_KEY_SECRET"),
    "token": ("ALICLOUD_SECURITY_TOKEN", "ALIBABA_CLOUD_SECURITY_TOKEN", "ALIBABACLOUD_SECURITY_TOKEN"),
}
"""The variables that the provider of the stacks reads, the first that is set (its page "Authentication")."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AccessKey:
    """A key of the account; one that ends by itself has a token. The secrets are in no repr."""

    id: str
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)


class CallRefused(DeploymentError):
    """Alibaba Cloud refused a call; `code` is its word for the reason."""

    def __init__(self, service: str, action: str, status: int, code: str) -> None:
        super().__init__(f"Alibaba Cloud's {service} refused {action}: {status} {code}")
        self.code = code


def read_key(environment: Mapping[str, str]) -> AccessKey:
    """The key of the environment's variables; raises DeploymentError with their names where there is none."""
    found = {
        part: next((environment[name] for name in names if environment.get(name)), "")
        for part, names in _KEY_VARIABLES.items()
    }
    if not found["id"] or not found["secret"]:
        raise DeploymentError(
            "no key of Alibaba Cloud: set ALICLOUD_ACCESS_KEY and ALICLOUD_SECRET_KEY, and ALICLOUD_SECURITY_TOKEN for "
            "a key that ends by itself"
        )
    return AccessKey(id=found["id"], secret=found["secret"], token=found["token"])


def sign(
    key: AccessKey,
    *,
    host: str,
    action: str,
    version: str,
    date: str,
    nonce: str,
    method: str = "GET",
    path: str = "/",
    query: str = "",
) -> dict[str, str]:
    """The headers of a request without a body. `date` is in UTC, such as "2023-10-26T10:22:32Z"; `nonce` is never the
    same twice; `query` is encoded and in order."""
    headers = {
        "host": host,
        "x-acs-action": action,
        "x-acs-content-sha256": NOTHING,
        "x-acs-date": date,
        "x-acs-signature-nonce": nonce,
        "x-acs-version": version,
    }
    if key.token:
        headers["x-acs-security-token"] = key.token
    names = sorted(headers)
    signed = ";".join(names)
    lines = "".join(f"{name}:{headers[name]}\n" for name in names)
    request = f"{method}\n{path}\n{query}\n{lines}\n{signed}\n{NOTHING}"
    text = f"{ALGORITHM}\n{sha256(request.encode()).hexdigest()}"
    signature = hmac.new(key.secret.encode(), text.encode(), sha256).hexdigest()
    return headers | {"authorization": f"{ALGORITHM} Credential={key.id},SignedHeaders={signed},Signature={signature}"}


def encode(values: Mapping[str, str]) -> str:
    """A query in the order and the form that the signature asks for (RFC 3986)."""
    return "&".join(f"{_escape(name)}={_escape(value)}" for name, value in sorted(values.items()))


class AlicloudApi:
    """One service's API in a region. `service` is its code, such as "alb", `version` the API's date.

    The address is `SERVICE_ENDPOINT` of the environment where that is set, as the provider takes it, else
    https://SERVICE.REGION.aliyuncs.com. Credentials are read at each call.
    Attributes: `address`.
    """

    def __init__(self, service: str, version: str, region: str, *, host_label: str = "") -> None:
        self._service, self._version = service, version
        named = os.environ.get(f"{service.upper()}_ENDPOINT") or f"{host_label or service}.{region}.aliyuncs.com"
        self.address = named.rstrip("/") if "://" in named else f"https://{named}"

    def ask(self, action: str, values: Mapping[str, str] | None = None, *, path: str = "/") -> dict[str, Any]:
        """What a reading call answers. Raises CallRefused, or DeploymentError where nothing readable comes back."""
        query, host = encode(values or {}), urlsplit(self.address).netloc
        place = "/".join(_escape(part) for part in path.split("/"))
        for wait_s in (*WAITS_S, None):
            headers = sign(
                read_key(os.environ),
                host=host,
                action=action,
                version=self._version,
                date=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                nonce=uuid4().hex,
                path=place,
                query=query,
            )
            try:
                return self._send(f"{self.address}{place}{'?' if query else ''}{query}", headers)
            except HTTPError as error:
                code = _read_code(error)
                if wait_s is None or (error.code < 500 and not code.startswith("Throttling")):
                    raise CallRefused(self._service, action, error.code, code) from None
            except (OSError, HTTPException, ValueError) as error:
                if wait_s is None:
                    raise DeploymentError(
                        f"Alibaba Cloud's {self._service} does not answer {action}: {type(error).__name__}"
                    ) from error
            time.sleep(wait_s)
        raise AssertionError  # the last attempt returns or raises

    def _send(self, address: str, headers: Mapping[str, str]) -> dict[str, Any]:
        request = Request(address, headers={**headers, "accept": "application/json"})  # noqa: S310 - HTTPS, or as set
        with build_opener(_Staying()).open(request, timeout=TIMEOUT_S) as reply:
            found = json.loads(reply.read(MOST_BYTES))
        if not isinstance(found, dict):
            raise ValueError(type(found).__name__)
        return found


class _Staying(HTTPRedirectHandler):
    """A key's token goes to the address that it was meant for, and to no other."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _read_code(error: HTTPError) -> str:
    """Its word for the reason: RPC's answers write it "Code", those of paths "code"."""
    with error:
        try:
            found = json.loads(error.read(MOST_BYTES))
            return str(found.get("Code") or found.get("code") or "")
        except (OSError, ValueError, AttributeError):
            return ""


def _escape(text: str) -> str:
    return quote(text, safe="-_.~")
