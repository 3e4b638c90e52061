"""A host's user data: sound for cloud-init and systemd, without secrets, and refused where something is missing."""

import base64
import gzip
import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from infra.service.configuration import configure_service, name_secrets
from infra.service.delivery import InvalidDelivery, MissingSecret, Release, list_secret_arns
from infra.service.host_start import HostDelivery, write_host_user_data
from infra.service.machine import MACHINES
from infra.service.rendering import UserDataTooLong, encode_user_data, write_environment
from infra.service.upkeep import ChangeTooLong, write_arguments, write_change_document, write_change_parameters
from tests.infra.service.plans import ADDRESSES, PERSONAL, TEAM, plan_region

ROOT = Path(__file__).parents[3]
SCHEMA_PATH = "usr/lib/python3/dist-packages/cloudinit/config/schemas/schema-cloud-config-v1.json"
CLOUD_INIT_SCHEMAS = (
    str(ROOT / ".envs" / "cloud-init" / SCHEMA_PATH),
    f"/{SCHEMA_PATH}",
    os.environ.get("CLOUD_INIT_SCHEMA", ""),
)
"""Where tools/install-pulumi.sh and Debian's package cloud-init have it; or a file of one's choice."""
MOST_USER_DATA_BYTES = MACHINES["aws"].most_user_data_bytes
RELEASE = Release(
    version="0.1.0",
    wheel_url="s3://releases/reme_cloud-0.1.0-py3-none-any.whl",
    wheel_sha256="a" * 64,
    requirements_url="s3://releases/requirements.lock",
)


def name_arn(secret: str) -> str:
    return f"arn:aws:secretsmanager:us-east-1:123456789012:secret:{secret}-AbCdEf"


def deliver(workload: Mapping[str, object], **more: Any) -> HostDelivery:
    plan = plan_region(**workload)
    return HostDelivery(
        plan=plan,
        arguments_url="s3://releases/host/arguments",
        secret_sources={name: name_arn(name) for name in name_secrets(plan)},
        volume_id="vol-0abc",
        **more,
    )


def deliver_everything() -> HostDelivery:
    """The team's host with all that may stand beside the service."""
    return deliver(
        TEAM,
        domain="memory.example.com",
        email="ops@example.com",
        proxy_image=f"caddy@sha256:{'1' * 64}",
        vector_image=f"qdrant/qdrant@sha256:{'2' * 64}",
        agent_configuration=json.dumps({"agent": {}}),
    )


def read_files(user_data: str) -> dict[str, str]:
    return {file["path"]: file["content"] for file in yaml.safe_load(user_data)["write_files"]}


@pytest.mark.parametrize("delivery", [deliver(PERSONAL), deliver_everything()], ids=["personal", "team"])
def test_cloud_init_accepts_it(delivery: HostDelivery) -> None:
    found = [path for path in CLOUD_INIT_SCHEMAS if path and Path(path).is_file()]
    if not found:
        pytest.skip("cloud-init's schema is not here: apt-get install cloud-init, or name it by CLOUD_INIT_SCHEMA")
    text = write_host_user_data(delivery)
    assert text.startswith("#cloud-config\n")
    schema = json.loads(Path(found[0]).read_text(encoding="utf-8"))
    jsonschema.Draft4Validator(schema).validate(yaml.safe_load(text))


def test_it_fits_and_is_the_same_each_time() -> None:
    text = write_host_user_data(deliver_everything())
    packed = encode_user_data(text)
    assert packed == encode_user_data(write_host_user_data(deliver_everything()))
    assert gzip.decompress(base64.b64decode(packed)).decode() == text
    assert len(base64.b64decode(packed)) < 0.75 * MOST_USER_DATA_BYTES
    with pytest.raises(UserDataTooLong, match="16384"):
        encode_user_data(os.urandom(MOST_USER_DATA_BYTES).hex())


def test_secrets_are_named_by_their_addresses_alone() -> None:
    files = read_files(write_host_user_data(deliver_everything()))
    assert json.loads(files["/etc/reme/qdrant.secrets.json"]) == {"QDRANT__SERVICE__API_KEY": name_arn("qdrant")}
    assert "/etc/reme/secrets.json" not in files


