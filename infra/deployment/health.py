"""Whether a deployed service answers."""

import time
from http.client import HTTPException
from ipaddress import ip_address
from typing import Literal
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

from infra.deployment.rollout import HealthSample

Health = Literal["healthy", "unhealthy", "unreachable", "inside", "unknown"]
"""`inside` is a service that answers on its own machine only; `unknown` one without an address."""

TIMEOUT_S = 5.0
"""The timeout of a health check (§6.2)."""


def is_outside(url: str) -> bool:
    """Whether an address can be asked from here: one of the web that is not its machine's own."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.hostname == "localhost":
        return False
    try:
        return not ip_address(parts.hostname).is_loopback
    except ValueError:
        return True


def look_at(url: str, *, timeout_s: float = TIMEOUT_S) -> Health:
    """How the service at a health address is, seen from here."""
    if not url:
        return "unknown"
    if not is_outside(url):
        return "inside"
    return _ask(url, timeout_s)


def sample_health(url: str, *, timeout_s: float = TIMEOUT_S) -> HealthSample:
    """One health check as a sample: without requests, but with the time that the answer took."""
    begun = time.monotonic()
    found = _ask(url, timeout_s)
    took_ms = (time.monotonic() - begun) * 1000
    return HealthSample(healthy=found == "healthy", latency_ms=None if found == "unreachable" else took_ms)


def _ask(url: str, timeout_s: float) -> Health:
    try:
        with urlopen(url, timeout=timeout_s) as reply:  # noqa: S310 - `is_outside` lets http and https through only
            return "healthy" if reply.status == 200 else "unhealthy"
    except HTTPError as error:
        error.close()
        return "unhealthy"
    except (OSError, HTTPException):
        return "unreachable"
