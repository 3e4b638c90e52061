"""A host's user data carried out on a machine: it starts the service, keeps its memories, gives up a broken release."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import yaml

from infra.service.configuration import ServiceAddresses, configure_service
from infra.service.host_start import HostDelivery, name_device, write_host_user_data
from infra.service.upkeep import encode_settings
from tests.infra.service.machine.host import Host, boot, lacking
from tests.infra.service.machine.releases import Bucket
from tests.infra.service.plans import PERSONAL, plan_region

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("host")]

ADMIN_KEY = "rk_00112233445566778899aabbccddeeff"
DEVICE = name_device("vol-0abc")
PROVIDER_KEY = "sk-\"double\"$HOME`id`\\'single'"
SECRETS = {name: f"arn:aws:secretsmanager:us-east-1:123456789012:secret:{name}-AbCdEf" for name in ("admin", "llm")}
NOBODY = "http://127.0.0.1:9/v1"
"""A provider that does not answer: rules and keywords do."""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    if reason := lacking():
        pytest.skip(reason)
    with boot(tmp_path_factory.mktemp("host")) as machine:
        machine.put_secrets({SECRETS["admin"]: ADMIN_KEY, SECRETS["llm"]: PROVIDER_KEY})
        yield machine


@pytest.fixture(scope="module")
def bucket(host: Host) -> Bucket:
    return Bucket(host.root / "srv" / "releases")


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    from tests.servers.ports import PortLease

    lease = PortLease()
    yield lease.number
    lease.close()


@pytest.fixture(scope="module")
def delivery(bucket: Bucket, port: int) -> HostDelivery:
    plan = plan_region(**PERSONAL)
    plan = replace(plan, balancer=replace(plan.balancer, target_port=port))
    overrides = {"embedding.api_base": NOBODY, "llm.default.api_base": NOBODY}
    return HostDelivery(
        plan=plan,
        settings=configure_service(plan, ServiceAddresses(), overrides=overrides),
        secret_sources=SECRETS,
        release=bucket.publish("0.1.0"),
        volume_id="vol-0abc",
    )


@pytest.fixture(scope="module")
def started(host: Host, delivery: HostDelivery) -> Host:
    done = host.carry_out(write_host_user_data(delivery))
    assert done.returncode == 0, done.stdout + done.stderr + host.read_log("reme-trial") + host.read_log()
    assert "version 0.1.0 runs" in done.stdout
    return host


def ask(port: int, method: str, path: str, body: object = None) -> httpx.Response:
    address = f"http://127.0.0.1:{port}{path}"
    return httpx.request(method, address, json=body, headers={"X-API-Key": ADMIN_KEY}, timeout=60)


def remember(port: int, text: str) -> None:
    kept = ask(port, "POST", "/v1/workspaces/demo/memories", {"type": "personal", "content": text})
    assert kept.status_code == 201, kept.text


def recall(port: int, words: str) -> list[str]:
    found = ask(port, "POST", "/v1/workspaces/demo/search", {"query": words})
    assert found.status_code == 200, found.text
    return [hit["memory"]["content"] for hit in found.json()["hits"]]


def current(host: Host) -> str:
    return host.run("readlink", "/opt/reme/current").stdout.strip().rpartition("/")[2].partition("-")[0]


def test_it_answers_as_its_own_user_to_the_administrator_s_key(started: Host, port: int) -> None:
    assert ask(port, "GET", "/health").json() == {"status": "healthy"}
    assert httpx.get(f"http://127.0.0.1:{port}/v1/workspaces").status_code == 401
    assert ask(port, "GET", "/v1/workspaces").status_code == 200
    process = started.run("cat", "/run/fake/reme").stdout
    assert started.run("stat", "--format=%U", f"/proc/{process}").stdout == "reme\n"
    assert "config" not in started.read_log()


def test_secrets_lie_in_a_file_of_the_service_and_nowhere_else(started: Host) -> None:
    assert started.run("stat", "--format=%U %a", "/run/reme/secrets").stdout == "reme 400\n"
    written = started.run("grep", "--recursive", "--files-with-matches", ADMIN_KEY, "/etc/reme", "/opt/reme", "/var")
    assert written.stdout == ""
    process = started.run("cat", "/run/fake/reme").stdout
    environment = started.run("cat", f"/proc/{process}/environ").stdout.split("\0")
    assert f"REME_LLM__DEFAULT__API_KEY={PROVIDER_KEY}" in environment
    assert not [pair for pair in environment if pair.startswith("ADMIN_KEY=")]


def test_the_data_volume_is_formatted_once(started: Host, delivery: HostDelivery, port: int) -> None:
    remember(port, "Ada is allergic to peanuts")
    assert started.run("mountpoint", "/var/lib/reme").returncode == 0
    again = started.carry_out(write_host_user_data(delivery))
    assert again.returncode == 0, again.stderr
    assert started.run("cat", "/etc/fake/formatted").stdout.count("\n") == 1
    assert started.run("grep", "--count", "/var/lib/reme", "/etc/fstab").stdout == "1\n"
    assert recall(port, "peanuts") == ["Ada is allergic to peanuts"]


def configure(host: Host, delivery: HostDelivery, **changed: str) -> "subprocess.CompletedProcess[str]":
    settings = replace(delivery.settings, environment={**delivery.settings.environment, **changed})
    return host.run("/usr/local/sbin/reme-configure", *encode_settings(settings, delivery.secret_sources).values())


def test_other_settings_come_into_force_or_the_former_come_back(
    started: Host, delivery: HostDelivery, port: int
) -> None:
    def read_level() -> str:
        process = started.run("cat", "/run/fake/reme").stdout
        pairs = started.run("cat", f"/proc/{process}/environ").stdout.split("\0")
        return next(pair for pair in pairs if pair.startswith("REME_LOG__LEVEL="))

    done = configure(started, delivery, REME_LOG__LEVEL="WARNING")
    assert done.returncode == 0, done.stdout + done.stderr
    assert read_level() == "REME_LOG__LEVEL=WARNING"
    assert "nothing changed" in configure(started, delivery, REME_LOG__LEVEL="WARNING").stdout
    done = configure(started, delivery, REME_LOG__LEVEL="ERROR", REME_HTTP__WORKERS="many")
    assert done.returncode == 1
    assert "the former ones come back" in done.stderr
    assert read_level() == "REME_LOG__LEVEL=WARNING"
    assert ask(port, "GET", "/health").status_code == 200


def test_a_new_release_keeps_the_memories(started: Host, bucket: Bucket, port: int) -> None:
    remember(port, "Grace writes compilers")
    done = started.run("/usr/local/sbin/reme-install", *bucket.publish("0.1.1").arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert current(started) == "0.1.1"
    assert recall(port, "compilers") == ["Grace writes compilers"]
    assert started.run("test", "-e", "/var/lib/reme/.before-upgrade").returncode == 1


def test_a_broken_release_is_given_up_and_the_store_is_as_before(started: Host, bucket: Bucket, port: int) -> None:
    before = current(started)
    remember(port, "Linus keeps a garden")
    done = started.run("/usr/local/sbin/reme-install", *bucket.publish("0.2.0", broken=True).arguments)
    assert done.returncode == 1, done.stdout
    assert "version 0.2.0 is unhealthy and was given up" in done.stderr
    assert "a broken release" in started.read_log("reme-trial")
    assert current(started) == before
    assert ask(port, "GET", "/health").status_code == 200
    assert recall(port, "garden") == ["Linus keeps a garden"]


def test_a_wheel_that_is_not_the_promised_one_is_not_installed(
    started: Host, delivery: HostDelivery, port: int
) -> None:
    other = replace(delivery.release, version="0.3.0", wheel_sha256="0" * 64)
    done = started.run("/usr/local/sbin/reme-install", *other.arguments)
    assert done.returncode == 1
    assert "nothing was changed" in done.stderr
    assert ask(port, "GET", "/health").status_code == 200


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("printf text >", "is not empty"),
        ("mkswap", "holds swap"),
        ("mkfs.ext4 -q", ""),
    ],
)
def test_a_volume_with_anything_on_it_is_not_formatted(
    delivery: HostDelivery, content: str, words: str, tmp_path: Path
) -> None:
    files = {file["path"]: file["content"] for file in yaml.safe_load(write_host_user_data(delivery))["write_files"]}
    script = "/usr/local/libexec/reme/mount-volume"
    with boot(tmp_path) as other:
        other.write(script, files[script], 0o755)
        assert other.run("sh", "-c", f"{content} {DEVICE}").returncode == 0
        done = other.run(script)
        assert other.run("test", "-e", "/etc/fake/formatted").returncode == 1
        assert (other.run("mountpoint", "/var/lib/reme").returncode == 0) == (not words)
        assert words in done.stderr
        assert (done.returncode == 0) == (not words)
