"""Where a region, an address or a host lies: its jurisdiction."""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from functools import cache

from policies.tables import read_table

_AWS_HOST = re.compile(r"(?:^|\.)([a-z]{2}(?:-[a-z]+)+-\d)\.(?:[a-z0-9-]+\.)*amazonaws\.com(?:\.cn)?$")
_ALI_HOST = re.compile(
    r"(?:^|[.-])((?:cn|ap|us|eu|me)-[a-z]+(?:-\d)?)(?:-internal|-vpc)?\.(?:[a-z0-9-]+\.)*aliyuncs\.com$"
)
_URL_HOST = re.compile(r"https?://(?:[^\s/@\"']*@)?([A-Za-z0-9.-]+)")
_ARN = re.compile(r"\b(?:arn:aws[\w-]*|acs):([a-z0-9-]+):([a-z]{2}(?:-[a-z]+)+(?:-\d)?):")
PRIVATE = "private"
"""The jurisdiction of what lies inside the stack's own network."""


@cache
def _regions() -> Mapping[tuple[str, str], str]:
    return {(row["cloud"], row["region"]): row["jurisdiction"] for row in read_table("jurisdictions.csv")}


@cache
def _hosts() -> tuple[tuple[str, str], ...]:
    rows = ((row["host"], row["jurisdiction"]) for row in read_table("endpoints.csv"))
    return tuple(sorted(rows, key=lambda row: -len(row[0])))


def locate_region(cloud: str, region: str) -> str:
    """The jurisdiction of a cloud's region; empty where it is not known."""
    return _regions().get((cloud, region), "")


def locate_host(host: str) -> str:
    """The jurisdiction that a host answers from, `private` inside the network, empty where it is not known."""
    name = host.lower().rstrip(".")
    if _is_private(name):
        return PRIVATE
    for known, jurisdiction in _hosts():
        if name == known or name.endswith(f".{known}"):
            return jurisdiction
    for cloud, pattern in (("aws", _AWS_HOST), ("alicloud", _ALI_HOST)):
        found = pattern.search(name)
        if found:
            return locate_region(cloud, found[1])
    return ""


def is_model_host(host: str) -> bool:
    """Whether a host is a known provider's of models or embeddings."""
    name = host.lower().rstrip(".")
    return any(name == known or name.endswith(f".{known}") for known, _ in _hosts())


def hosts_in(text: str) -> Iterator[str]:
    """The hosts of the addresses in a text."""
    yield from _URL_HOST.findall(text)


def regions_in(text: str) -> Iterator[tuple[str, str]]:
    """The service and the region of each ARN in a text that has a region."""
    yield from _ARN.findall(text)


def _is_private(host: str) -> bool:
    if host == "localhost" or "." not in host or host.endswith((".internal", ".local", ".localhost")):
        return True
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False