@pytest.mark.parametrize("name", ["reme", "reme-trial", "qdrant", "caddy", "reme-updates"])
def test_systemd_accepts_the_units(name: str, tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not here: apt-get install systemd")
    # Programs of a host are not here; whether they are is not the question.
    there = re.compile(
        r"(/usr/local/libexec/reme/fetch-secrets|/opt/reme/\w+/bin/python|/usr/s?bin/(docker|dnf|systemctl|xfs_growfs))"
    )
    for path, text in read_files(write_host_user_data(deliver_everything())).items():
        if path.startswith("/etc/systemd/system/"):
            (tmp_path / Path(path).name).write_text(there.sub("/bin/true", text), encoding="utf-8")
    (tmp_path / "docker.service").write_text("[Service]\nExecStart=/bin/true\n", encoding="utf-8")
    done = subprocess.run(
        [program, "verify", "--man=no", str(tmp_path / f"{name}.service")], capture_output=True, text=True, check=False
    )
    complaints = [line for line in done.stderr.splitlines() if str(tmp_path) in line or f"{name}." in line]
    assert complaints == []


def test_the_unit_is_fenced_in() -> None:
    unit = read_files(write_host_user_data(deliver(PERSONAL)))["/etc/systemd/system/reme.service"]
    for line in (
        "User=reme",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "ReadWritePaths=/var/lib/reme",
        "CapabilityBoundingSet=",
        "PrivateDevices=yes",
        "SystemCallFilter=@system-service",
    ):
        assert f"\n{line}\n" in unit


def test_servers_beside_the_service_are_reached_from_the_host_alone() -> None:
    delivery = deliver_everything()
    unit = read_files(write_host_user_data(delivery))["/etc/systemd/system/qdrant.service"]
    assert "--publish 127.0.0.1:6333:6333" in unit
    assert f"--memory {500 + round(delivery.plan.vector_store.memory_needed_gb * 1000)}m" in unit
    assert f"qdrant/qdrant@sha256:{'2' * 64}" in unit
    chroma = deliver(
        {**TEAM, "overrides": {"vector_store": "chromadb"}}, vector_image=f"chromadb/chroma@sha256:{'3' * 64}"
    )
    assert "127.0.0.1:8000:8000" in read_files(write_host_user_data(chroma))["/etc/systemd/system/chromadb.service"]


def test_without_a_domain_nothing_answers_from_outside() -> None:
    files = read_files(write_host_user_data(deliver(PERSONAL)))
    assert not [path for path in files if "caddy" in path.lower()]
    environment = write_environment(configure_service(plan_region(**PERSONAL), ADDRESSES))
    assert 'REME_HTTP__HOST="127.0.0.1"' in environment


def test_the_proxy_does_not_show_the_figures() -> None:
    text = read_files(write_host_user_data(deliver_everything()))["/etc/reme/Caddyfile"]
    assert "memory.example.com {" in text
    assert "respond @figures 404" in text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"volume_id": "sdf"}, "volume_id is 'sdf'"),
        ({"arguments_url": "arguments"}, "arguments_url is 'arguments'"),
        ({"vector_image": "qdrant/qdrant:v1.15"}, "vector_image is .*by its digest"),
        ({"proxy_image": ""}, "proxy_image is ''"),
    ],
)
def test_what_cannot_be_delivered_is_refused(change: Mapping[str, Any], words: str) -> None:
    with pytest.raises(InvalidDelivery, match=words):
        write_host_user_data(replace(deliver_everything(), **change))


@pytest.mark.parametrize(
    "change",
    [
        {"version": "1 0"},
        {"wheel_sha256": "a"},
        {"wheel_url": "http://example.com/a.whl"},
        {"wheel_url": "s3://b/a.tar"},
        {"requirements_url": "requirements.lock"},
    ],
)
def test_a_release_that_could_not_be_installed_is_refused(change: Mapping[str, Any]) -> None:
    with pytest.raises(InvalidDelivery, match=f"{next(iter(change))} is"):
        replace(RELEASE, **change)


def test_a_missing_secret_of_a_server_is_named() -> None:
    with pytest.raises(MissingSecret, match="'qdrant'"):
        write_host_user_data(replace(deliver_everything(), secret_sources={"admin": name_arn("admin")}))


def test_the_role_reads_whole_secrets() -> None:
    assert list_secret_arns([f"{name_arn('a')}:password::", name_arn("a"), name_arn("b")]) == (
        name_arn("a"),
        name_arn("b"),
    )


def describe_change(**settings: str) -> dict[str, str]:
    """What a host of the team is told, with settings over the plan's."""
    plan = plan_region(**TEAM)
    sources = {name: name_arn(name) for name in name_secrets(plan)}
    return write_change_parameters(RELEASE, configure_service(plan, ADDRESSES, overrides=settings), sources)


def test_the_document_takes_a_release_and_settings_and_no_other_command() -> None:
    document = json.loads(write_change_document())
    patterns = {name: value["allowedPattern"] for name, value in document["parameters"].items()}
    parameters = describe_change()
    assert patterns.keys() == parameters.keys()
    for name, pattern in patterns.items():
        assert re.fullmatch(pattern, parameters[name])
        assert not re.fullmatch(pattern, f"{parameters[name]}'; reboot; '")
    waiting, command = document["mainSteps"][0]["inputs"]["runCommand"]
    assert waiting.startswith("cloud-init status --wait")
    assert shlex.split(command) == ["/usr/local/sbin/reme-install", *(f"{{{{ {name} }}}}" for name in parameters)]


def test_a_change_has_settings_and_the_addresses_of_secrets_and_no_secret() -> None:
    parameters = describe_change(**{"log.level": "WARNING"})
    assert tuple(parameters.values())[:4] == RELEASE.arguments
    environment = base64.b64decode(parameters["Environment"]).decode()
    assert 'REME_LOG__LEVEL="WARNING"' in environment
    assert not [line for line in environment.splitlines() if "PASSWORD" in line or "API_KEY" in line]
    sources = json.loads(base64.b64decode(parameters["Secrets"]))
    assert sources["PGPASSWORD"] == name_arn("database")
    assert sources["ADMIN_KEY"] == name_arn("admin")


def test_a_new_host_reads_what_a_running_one_is_told() -> None:
    parameters = describe_change()
    assert write_arguments(parameters).splitlines() == list(parameters.values())


def test_what_systems_manager_would_refuse_is_refused_first() -> None:
    describe_change(**{"log.mask": "x" * 40_000})
    with pytest.raises(ChangeTooLong, match=r"Systems Manager takes 65536: shorten reme-cloud:service\.settings"):
        describe_change(**{"log.mask": "x" * 50_000})


def test_a_missing_secret_is_named() -> None:
    settings = configure_service(plan_region(**PERSONAL), ADDRESSES)
    with pytest.raises(MissingSecret, match="'llm'"):
        write_change_parameters(RELEASE, settings, {"admin": name_arn("admin")})
