"""A host's user data for Alibaba Cloud carried out on a machine: first start, another setting, a dump into OSS."""

import base64
import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
import yaml

from infra.service.configuration import ServiceAddresses, ServiceSettings, configure_service
from infra.service.delivery import Release
from infra.service.host_start import HostDelivery, write_host_user_data
from infra.service.machine import ALICLOUD_PLACES
from infra.service.upkeep import write_arguments, write_change_command, write_change_parameters
from tests.infra.service.machine.alicloud import AlicloudServices, run_services
from tests.infra.service.machine.host import Host, boot, lacking, share_machine
from tests.infra.service.machine.releases import Bucket
from tests.infra.service.plans import PERSONAL, plan_region

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("host")]

ADMIN_KEY = "rk_00112233445566778899aabbccddeeff"
PROVIDER_KEY = "sk-\"double\"$HOME`id`\\'single'"
PREFIX = "acs:oos:ap-southeast-1:1234567890123456:secretparameter/"
SECRETS = {name: f"{PREFIX}reme-cloud/alicloud-dev/{name}" for name in ("admin", "llm")}
NOBODY = "http://127.0.0.1:9/v1"
"""A provider that does not answer: rules and keywords do."""


@dataclass(frozen=True)
class Stack:
    """A host and what `pulumi up` made of its stack's file."""

    host: Host
    services: AlicloudServices
    settings: ServiceSettings
    release: Release
    port: int
    start: "subprocess.CompletedProcess[str]"

    def change(self, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run the command as the agent of Cloud Assistant does: a script, parameters filled in."""
        settings = replace(self.settings, environment={**self.settings.environment, **environment})
        parameters = write_change_parameters(self.release, settings, SECRETS, cloud="alicloud")
        text = base64.b64decode(write_change_command()).decode()
        self.host.write("/tmp/command", fill_in(text, parameters), 0o700)  # noqa: S108 - of the machine
        return self.host.run("/tmp/command")  # noqa: S108

    def ask(self, method: str, path: str, body: object = None) -> httpx.Response:
        address = f"http://127.0.0.1:{self.port}{path}"
        return httpx.request(method, address, json=body, headers={"X-API-Key": ADMIN_KEY}, timeout=60)

    def read_variables(self) -> dict[str, str]:
        """The environment of the service as it runs."""
        process = self.host.run("cat", "/run/fake/reme").stdout
        pairs = self.host.run("cat", f"/proc/{process}/environ").stdout.split("\0")
        return dict(pair.split("=", 1) for pair in pairs if pair)


def fill_in(text: str, parameters: Mapping[str, str]) -> str:
    return re.sub(r"{{(\w+)}}", lambda found: parameters[found[1]], text)


def publish(bucket: Bucket, services: AlicloudServices, version: str) -> Release:
    """Build a release and put it into a bucket of OSS."""
    release = bucket.publish(version)
    for path in (bucket.folder / version).iterdir():
        services.put("releases", f"{version}/{path.name}", path.read_bytes())
    urls = {name: getattr(release, name).replace("s3://", "oss://") for name in ("wheel_url", "requirements_url")}
    return replace(release, **urls)


def redirect(user_data: str, services: AlicloudServices) -> str:
    """The user data with the addresses of the services here."""
    document = yaml.safe_load(user_data)
    [places] = [file for file in document["write_files"] if file["path"] == ALICLOUD_PLACES]
    places.pop("encoding")
    places["content"] = json.dumps(services.places)
    return yaml.safe_dump(document)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    if reason := lacking():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("alicloud")
    with share_machine() as port, boot(folder / "host") as host, run_services() as services:
        services.oss.region = "ap-southeast-1"
        services.secrets |= {
            SECRETS[name].removeprefix(PREFIX): value for name, value in (("admin", ADMIN_KEY), ("llm", PROVIDER_KEY))
        }
        # the role is attached some seconds after the start
        services.absences = 3
        yield start(host, services, folder, port)


def start(host: Host, services: AlicloudServices, folder: Path, port: int) -> Stack:
    plan = plan_region(**PERSONAL, regions=[{"cloud": "alicloud", "region": "ap-southeast-1"}])
    plan = replace(plan, balancer=replace(plan.balancer, target_port=port))
    delivery = HostDelivery(
        plan=plan, arguments_url="oss://releases/host/arguments", secret_sources=SECRETS, volume_id="d-0abc"
    )
    overrides = {"embedding.api_base": NOBODY, "llm.default.api_base": NOBODY}
    settings = configure_service(plan, ServiceAddresses(), overrides=overrides)
    release = publish(Bucket(folder / "releases"), services, "0.1.0")
    told = write_change_parameters(release, settings, SECRETS, cloud="alicloud")
    services.put("releases", "host/arguments", write_arguments(told).encode())
    done = host.carry_out(redirect(write_host_user_data(delivery), services))
    return Stack(host, services, settings, release, port, done)


def test_a_first_start_ends_with_a_healthy_service(stack: Stack) -> None:
    done, host = stack.start, stack.host
    assert done.returncode == 0, host.explain(done)
    assert "version 0.1.0 runs with these settings\n" in done.stdout
    assert stack.services.absences == 0
    assert stack.services.refused == []
    assert stack.ask("GET", "/health").json() == {"status": "healthy"}
    assert stack.ask("GET", "/v1/workspaces").status_code == 200
    assert stack.read_variables()["REME_LLM__DEFAULT__API_KEY"] == PROVIDER_KEY
    assert host.run("mountpoint", "/var/lib/reme").returncode == 0


def test_secrets_and_keys_lie_nowhere_on_the_disks(stack: Stack) -> None:
    for secret in (ADMIN_KEY, stack.services.oss.secret_key):
        found = stack.host.run("grep", "--recursive", "--files-with-matches", secret, "/etc/reme", "/opt/reme", "/var")
        assert found.stdout == ""
    assert stack.host.run("stat", "--format=%U %a", "/run/reme/secrets").stdout == "reme 400\n"


def test_other_settings_come_into_force_or_the_former_come_back(stack: Stack) -> None:
    kept = stack.ask("POST", "/v1/workspaces/demo/memories", {"type": "personal", "content": "Ada avoids peanuts"})
    assert kept.status_code == 201, kept.text
    done = stack.change()
    assert "nothing was changed" in done.stdout, stack.host.explain(done)
    done = stack.change(REME_LOG__LEVEL="WARNING")
    assert done.returncode == 0, stack.host.explain(done)
    assert stack.read_variables()["REME_LOG__LEVEL"] == "WARNING"
    done = stack.change(REME_LOG__LEVEL="ERROR", REME_HTTP__WORKERS="many")
    assert done.returncode == 1, stack.host.explain(done)
    assert "unhealthy with these settings; both were given up" in done.stderr, stack.host.explain(done)
    assert stack.read_variables()["REME_LOG__LEVEL"] == "WARNING"
    found = stack.ask("POST", "/v1/workspaces/demo/search", {"query": "peanuts"}).json()["hits"]
    assert [hit["memory"]["content"] for hit in found] == ["Ada avoids peanuts"]


def test_a_dump_reaches_oss_with_the_role_s_keys(stack: Stack) -> None:
    oss = stack.services.oss
    oss.new_bucket("dumps")
    told = {
        "DUMPS_URL": "oss://dumps/reme",
        "REME_STORAGE__REGION": oss.region,
        "REME_STORAGE__ENDPOINT": oss.endpoint,
        "REME_STORAGE__PATH_STYLE": "true",
    }
    done = stack.change(**told)
    assert done.returncode == 0, stack.host.explain(done)
    oss.seen.clear()
    done = stack.host.run("systemctl", "start", "reme-dumps")
    assert done.returncode == 0, stack.host.explain(done)
    assert [name for name in oss.buckets["dumps"] if name.startswith("reme/backups/")]
    assert {method for method, _, _ in oss.seen} == {"PUT"}, "the role may only write"
    assert all(headers.get("x-oss-security-token") for _, _, headers in oss.seen)
