"""The edge: nothing is cached, only it knows the balancers' secret, and all of it is in us-east-1."""

import pulumi
import pulumi_aws as aws

from infra.aws.edge import Edge, EdgeArgs, find_edge_prefix_lists
from infra.tagging import Tags
from infra.way_in import IDLE_TIMEOUT_S, name_origin
from tests.infra.recorder import Recording, record

TAGS = Tags(environment="test", stack="aws-test", more={})
DISTRIBUTION = "aws:cloudfront/distribution:Distribution"


def front() -> Recording:
    def program() -> None:
        Edge(
            "edge",
            EdgeArgs(
                domain="reme.example.com",
                zone_id="Z1",
                us_east_1=aws.Provider("us-east-1", region="us-east-1"),
                secret=pulumi.Output.secret("let-me-in"),
                waf_rules=3,
                log_bucket_arn="arn:aws:s3:::logs",
                tags=TAGS,
            ),
        )

    return record(program, region="eu-west-1")


def test_answers_of_an_api_are_never_kept_and_every_header_is_handed_on() -> None:
    behaviour = front().one(DISTRIBUTION).props["defaultCacheBehavior"]

    assert behaviour["cachePolicyId"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
    assert behaviour["originRequestPolicyId"] == "216adef6-5c7f-47e4-b989-5492eafa07d3"
    assert {"DELETE", "PATCH", "POST", "PUT"} <= set(behaviour["allowedMethods"])
    assert behaviour["viewerProtocolPolicy"] == "https-only"


def test_browsers_are_told_https_only_no_guessing_and_no_frame() -> None:
    made = front()
    headers = made.one("aws:cloudfront/responseHeadersPolicy:ResponseHeadersPolicy")
    assert made.one(DISTRIBUTION).props["defaultCacheBehavior"]["responseHeadersPolicyId"] == f"{headers.name}-id"
    found = headers.props["securityHeadersConfig"]
    transport = found["strictTransportSecurity"]
    assert transport["accessControlMaxAgeSec"] >= 31_536_000 and transport["includeSubdomains"] and transport["preload"]
    assert found["contentTypeOptions"]["override"] and found["frameOptions"]["frameOption"] == "DENY"
    assert all(each["override"] for each in found.values())


def test_the_origin_is_the_nearest_region_over_tls_with_the_secret() -> None:
    (origin,) = front().one(DISTRIBUTION).props["origins"]

    assert origin["domainName"] == name_origin("reme.example.com") == "origin.reme.example.com"
    assert origin["customHeaders"] == [{"name": "X-Reme-Edge", "value": "let-me-in"}]
    custom = origin["customOriginConfig"]
    assert (custom["originProtocolPolicy"], custom["originSslProtocols"]) == ("https-only", ["TLSv1.2"])
    assert custom["originKeepaliveTimeout"] < IDLE_TIMEOUT_S


def test_its_certificate_firewall_and_logs_are_in_us_east_1() -> None:
    made = front()

    provider = made.one("pulumi:providers:aws").urn
    for type_ in (
        "aws:acm/certificate:Certificate",
        "aws:wafv2/webAcl:WebAcl",
        "aws:cloudwatch/logDeliverySource:LogDeliverySource",
        "aws:cloudwatch/logDelivery:LogDelivery",
    ):
        assert made.one(type_).provider.startswith(provider), type_
    assert made.one("aws:wafv2/webAcl:WebAcl").props["scope"] == "CLOUDFRONT"
    viewer = made.one(DISTRIBUTION).props["viewerCertificate"]
    assert (viewer["sslSupportMethod"], viewer["minimumProtocolVersion"]) == ("sni-only", "TLSv1.2_2021")


def test_access_logs_go_to_the_bucket() -> None:
    destination = front().one("aws:cloudwatch/logDeliveryDestination:LogDeliveryDestination").props
    assert destination["deliveryDestinationConfiguration"] == {"destinationResourceArn": "arn:aws:s3:::logs/edge"}


def test_the_public_name_leads_to_the_distribution() -> None:
    found = {
        each.props["type"]: each.props for each in front().of("aws:route53/record:Record") if "aliases" in each.props
    }
    assert set(found) == {"A", "AAAA"}
    assert {each["name"] for each in found.values()} == {"reme.example.com"}
    assert all(each["aliases"][0]["name"] == "d111.cloudfront.net" for each in found.values())


def test_balancers_behind_it_admit_the_cdn_and_the_checkers() -> None:
    asked: list[tuple[str, str]] = []
    record(lambda: asked.append(find_edge_prefix_lists("us-east-1")))
    assert asked == [("pl-1", "pl-1")]
