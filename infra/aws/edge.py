"""The edge of several regions: a CDN before the name that leads to the nearest of them."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws.certificate import Certificate, CertificateArgs
from infra.aws.firewall import Firewall, FirewallArgs
from infra.naming import fix_name
from infra.tagging import Tags
from infra.way_in import EDGE_HEADER, HSTS_S, name_origin

CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
ALL_VIEWER = "216adef6-5c7f-47e4-b989-5492eafa07d3"
"""Managed policies of CloudFront (its developer guide, "Use managed cache / origin request policies", read
2026-11-22): no answer is kept, every header is handed on."""

TLS_POLICY = "TLSv1.2_2021"
"""The strictest policy that Terraform's provider 5.100 knows; clients with TLS 1.3 get it."""
ORIGIN_TLS = ("TLSv1.2",)
READ_TIMEOUT_S = 60
"""CloudFront's largest without a raised quota; a request that is silent for longer ends with status 504."""
KEEP_ALIVE_S = 60
"""Shorter than the balancer's idle timeout, so that CloudFront closes first; also CloudFront's largest."""
EDGE_LOGS_PREFIX = "edge"
DELIVERY_NAME_LENGTH = 60
"""The longest name of a delivery (CloudWatch Logs' API, PutDeliverySource, read 2026-11-22)."""


def find_edge_prefix_lists(region: str) -> tuple[str, str]:
    """The prefix lists of those who may reach a balancer behind the CDN: CloudFront and Route 53's checkers."""
    names = ("com.amazonaws.global.cloudfront.origin-facing", f"com.amazonaws.{region}.route53-healthchecks")
    cdn, checkers = (aws.ec2.get_managed_prefix_list(name=name).id for name in names)
    return cdn, checkers


@dataclass(frozen=True, kw_only=True)
class EdgeArgs:
    """`domain` is the public name, in the zone `zone_id`. `us_east_1` is a provider of that region, the only one that
    certificates, firewalls and logs of CloudFront may be in; `log_key_arn` is a key there. `secret` is what the
    balancers expect in `X-Reme-Edge`. `log_bucket_arn` is a bucket that delivery.logs.amazonaws.com may write to.
    """

    domain: str
    zone_id: pulumi.Input[str]
    us_east_1: aws.Provider
    secret: pulumi.Input[str]
    waf_rules: int
    log_bucket_arn: pulumi.Input[str]
    log_key_arn: pulumi.Input[str] | None = None
    tags: Tags


class Edge(pulumi.ComponentResource):
    """A CloudFront distribution that caches nothing, with its certificate, firewall, log and names.

    Attributes: `dns_name` and `zone_id` of the distribution, `distribution_id`, `arn`.
    """

    dns_name: pulumi.Output[str]
    zone_id: pulumi.Output[str]
    distribution_id: pulumi.Output[str]
    arn: pulumi.Output[str]

    def __init__(self, name: str, args: EdgeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:aws:Edge", name, {}, opts)
        in_us_east_1 = pulumi.ResourceOptions(parent=self, providers={"aws": args.us_east_1})
        certificate = Certificate(
            f"{name}-public",
            # each region's balancer proves the same name
            CertificateArgs(names=(args.domain,), zone_id=args.zone_id, shared=True, tags=args.tags),
            in_us_east_1,
        )
        firewall = Firewall(
            f"{name}-firewall",
            FirewallArgs(rules=args.waf_rules, scope="CLOUDFRONT", log_key_arn=args.log_key_arn, tags=args.tags),
            in_us_east_1,
        )
        distribution = aws.cloudfront.Distribution(
            f"{name}-distribution",
            enabled=True,
            comment="Memory service",
            aliases=[args.domain],
            http_version="http2and3",
            is_ipv6_enabled=True,
            price_class="PriceClass_All",
            web_acl_id=firewall.arn,
            origins=[
                {
                    "origin_id": "regions",
                    "domain_name": name_origin(args.domain),
                    "custom_headers": [{"name": EDGE_HEADER, "value": args.secret}],
                    "custom_origin_config": {
                        "http_port": 80,
                        "https_port": 443,
                        "origin_protocol_policy": "https-only",
                        "origin_ssl_protocols": list(ORIGIN_TLS),
                        "origin_read_timeout": READ_TIMEOUT_S,
                        "origin_keepalive_timeout": KEEP_ALIVE_S,
                    },
                }
            ],
            default_cache_behavior={
                "target_origin_id": "regions",
                # a redirect would come after the key has travelled in the clear
                "viewer_protocol_policy": "https-only",
                "allowed_methods": ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"],
                "cached_methods": ["GET", "HEAD"],
                "cache_policy_id": CACHING_DISABLED,
                "origin_request_policy_id": ALL_VIEWER,
                "response_headers_policy_id": self._make_headers(name).id,
            },
            restrictions={"geo_restriction": {"restriction_type": "none"}},
            viewer_certificate={
                "acm_certificate_arn": certificate.arn,
                "ssl_support_method": "sni-only",
                "minimum_protocol_version": TLS_POLICY,
            },
            tags=args.tags.named("edge"),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self._deliver_logs(name, args, distribution)
        for kind in ("A", "AAAA"):
            aws.route53.Record(
                f"{name}-{kind.lower()}",
                zone_id=args.zone_id,
                name=args.domain,
                type=kind,
                aliases=[
                    {
                        "name": distribution.domain_name,
                        "zone_id": distribution.hosted_zone_id,
                        "evaluate_target_health": False,
                    }
                ],
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.dns_name, self.zone_id = distribution.domain_name, distribution.hosted_zone_id
        self.distribution_id, self.arn = distribution.id, distribution.arn
        self.register_outputs({"dns_name": self.dns_name})

    def _make_headers(self, name: str) -> aws.cloudfront.ResponseHeadersPolicy:
        """What every answer tells a browser: HTTPS only, the type as it is said, in nobody's frame."""
        return aws.cloudfront.ResponseHeadersPolicy(
            f"{name}-headers",
            comment="Headers for browsers",
            security_headers_config={
                "strict_transport_security": {
                    "access_control_max_age_sec": HSTS_S,
                    "include_subdomains": True,
                    "preload": True,
                    "override": True,
                },
                "content_type_options": {"override": True},
                "frame_options": {"frame_option": "DENY", "override": True},
                "referrer_policy": {"referrer_policy": "no-referrer", "override": True},
            },
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _deliver_logs(self, name: str, args: EdgeArgs, distribution: aws.cloudfront.Distribution) -> None:
        """Access logs by log delivery: CloudFront's older logging wants a bucket with access lists."""
        opts = pulumi.ResourceOptions(parent=self, provider=args.us_east_1)
        label = fix_name(pulumi.get_stack(), f"{name}-access", DELIVERY_NAME_LENGTH)
        source = aws.cloudwatch.LogDeliverySource(
            f"{name}-log-source",
            name=label,
            log_type="ACCESS_LOGS",
            resource_arn=distribution.arn,
            tags=args.tags.named("edge"),
            opts=opts,
        )
        destination = aws.cloudwatch.LogDeliveryDestination(
            f"{name}-log-destination",
            name=label,
            output_format="json",
            delivery_destination_configuration={
                "destination_resource_arn": pulumi.Output.format("{0}/{1}", args.log_bucket_arn, EDGE_LOGS_PREFIX)
            },
            tags=args.tags.named("edge"),
            opts=opts,
        )
        aws.cloudwatch.LogDelivery(
            f"{name}-log-delivery",
            delivery_source_name=source.name,
            delivery_destination_arn=destination.arn,
            tags=args.tags.named("edge"),
            opts=opts,
        )
