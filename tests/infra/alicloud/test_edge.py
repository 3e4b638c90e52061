"""The edge: nothing is cached, only it knows the balancers' secret, and it turns to another region when one fails."""

from typing import Any

import pulumi

from infra.alicloud.edge import READ_TIMEOUT_S, Edge, EdgeArgs
from infra.tagging import Tags
from infra.way_in import IDLE_TIMEOUT_S
from tests.infra.recorder import Recording, record

TAGS = Tags(environment="global", stack="global-ap-southeast-1", more={})
DOMAIN = "alicloud:cdn/domainNew:DomainNew"
SETTING = "alicloud:cdn/domainConfig:DomainConfig"
ORIGINS = ("ap-southeast-1.reme.example.com", "eu-central-1.reme.example.com")


def front(**more: Any) -> Recording:
    def program() -> None:
        made = Edge(
            "edge",
            EdgeArgs(
                domain="reme.example.com",
                certificate_id="1234567-ap-southeast-1",
                origins=ORIGINS,
                secret=pulumi.Output.secret("let-me-in"),
                tags=TAGS,
                **more,
            ),
        )
        pulumi.export("dns_name", made.dns_name)

    return record(program, region="ap-southeast-1")


def list_settings(made: Recording) -> dict[str, dict[str, str]]:
    """By the functions' names, their arguments."""
    return {
        each.props["functionName"]: {pair["argName"]: pair["argValue"] for pair in each.props["functionArgs"]}
        for each in made.of(SETTING)
    }


def test_answers_of_an_api_are_never_kept() -> None:
    caching = list_settings(front())["path_based_ttl_set"]
    assert (caching["path"], caching["ttl"]) == ("/", "0")
    # on, nodes would keep what they must ask for anyway
    assert caching["force_revalidate"] == "off" and caching["swift_origin_cache_high"] == "off"


def test_the_first_region_leads_and_the_others_stand_in() -> None:
    sources = front().one(DOMAIN).props["sources"]
    assert [(each["content"], each["priority"]) for each in sources] == list(zip(ORIGINS, (20, 30), strict=True))
    assert {(each["type"], each["port"]) for each in sources} == {("domain", 443)}


def test_origins_are_reached_by_https_under_the_public_name_with_the_secret() -> None:
    made = front()
    settings = list_settings(made)
    assert settings["forward_scheme"] == {"enable": "on", "scheme_origin": "https", "scheme_origin_port": "443"}
    assert settings["set_req_host_header"]["domain_name"] == "reme.example.com"
    assert settings["https_origin_sni"] == {"enabled": "on", "https_origin_sni": "reme.example.com"}
    mark = settings["origin_request_header"]
    assert (mark["header_name"], mark["header_value"]) == ("X-Reme-Edge", "let-me-in")
    assert "functionArgs" in made.one(SETTING, "edge-mark").secret


def test_callers_speak_new_tls_only_and_the_certificate_is_the_account_s() -> None:
    made = front()
    tls = list_settings(made)["https_tls_version"]
    assert [tls[version] for version in ("tls10", "tls11", "tls12", "tls13")] == ["off", "off", "on", "on"]
    assert tls["ciphersuitegroup"] == "strict"
    assert made.one(DOMAIN).props["certificateConfig"] == {
        "certId": "1234567",
        "certRegion": "ap-southeast-1",
        "certType": "cas",
        "serverCertificateStatus": "on",
    }
    settings = list_settings(made)
    assert settings["https_force"] == {"enable": "on", "https_rewrite": "308"}
    assert int(settings["HSTS"]["https_hsts_max_age"]) >= 31_536_000


def test_the_balancer_gives_up_before_the_cdn_does() -> None:
    assert list_settings(front())["forward_timeout"] == {"forward_timeout": str(READ_TIMEOUT_S)}
    assert IDLE_TIMEOUT_S < READ_TIMEOUT_S < 100


def test_callers_can_be_named_by_the_addresses_that_connect() -> None:
    assert "ip_allow_list_set" not in list_settings(front())
    allowed = list_settings(front(allowed_cidrs=("203.0.113.0/24", "198.51.100.0/24")))["ip_allow_list_set"]
    assert allowed == {"ip_list": "203.0.113.0/24,198.51.100.0/24", "ip_acl_xfwd": "off"}
    assert front().outputs["dns_name"] == "reme.example.com.w.kunlunaq.com"
