"""The edge of several regions: a CDN before the first of them, which turns to the others when it fails.

Alibaba Cloud's DNS sorts answers by latency, or checks where they lead, only with a subscription (Global Traffic
Manager), which no plan has. So the CDN does what can be had without: it probes its origins, and goes to those of the
second rank after three failures (CDN, "Configure the priority level of an origin server": probes every 2.5 s).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_alicloud as alicloud

from infra.alicloud.traffic import ANYWHERE, HTTPS_PORT
from infra.tagging import Tags
from infra.way_in import EDGE_HEADER, HSTS_S, IDLE_TIMEOUT_S

LEADING, STANDING_IN = 20, 30
"""Ranks of origins (CDN API, AddCdnDomain, Sources: 20 leads, 30 stands in)."""
SCOPE = "overseas"
"""All regions that share data lie outside of the mainland; on it a name needs an ICP filing (CDN, "Scope")."""
READ_TIMEOUT_S = IDLE_TIMEOUT_S + 5
"""The balancer gives up first and says so; CDN advises less than 100 s (forward_timeout)."""


@dataclass(frozen=True, kw_only=True)
class EdgeArgs:
    """`domain` is the public name, which `certificate_id` must hold (`1234567-ap-southeast-1`: its id and its region).

    `origins` are the names of the regions' balancers, the first one leads. `secret` is what the balancers expect in
    `X-Reme-Edge`. `allowed_cidrs` may call.
    """

    domain: str
    certificate_id: str
    origins: Sequence[str]
    secret: pulumi.Input[str]
    allowed_cidrs: Sequence[str] = (ANYWHERE,)
    tags: Tags


class Edge(pulumi.ComponentResource):
    """A domain of the CDN that caches nothing, with its settings. Attributes: `dns_name`, where the name must lead."""

    dns_name: pulumi.Output[str]

    def __init__(self, name: str, args: EdgeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:alicloud:Edge", name, {}, opts)
        certificate, _, region = args.certificate_id.partition("-")
        domain = alicloud.cdn.DomainNew(
            f"{name}-domain",
            domain_name=args.domain,
            cdn_type="web",
            scope=SCOPE,
            sources=[
                alicloud.cdn.DomainNewSourceArgs(
                    content=origin,
                    type="domain",
                    port=HTTPS_PORT,
                    priority=STANDING_IN if place else LEADING,
                )
                for place, origin in enumerate(args.origins)
            ],
            certificate_config=alicloud.cdn.DomainNewCertificateConfigArgs(
                cert_id=certificate, cert_region=region, cert_type="cas", server_certificate_status="on"
            ),
            tags=args.tags.named("edge"),
            opts=pulumi.ResourceOptions(parent=self),
        )
        for label, (function, arguments) in _list_settings(args).items():
            alicloud.cdn.DomainConfig(
                f"{name}-{label}",
                domain_name=domain.domain_name,
                function_name=function,
                function_args=[
                    alicloud.cdn.DomainConfigFunctionArgArgs(arg_name=key, arg_value=value)
                    for key, value in arguments.items()
                ],
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.dns_name = domain.cname
        self.register_outputs({"dns_name": self.dns_name})


def _list_settings(args: EdgeArgs) -> Mapping[str, tuple[str, Mapping[str, pulumi.Input[str]]]]:
    """What the domain is told, by a label of ours: the function's name and its arguments (CDN, "Domain configuration
    functions")."""
    found: dict[str, tuple[str, Mapping[str, pulumi.Input[str]]]] = {
        # every origin answers to the public name, so that one certificate does for all of them
        "host": ("set_req_host_header", {"domain_name": args.domain}),
        "sni": ("https_origin_sni", {"enabled": "on", "https_origin_sni": args.domain}),
        "scheme": (
            "forward_scheme",
            {"enable": "on", "scheme_origin": "https", "scheme_origin_port": str(HTTPS_PORT)},
        ),
        "mark": (
            "origin_request_header",
            {
                "header_operation_type": "add",
                "header_name": EDGE_HEADER,
                "header_value": args.secret,
                "duplicate": "off",
            },
        ),
        "timeout": ("forward_timeout", {"forward_timeout": str(READ_TIMEOUT_S)}),
        "caching": (
            "path_based_ttl_set",
            {"path": "/", "ttl": "0", "weight": "99", "swift_origin_cache_high": "off", "force_revalidate": "off"},
        ),
        "tls": (
            "https_tls_version",
            {"tls10": "off", "tls11": "off", "tls12": "on", "tls13": "on", "ciphersuitegroup": "strict"},
        ),
        "https": ("https_option", {"http2": "on", "ocsp_stapling": "on"}),
        # a request keeps its method and its body
        "redirect": ("https_force", {"enable": "on", "https_rewrite": "308"}),
        "hsts": (
            "HSTS",
            {"enabled": "on", "https_hsts_max_age": str(HSTS_S), "https_hsts_include_subdomains": "on"},
        ),
    }
    if ANYWHERE not in args.allowed_cidrs:
        # by the address that connects: the header that names another is the caller's to write
        found["callers"] = ("ip_allow_list_set", {"ip_list": ",".join(args.allowed_cidrs), "ip_acl_xfwd": "off"})
    return found
