"""What the ways in of both clouds have in common: ports, times, and what a CDN and the balancers behind it agree on."""

HTTP_PORT = 80
"""Answered with a redirect to HTTPS only."""

IDLE_TIMEOUT_S = 70
"""How long a connection may be silent. An answer that streams, or a tool called over MCP, is silent while a model is
asked, which may take the 60 s of `deadline_s`. It must stay below the 75 s that the service keeps an idle connection:
the side that closes first must be the balancer, else requests are lost in between."""
DRAIN_S = IDLE_TIMEOUT_S
"""A node that leaves gets the time of the longest request."""

EDGE_HEADER = "X-Reme-Edge"
"""The header that a CDN adds with a secret, so that nobody comes past it."""

HSTS_S = 31_536_000
"""A year: the least that browsers' lists of names with HTTPS only ask for (hstspreload.org, read 2026-11-23)."""

FIREWALL_RULES = "firewall_rules.csv"
"""The table of the firewall's rules, in `infra/data`."""


def name_origin(domain: str) -> str:
    """The name behind the CDN that leads to the nearest region. Each region's certificate must hold it."""
    return f"origin.{domain}"
