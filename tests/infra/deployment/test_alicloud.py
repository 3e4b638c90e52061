"""What a deployment asks Alibaba Cloud: signatures, a version's health behind its balancer, and the registry."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from infra.deployment import alicloud_api
from infra.deployment.alicloud_api import AccessKey, AlicloudApi, CallRefused, read_key, sign
from infra.deployment.alicloud_registry import AcrRepository
from infra.deployment.connections import look_at_servers
from infra.deployment.errors import DeploymentError
from infra.deployment.registries import find_repository
from infra.deployment.rollout import HealthSample
from infra.deployment.server_groups import MEASURES, ServerGroup
from tests.infra.deployment.alicloud_server import (
    BALANCER,
    GROUP,
    KEY_ID,
    KEY_SECRET,
    PASSWORD,
    TOKEN,
    USER,
    AlicloudServer,
    serve_alicloud,
)

REGION = "ap-southeast-1"
URL = "registry.example.com/reme/service"
SERVED = "Available"


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[AlicloudServer]:
    """The cloud, with a key of the account in the environment; waits are short."""
    monkeypatch.setattr(alicloud_api, "WAITS_S", (0.0, 0.0))
    with serve_alicloud() as server:
        for service in ("ALB", "CMS", "CR"):
            monkeypatch.setenv(f"{service}_ENDPOINT", server.address)
        for name in ("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_SECURITY_TOKEN", "ALICLOUD_SECURITY_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("ALICLOUD_ACCESS_KEY", KEY_ID)
        monkeypatch.setenv("ALICLOUD_SECRET_KEY", KEY_SECRET)
        yield server


def test_the_signature_is_that_of_the_documentation() -> None:
    # "Request syntax and signature method V3", example with fixed parameters; it is a POST without a body.
    headers = sign(
        AccessKey(id="YourAccessKeyId", secret="YourAccessKeySecret"),  # noqa: S106
        host="ecs.cn-shanghai.aliyuncs.com",
        action="RunInstances",
        version="2014-05-26",
        date="2023-10-26T10:22:32Z",
        nonce="3156853299f313e23d1673dc12e1703d",
        method="POST",
        query="ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd&RegionId=cn-shanghai",
    )
    assert headers["authorization"].endswith("06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0")


class TestCalls:
    @pytest.mark.parametrize("names", [("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET")])
    def test_keys_are_those_that_the_provider_reads(self, names: tuple[str, str]) -> None:
        assert read_key({names[0]: "one", names[1]: "two"}) == AccessKey(id="one", secret="two")  # noqa: S106
        with pytest.raises(DeploymentError, match="set ALICLOUD_ACCESS_KEY and ALICLOUD_SECRET_KEY"):
            read_key({names[0]: "one"})
        assert "two" not in repr(read_key({names[0]: "one", names[1]: "two"}))

    def test_a_key_that_ends_by_itself_is_signed_with_its_token(
        self, cloud: AlicloudServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cloud.token = TOKEN
        with pytest.raises(CallRefused, match=r"refused GetAuthorizationToken: 403 InvalidSecurityToken\.Malformed"):
            AcrRepository(URL, REGION).sign_in()
        monkeypatch.setenv("ALICLOUD_SECURITY_TOKEN", TOKEN)
        assert AcrRepository(URL, REGION).sign_in().user == USER

    def test_a_wrong_key_is_refused_without_being_shown(
        self, cloud: AlicloudServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ALICLOUD_SECRET_KEY", "wrong-secret")
        with pytest.raises(CallRefused, match="403 SignatureDoesNotMatch") as refused:
            AcrRepository(URL, REGION).sign_in()
        assert not [each for each in ("wrong-secret", KEY_SECRET) if each in str(refused.value)]
        assert cloud.refused == ["SignatureDoesNotMatch"], "what is refused for good is not asked again"

    def test_what_is_throttled_or_fails_for_a_moment_is_asked_again(self, cloud: AlicloudServer) -> None:
        cloud.failures = [(400, "Throttling.User"), (503, "ServiceUnavailable")]
        assert AcrRepository(URL, REGION).sign_in().user == USER
        cloud.failures = [(503, "ServiceUnavailable")] * 3
        with pytest.raises(CallRefused, match="503 ServiceUnavailable"):
            AcrRepository(URL, REGION).sign_in()

    def test_a_cloud_that_does_not_answer_is_said(self, cloud: AlicloudServer, monkeypatch: pytest.MonkeyPatch) -> None:
        assert cloud.address
        monkeypatch.setenv("CR_ENDPOINT", "http://127.0.0.1:9")
        with pytest.raises(DeploymentError, match="Alibaba Cloud's cr does not answer GetAuthorizationToken"):
            AcrRepository(URL, REGION).sign_in()

    def test_a_key_is_not_taken_elsewhere(self, cloud: AlicloudServer) -> None:
        with serve_alicloud() as other:
            cloud.elsewhere = f"{other.address}/tokens"
            with pytest.raises(CallRefused, match="307"):
                AcrRepository(URL, REGION).sign_in()
            assert not other.asked and not other.refused

    def test_an_address_is_the_service_s_in_the_region(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("CMS_ENDPOINT", "ALB_ENDPOINT"):
            monkeypatch.delenv(name, raising=False)
        assert AlicloudApi("alb", "1", REGION).address == "https://alb.ap-southeast-1.aliyuncs.com"
        metrics = AlicloudApi("cms", "1", REGION, host_label="metrics")
        assert metrics.address == "https://metrics.ap-southeast-1.aliyuncs.com"


class TestServerGroup:
    @pytest.mark.parametrize("ruled", [True, False])
    def test_a_version_is_healthy_when_a_server_serves_and_none_fails(
        self, cloud: AlicloudServer, *, ruled: bool
    ) -> None:
        cloud.ruled = ruled
        group = ServerGroup(GROUP, REGION)
        assert not group.look().healthy, "no server yet"
        cloud.servers = {"i-1": "Adding"}
        assert not group.look().healthy, "not in service yet"
        cloud.servers = {"i-1": SERVED, "i-2": SERVED, "i-3": SERVED}
        cloud.wrong = dict.fromkeys(cloud.servers, "Initial")
        assert not group.look().healthy, "none was checked yet"
        cloud.servers, cloud.wrong = {"i-1": SERVED, "i-2": "Adding"}, {"i-2": "Initial"}
        assert group.look() == HealthSample(healthy=True), "one serves, another is on its way"
        cloud.wrong = {"i-1": "Unhealthy"}
        assert not group.look().healthy
        cloud.wrong = {}
        assert group.look().healthy
        assert cloud.asked.count("GetListenerHealthStatus") == 2 * 6, "of every listener"

    def test_each_minute_s_figures_are_read_once(self, cloud: AlicloudServer) -> None:
        now = datetime.now(UTC).replace(second=0, microsecond=0)
        cloud.servers = {"i-1": SERVED}

        def report(name: str, *values: float) -> None:
            moments = [int((now - timedelta(minutes=ago)).timestamp() * 1000) for ago in (7, 6, 5, 4, 0)]
            cloud.figures[MEASURES[name]] = dict(zip(moments, values, strict=True))

        report("requests", 100, 2, 0.5, 0.5, 100)
        report("errors", 100, 0, 0.05, 0, 100)
        report("latency", 9000, 80, 240.5, 90, 9000)
        group = ServerGroup(GROUP, REGION, since=now - timedelta(minutes=6))
        assert group.look() == HealthSample(healthy=True, requests=180, errors=3, latency_ms=240.5)
        assert group.look() == HealthSample(healthy=True)

    def test_what_stands_behind_no_balancer_is_an_error_with_the_remedy(self, cloud: AlicloudServer) -> None:
        cloud.behind = ""
        with pytest.raises(DeploymentError, match="stands behind no balancer: run `reme-deploy up`"):
            ServerGroup(GROUP, REGION).look()
        cloud.behind, cloud.known = BALANCER, False
        with pytest.raises(DeploymentError, match="no listener knows the server group sgp-green"):
            ServerGroup(GROUP, REGION).look()

    def test_a_region_s_servers_are_healthy_when_one_version_s_are(self, cloud: AlicloudServer) -> None:
        cloud.servers = {"i-1": SERVED}
        assert look_at_servers([GROUP, "sgp-none"], "alicloud", REGION) == ("healthy", "")
        cloud.wrong = {"i-1": "Unhealthy"}
        assert look_at_servers([GROUP], "alicloud", REGION) == ("unhealthy", "")
        assert look_at_servers([], "alicloud", REGION) == ("none", "")
        cloud.failures = [(403, "Forbidden.RAM")]
        found, reason = look_at_servers([GROUP], "alicloud", REGION)
        assert found == "unknown" and "refused ListServerGroupServers: 403 Forbidden.RAM" in reason


class TestRegistry:
    def test_it_says_which_images_there_are_on_all_its_pages(self, cloud: AlicloudServer) -> None:
        repository = AcrRepository(URL, REGION)
        assert not repository.has("0.1.0")
        cloud.tags = ["0.3.0", "0.2.0", "0.1.0"]
        assert repository.has("0.1.0") and repository.has("0.3.0")
        assert not repository.has("0.4.0")

    def test_a_push_signs_in_with_a_password_that_is_not_shown(self, cloud: AlicloudServer) -> None:
        found = AcrRepository(URL, REGION).sign_in()
        assert (found.host, found.user, found.password) == ("registry.example.com", USER, PASSWORD)
        assert PASSWORD not in repr(found)
        assert cloud.asked == ["GetAuthorizationToken"]

    def test_it_is_found_in_the_state_by_its_outer_name(self) -> None:
        made = {"url": URL, "inner_url": URL.replace("registry", "registry-vpc")}
        kind = "reme:alicloud:Registry"
        assert find_repository([{"type": kind, "outputs": made}]) == URL
        assert find_repository([{"type": kind, "outputs": {}}, {"type": "alicloud:cr/repo:Repo"}]) == ""

    def test_what_is_no_repository_is_refused(self) -> None:
        with pytest.raises(DeploymentError, match="is no HOST/NAMESPACE/NAME"):
            AcrRepository("registry.example.com/service", REGION)
