"""The way in: which name leads where, whose zone it lies in, and what a stack must say before it is made."""

from collections.abc import Mapping
from typing import Any

import pulumi
import pytest

from infra.alicloud.balancer import Balancer, BalancerArgs, BalancerZone
from infra.alicloud.entrance import find_entrance, lead_to
from infra.alicloud.foundation import lay_foundation
from infra.errors import InfraError, InvalidStack, MissingSetting
from infra.planning import plan_stack
from infra.settings import read_settings
from infra.tagging import Tags
from tests.infra.recorder import Recording, record
from tests.infra.stacks import SECRETS

RECORD = "alicloud:dns/alidnsRecord:AlidnsRecord"
ZONE = "alicloud:dns/alidnsDomain:AlidnsDomain"
CDN = "alicloud:cdn/domainNew:DomainNew"
HANGZHOU = {
    "reme-cloud:environment": "prod",
    "alicloud:region": "cn-hangzhou",
    "reme-cloud:workload": '{"name": "memory", "users": 500}',
    "reme-cloud:zone-id": "example.com",
}
"""One region."""


def _span(*regions: str, here: str) -> dict[str, str]:
    """A region of a world, the regions as `cloud:region`."""
    named = ", ".join('{{"cloud": "{}", "region": "{}", "nodes": 2}}'.format(*each.split(":")) for each in regions)
    clouds = ", ".join(f'"{each}"' for each in sorted({each.split(":")[0] for each in regions}))
    return {
        "reme-cloud:environment": "global",
        "alicloud:region": here,
        "reme-cloud:workload": f'{{"name": "world", "users": 5000, "clouds": [{clouds}], "regions": [{named}]}}',
    }


ALIBABA = ("alicloud:ap-southeast-1", "alicloud:eu-central-1", "alicloud:cn-beijing")
MIXED = ("aws:us-east-1", "alicloud:ap-southeast-1", "alicloud:cn-beijing")


def enter(config: Mapping[str, str], *, without: str = "") -> Recording:
    """The entrance of a stack, with its balancer."""
    told = {
        "reme-cloud:cloud": "alicloud",
        "reme-cloud:domain": "memory.example.com",
        "reme-cloud:certificate-id": "1234567-ap-southeast-1",
        **SECRETS,
        **config,
    }

    def program() -> None:
        settings = read_settings()
        tags = Tags(environment=settings.environment, stack=settings.stack, more={})
        base = lay_foundation(settings, plan_stack(settings), tags=tags)
        entrance = find_entrance(base)
        balancer = Balancer(
            "balancer",
            BalancerArgs(
                spec=base.plan.balancer,
                vpc_id=base.network.vpc_id,
                zones=[
                    BalancerZone(zone_name=zone, subnet_id=subnet)
                    for zone, subnet in zip(base.network.zone_names, base.network.public_subnet_ids, strict=True)
                ],
                certificate_id=entrance.certificate_id,
                log_project=base.logs.project,
                log_store="balancer",
                edge_secret=entrance.edge_secret,
                tags=tags,
                protect=settings.protect,
            ),
        )
        lead_to(base, entrance, balancer)
        pulumi.export("public_name", entrance.public_name)
        pulumi.export("name_servers", entrance.name_servers)
        pulumi.export("guarded", entrance.edge_secret is not None)

    told = {key: value for key, value in told.items() if key != without}
    return record(
        program, region=told["alicloud:region"], stack_name="alicloud-prod", config=told, secrets=tuple(SECRETS)
    )


def list_records(made: Recording) -> dict[str, Any]:
    """By the names in the zone, where they lead."""
    return {each.props["rr"]: each.props["value"] for each in made.of(RECORD)}


def test_one_region_s_domain_leads_to_its_balancer_without_a_cdn() -> None:
    made = enter(HANGZHOU)
    assert list_records(made) == {"memory": "alb-0123456789abcdef.cn-hangzhou.alb.aliyuncsslb.com"}
    assert not made.of(CDN) and not made.of(ZONE)
    assert made.outputs["public_name"] == "memory.example.com" and not made.outputs["guarded"]
    certificates = made.one("alicloud:alb/listener:Listener", "balancer-https").props["certificates"]
    assert certificates == {"certificateId": "1234567-ap-southeast-1"}


