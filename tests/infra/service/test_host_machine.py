"""A host's user data carried out on a machine: it starts the service, keeps its memories, gives up a broken release."""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
import yaml

from infra.service.configuration import ServiceAddresses, ServiceSettings, configure_service
from infra.service.delivery import Release
from infra.service.dumps import STORE_LOCK
from infra.service.host_start import HostDelivery, write_host_user_data
from infra.service.machine import name_device
from infra.service.upkeep import write_arguments, write_change_document, write_change_parameters
from tests.infra.service.machine.host import Host, boot, lacking, share_machine
from tests.infra.service.machine.releases import Bucket
from tests.infra.service.plans import PERSONAL, plan_region
from tests.servers.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("host")]

ADMIN_KEY = "rk_00112233445566778899aabbccddeeff"
ARGUMENTS_URL = "s3://releases/arguments"
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
    with share_machine() as number:
        yield number


@dataclass(frozen=True)
class Stack:
    """What `pulumi up` makes of a stack's file, as far as it concerns the host."""

    user_data: str
    settings: ServiceSettings
    release: Release

    def describe_change(self, release: Release | None = None, **environment: str) -> dict[str, str]:
        """The parameters of the host's association, with another release or other settings in the stack's file."""
        settings = replace(self.settings, environment={**self.settings.environment, **environment})
        return write_change_parameters(release or self.release, settings, SECRETS)


@pytest.fixture(scope="module")
def stack(bucket: Bucket, port: int) -> Stack:
    plan = plan_region(**PERSONAL)
    plan = replace(plan, balancer=replace(plan.balancer, target_port=port))
    overrides = {"embedding.api_base": NOBODY, "llm.default.api_base": NOBODY}
    made = Stack(
        user_data=write_host_user_data(
            HostDelivery(plan=plan, arguments_url=ARGUMENTS_URL, secret_sources=SECRETS, volume_id="vol-0abc")
        ),
        settings=configure_service(plan, ServiceAddresses(), overrides=overrides),
        release=bucket.publish("0.1.0"),
    )
    bucket.put("arguments", write_arguments(made.describe_change()))
    return made


