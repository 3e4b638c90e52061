"""Asking a server of this machine over HTTP, whatever proxies the environment names."""

from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

_TIMEOUT_S = 30.0
_DIRECT = build_opener(ProxyHandler({}))


def read_status(url: str) -> int | None:
    """The status of a GET; None when there is no whole answer."""
    try:
        with _DIRECT.open(url, timeout=_TIMEOUT_S) as reply:
            reply.read()
            return int(reply.status)
    except HTTPError as error:
        error.close()
        return error.code
    except (OSError, HTTPException):
        return None
