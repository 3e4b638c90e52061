"""Signatures of requests to Alibaba Cloud's API: ACS3-HMAC-SHA256, version 3.

Source: "Request syntax and signature method V3" of Alibaba Cloud's SDK documentation (read 2026-11); its example with
fixed parameters is a test.
"""

import hmac
from collections.abc import Mapping
from hashlib import sha256
from urllib.parse import quote

from app.backends.ram_role import AccessKey

ALGORITHM = "ACS3-HMAC-SHA256"


def sign(
    key: AccessKey,
    *,
    host: str,
    action: str,
    version: str,
    date: str,
    nonce: str,
    query: Mapping[str, str] | None = None,
    body: bytes = b"",
    content_type: str = "",
) -> dict[str, str]:
    """The headers of a POST to "/" of a host (with its port, where it is not the usual one), Authorization among them.

    `date` is in UTC, such as "2023-10-26T10:22:32Z", and `nonce` never the same twice.
    """
    hashed_body = sha256(body).hexdigest()
    headers = {
        "host": host,
        "x-acs-action": action,
        "x-acs-content-sha256": hashed_body,
        "x-acs-date": date,
        "x-acs-signature-nonce": nonce,
        "x-acs-version": version,
    }
    if key.session_token:
        headers["x-acs-security-token"] = key.session_token
    if content_type:
        headers["content-type"] = content_type
    names = sorted(headers)
    signed = ";".join(names)
    request = "\n".join(
        (
            "POST",
            "/",
            "&".join(f"{_escape(name)}={_escape(value)}" for name, value in sorted((query or {}).items())),
            *(f"{name}:{headers[name].strip()}" for name in names),
            "",
            signed,
            hashed_body,
        )
    )
    text = f"{ALGORITHM}\n{sha256(request.encode()).hexdigest()}"
    signature = hmac.new(key.secret.encode(), text.encode(), sha256).hexdigest()
    headers["authorization"] = f"{ALGORITHM} Credential={key.id},SignedHeaders={signed},Signature={signature}"
    return headers


def _escape(text: str) -> str:
    """The text as RFC 3986 writes it in a query."""
    return quote(text, safe="-_.~")