def change(host: Host, parameters: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    """Carry out the document as the agent of Systems Manager does: a script of its commands, parameters filled in."""
    document = json.loads(write_change_document())
    for name, described in document["parameters"].items():
        assert re.fullmatch(described["allowedPattern"], parameters[name])
    lines = "\n".join(document["mainSteps"][0]["inputs"]["runCommand"])
    return host.run("sh", "-c", re.sub(r"{{ (\w+) }}", lambda found: parameters[found[1]], lines))


@pytest.fixture(scope="module")
def booted(host: Host, stack: Stack) -> Mapping[str, "subprocess.CompletedProcess[str]"]:
    """A first start, and the association's, which begins as soon as the machine is known to Systems Manager."""
    with ThreadPoolExecutor() as pool:
        associated = pool.submit(change, host, stack.describe_change())
        start = host.carry_out(stack.user_data)
        return {"start": start, "association": associated.result()}


@pytest.fixture(scope="module")
def started(host: Host, booted: Mapping[str, "subprocess.CompletedProcess[str]"]) -> Host:
    done = booted["start"]
    assert done.returncode == 0, host.explain(done)
    assert "version 0.1.0 runs with these settings\n" in done.stdout
    return host


def test_the_association_of_a_new_host_waits_and_changes_nothing(
    started: Host, booted: Mapping[str, "subprocess.CompletedProcess[str]"]
) -> None:
    done = booted["association"]
    assert done.returncode == 0, started.explain(done)
    assert "nothing was changed" in done.stdout, started.explain(done)
    assert started.read_log().count("version 0.1.0 runs with these settings\n") == 1


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
    assert httpx.get(f"http://127.0.0.1:{port}/v1/workspaces", timeout=60).status_code == 401
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


def test_the_data_volume_is_formatted_once(started: Host, stack: Stack, port: int) -> None:
    remember(port, "Ada is allergic to peanuts")
    assert started.run("mountpoint", "/var/lib/reme").returncode == 0
    again = started.carry_out(stack.user_data)
    assert again.returncode == 0, started.explain(again)
    assert started.run("cat", "/etc/fake/formatted").stdout.count("\n") == 1
    assert started.run("grep", "--count", "/var/lib/reme", "/etc/fstab").stdout == "1\n"
    assert recall(port, "peanuts") == ["Ada is allergic to peanuts"]


def read_level(host: Host) -> str:
    process = host.run("cat", "/run/fake/reme").stdout
    pairs = host.run("cat", f"/proc/{process}/environ").stdout.split("\0")
    return next(pair.partition("=")[2] for pair in pairs if pair.startswith("REME_LOG__LEVEL="))


def test_other_settings_come_into_force_or_the_former_come_back(started: Host, stack: Stack, port: int) -> None:
    done = change(started, stack.describe_change(REME_LOG__LEVEL="WARNING"))
    assert done.returncode == 0, started.explain(done)
    assert read_level(started) == "WARNING"
    done = change(started, stack.describe_change(REME_LOG__LEVEL="WARNING"))
    assert "nothing was changed" in done.stdout, started.explain(done)
    done = change(started, stack.describe_change(REME_LOG__LEVEL="ERROR", REME_HTTP__WORKERS="many"))
    assert done.returncode == 1, started.explain(done)
    assert "unhealthy with these settings; both were given up" in done.stderr, started.explain(done)
    assert "both were given up" in started.read_log(), "what leaves the machine does not tell"
    assert read_level(started) == "WARNING"
    assert ask(port, "GET", "/health").status_code == 200
    assert started.run("sh", "-c", "ls /etc/reme").stdout.split() == ["environment", "secrets.json"]


def test_the_dump_that_its_timer_starts_is_whole(started: Host, stack: Stack, port: int) -> None:
    remember(port, "Edsger takes the shortest path")
    dumps = "/var/lib/reme/dumps"
    done = change(started, stack.describe_change(DUMPS_URL=dumps, REME_LOG__LEVEL="WARNING"))
    assert done.returncode == 0, started.explain(done)
    done = started.run("systemctl", "start", "reme-dumps")
    assert done.returncode == 0, started.explain(done)
    reme = "/opt/reme/current/bin/reme"
    verified = started.run(reme, "backup", dumps, "--verify", "--scratch", "/run/scratch")
    assert verified.returncode == 0, verified.stderr
    restored = started.run(reme, "restore", dumps, "--working-dir", "/run/restored")
    assert restored.returncode == 0, restored.stderr
    found = started.run("stat", "--format=%U %a", f"{dumps}/backups").stdout
    assert found == "reme 700\n"


def test_a_change_waits_for_a_dump(started: Host, stack: Stack, port: int) -> None:
    """A dump reads files that the change of a release may put back."""
    unit = started.run("cat", "/etc/systemd/system/reme-dumps.service").stdout
    assert f"ExecStart=/usr/bin/flock --shared {STORE_LOCK} " in unit
    begun = started.read_log().count("waiting for the dump")
    dumping = ("flock", "--shared", STORE_LOCK, "sh", "-c", "until [ -e /run/dumped ]; do sleep 0.1; done")
    with ThreadPoolExecutor() as pool:
        dump = pool.submit(started.run, *dumping)
        try:
            wait_until(lambda: started.run("flock", "--nonblock", STORE_LOCK, "true").returncode == 1, "the dump")
            changed = pool.submit(change, started, stack.describe_change(REME_LOG__LEVEL="INFO"))
            wait_until(lambda: started.read_log().count("waiting for the dump") > begun, "the change")
            assert ask(port, "GET", "/health").status_code == 200
            assert read_level(started) == "WARNING"
        finally:
            started.write("/run/dumped", "")
        assert dump.result().returncode == 0
        done = changed.result()
    assert done.returncode == 0, started.explain(done)
    assert read_level(started) == "INFO"


def test_a_new_release_keeps_the_memories(started: Host, stack: Stack, bucket: Bucket, port: int) -> None:
    remember(port, "Grace writes compilers")
    done = change(started, stack.describe_change(bucket.publish("0.1.1"), REME_LOG__LEVEL="DEBUG"))
    assert done.returncode == 0, started.explain(done)
    assert (current(started), read_level(started)) == ("0.1.1", "DEBUG")
    assert recall(port, "compilers") == ["Grace writes compilers"]
    assert started.run("test", "-e", "/var/lib/reme/.before-upgrade").returncode == 1


def test_a_broken_release_is_given_up_and_all_is_as_before(
    started: Host, stack: Stack, bucket: Bucket, port: int
) -> None:
    before = current(started), read_level(started)
    remember(port, "Linus keeps a garden")
    done = change(started, stack.describe_change(bucket.publish("0.2.0", broken=True), REME_LOG__LEVEL="ERROR"))
    assert done.returncode == 1, started.explain(done)
    assert "version 0.2.0 is unhealthy with these settings; both were given up" in done.stderr, started.explain(done)
    assert "a broken release" in started.read_log("reme-trial"), started.explain(done)
    assert (current(started), read_level(started)) == before
    assert ask(port, "GET", "/health").status_code == 200
    assert recall(port, "garden") == ["Linus keeps a garden"]


def test_a_wheel_that_is_not_the_promised_one_is_not_installed(started: Host, stack: Stack, port: int) -> None:
    done = change(started, stack.describe_change(replace(stack.release, version="0.3.0", wheel_sha256="0" * 64)))
    assert done.returncode == 1, started.explain(done)
    assert "nothing was changed" in done.stderr, started.explain(done)
    assert ask(port, "GET", "/health").status_code == 200


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("printf text >", "is not empty"),
        ("mkswap", "holds swap"),
        ("mkfs.ext4 -q", ""),
    ],
)
def test_a_volume_with_anything_on_it_is_not_formatted(stack: Stack, content: str, words: str, tmp_path: Path) -> None:
    files = {file["path"]: file["content"] for file in yaml.safe_load(stack.user_data)["write_files"]}
    script = "/usr/local/libexec/reme/mount-volume"
    with boot(tmp_path) as other:
        other.write(script, files[script], 0o755)
        assert other.run("sh", "-c", f"{content} {DEVICE}").returncode == 0
        done = other.run(script)
        assert other.run("test", "-e", "/etc/fake/formatted").returncode == 1
        assert (other.run("mountpoint", "/var/lib/reme").returncode == 0) == (not words)
        assert words in done.stderr
        assert (done.returncode == 0) == (not words)