def test_the_first_of_several_regions_makes_the_zone_and_the_cdn_before_all_that_share_data() -> None:
    made = enter(_span(*ALIBABA, here="ap-southeast-1"))
    assert made.one(ZONE).props["domainName"] == "memory.example.com"
    assert made.outputs["name_servers"] == ["ns1.alidns.com", "ns2.alidns.com"]
    assert list_records(made) == {
        "ap-southeast-1": "alb-0123456789abcdef.ap-southeast-1.alb.aliyuncsslbintl.com",
        "@": "memory.example.com.w.kunlunaq.com",
    }
    sources = made.one(CDN).props["sources"]
    assert [each["content"] for each in sources] == [
        "ap-southeast-1.memory.example.com",
        "eu-central-1.memory.example.com",
    ]
    assert made.outputs["guarded"]


def test_another_region_has_its_own_name_in_that_zone() -> None:
    made = enter({**_span(*ALIBABA, here="eu-central-1"), "reme-cloud:zone-id": "memory.example.com"})
    assert set(list_records(made)) == {"eu-central-1"} and not made.of(CDN) and not made.of(ZONE)
    assert made.outputs["public_name"] == "memory.example.com" and made.outputs["guarded"]


def test_a_region_that_shares_no_data_is_called_by_its_own_name_past_the_cdn() -> None:
    made = enter({**_span(*ALIBABA, here="cn-beijing"), "reme-cloud:zone-id": "memory.example.com"})
    assert set(list_records(made)) == {"cn-beijing"} and not made.of(CDN)
    assert made.outputs["public_name"] == "cn-beijing.memory.example.com" and not made.outputs["guarded"]


def test_behind_aws_the_balancer_wants_the_cdn_s_mark_and_no_record_is_made_here() -> None:
    made = enter(_span(*MIXED, here="ap-southeast-1"))
    assert not made.of(RECORD) and not made.of(ZONE) and not made.of(CDN)
    assert made.outputs["guarded"] and made.outputs["public_name"] == "memory.example.com"


@pytest.mark.parametrize(
    ("config", "without", "error", "message"),
    [
        (HANGZHOU, "reme-cloud:domain", MissingSetting, "`pulumi config set domain"),
        (HANGZHOU, "reme-cloud:zone-id", MissingSetting, "`pulumi config set zone-id"),
        (HANGZHOU, "reme-cloud:certificate-id", MissingSetting, "for memory.example.com, such as"),
        (
            _span(*MIXED, here="ap-southeast-1"),
            "reme-cloud:certificate-id",
            MissingSetting,
            "and origin.memory.example.com and ap-southeast-1.memory.example.com, such as",
        ),
        (
            _span(*MIXED, here="cn-beijing"),
            "reme-cloud:certificate-id",
            MissingSetting,
            "for cn-beijing.memory.example.com, such as",
        ),
        (_span(*MIXED, here="cn-beijing"), "", MissingSetting, "that cn-beijing.memory.example.com lies in"),
        (
            _span(*ALIBABA, here="ap-southeast-1"),
            "reme-cloud:edge-secret",
            MissingSetting,
            "config set --secret edge-secret",
        ),
        (
            _span("alicloud:ap-southeast-1", "aws:us-east-1", here="ap-southeast-1"),
            "",
            InvalidStack,
            "a region of AWS first where clouds are mixed",
        ),
    ],
)
def test_what_is_missing_is_named(
    config: Mapping[str, str], without: str, error: type[InfraError], message: str
) -> None:
    with pytest.raises(error, match=message):
        enter(config, without=without)


@pytest.mark.parametrize(
    ("cloud", "found"),
    [("alicloud", "1234567"), ("alicloud", "1234567-us-east-1"), ("aws", "1234567-cn-hangzhou")],
)
def test_a_certificate_is_one_of_this_cloud_with_its_region(cloud: str, found: str) -> None:
    config = {**HANGZHOU, "reme-cloud:cloud": cloud, "reme-cloud:certificate-id": found, "aws:region": "us-east-1"}
    with pytest.raises(InvalidStack, match=f"certificate-id is '{found}'; valid: a certificate of Alibaba Cloud"):
        enter(config)
