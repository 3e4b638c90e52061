"""The user data of a host on Alibaba Cloud: sound for cloud-init and systemd, as text within the limit, no secrets."""

import base64
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

from infra.service.configuration import ServiceAddresses, configure_service, name_secrets
from infra.service.delivery import InvalidDelivery, Release
from infra.service.dumps import write_dump_variables
from infra.service.host_start import HostDelivery, write_host_user_data
from infra.service.machine import (
    ALICLOUD_PLACES,
    ASK_ALICLOUD,
    COLLECTOR_IDENTITY,
    MACHINES,
    MONITOR_VERSION,
    UnknownMachine,
    list_devices,
    name_installers,
    write_places,
)
from infra.service.machine_files import INSTALL_AGENTS
from infra.service.rendering import UserDataTooLong, encode_user_data
from infra.service.upkeep import (
    MOST_COMMAND_BYTES,
    ChangeTooLong,
    write_arguments,
    write_change_command,
    write_change_parameters,
)
from infra.tables import read_table
from tests.infra.service.machine.host import read_content
from tests.infra.service.plans import PERSONAL, TEAM, plan_region
from tests.infra.service.test_host_start import CLOUD_INIT_SCHEMAS

RELEASE = Release(
    version="0.1.0",
    wheel_url="oss://releases/0.1.0-0123456789ab/reme_cloud-0.1.0-py3-none-any.whl",
    wheel_sha256="a" * 64,
    requirements_url="oss://releases/0.1.0-ba9876543210/requirements.lock",
)
SMALL = {**PERSONAL, "clouds": ["alicloud"]}
LARGE = {**TEAM, "clouds": ["alicloud"]}
ABROAD = {**SMALL, "regions": [{"cloud": "alicloud", "region": "ap-southeast-1"}]}
PROGRAMS = re.compile(
    r"(/usr/local/libexec/reme/\S+|/opt/reme/\w+/bin/\w+|/usr/s?bin/(docker|apt-get|unattended-upgrade|xfs_growfs))"
)


def name_arn(secret: str) -> str:
    return f"acs:oos:cn-beijing:1234567890123456:secretparameter/reme-cloud/alicloud-dev/{secret}"


def deliver(workload: Mapping[str, object], **more: Any) -> HostDelivery:
    plan = plan_region(**workload)
    return HostDelivery(
        plan=plan,
        arguments_url="oss://releases/host/arguments",
        secret_sources={name: name_arn(name) for name in name_secrets(plan)},
        volume_id="d-2ze0abc",
        **more,
    )


def deliver_everything() -> HostDelivery:
    """The team's host with all that may stand beside the service."""
    return deliver(
        LARGE,
        domain="memory.example.com",
        email="ops@example.com",
        proxy_image=f"caddy@sha256:{'1' * 64}",
        vector_image=f"qdrant/qdrant@sha256:{'2' * 64}",
        machine_group="alicloud-team-logs",
    )


def read_files(user_data: str) -> dict[str, str]:
    return {file["path"]: read_content(file) for file in yaml.safe_load(user_data)["write_files"]}


@pytest.mark.parametrize("delivery", [deliver(SMALL), deliver_everything()], ids=["small", "everything"])
def test_cloud_init_accepts_it(delivery: HostDelivery) -> None:
    found = [path for path in CLOUD_INIT_SCHEMAS if path and Path(path).is_file()]
    if not found:
        pytest.skip("cloud-init's schema is not here: apt-get install cloud-init, or name it by CLOUD_INIT_SCHEMA")
    text = write_host_user_data(delivery)
    assert text.startswith("#cloud-config\n")
    schema = json.loads(Path(found[0]).read_text(encoding="utf-8"))
    jsonschema.Draft4Validator(schema).validate(yaml.safe_load(text))


def test_it_is_text_that_fits_and_is_the_same_each_time() -> None:
    text = write_host_user_data(deliver_everything())
    encoded = encode_user_data(text, "alicloud")
    assert encoded == encode_user_data(write_host_user_data(deliver_everything()), "alicloud")
    # the user guide has a gzip only behind a link
    assert base64.b64decode(encoded).decode("ascii") == text
    most = MACHINES["alicloud"].most_user_data_bytes
    assert len(text) < 0.8 * most
    with pytest.raises(UserDataTooLong, match="a machine takes 32768"):
        encode_user_data(os.urandom(most).hex(), "alicloud")


def test_every_machine_has_what_the_scripts_call() -> None:
    document = yaml.safe_load(write_host_user_data(deliver_everything()))
    assert {"python3.12", "python3.12-venv", "xfsprogs", "curl", "docker.io"} <= set(document["packages"])
    files = read_files(write_host_user_data(deliver_everything()))
    assert json.loads(files[ALICLOUD_PLACES]) == write_places("cn-beijing")
    for path in ("/usr/local/sbin/reme-install", "/usr/local/sbin/reme-first-start"):
        assert f"{ASK_ALICLOUD} copy" in files[path]
    # the preparation asks AWS where a setting says so, which none does here
    files.pop("/usr/local/libexec/reme/prepare.py")
    assert not [path for path, text in files.items() if re.search(r"\baws |s3://|secretsmanager|dnf", text)]


def test_secrets_are_named_by_their_addresses_alone() -> None:
    files = read_files(write_host_user_data(deliver_everything()))
    assert json.loads(files["/etc/reme/qdrant.secrets.json"]) == {"QDRANT__SERVICE__API_KEY": name_arn("qdrant")}


@pytest.mark.parametrize("name", ["reme", "reme-trial", "reme-dumps", "qdrant", "caddy", "reme-updates"])
def test_systemd_accepts_the_units(name: str, tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not here: apt-get install systemd")
    for path, text in read_files(write_host_user_data(deliver_everything())).items():
        if path.startswith("/etc/systemd/system/"):
            (tmp_path / Path(path).name).write_text(PROGRAMS.sub("/bin/true", text), encoding="utf-8")
    (tmp_path / "docker.service").write_text("[Service]\nExecStart=/bin/true\n", encoding="utf-8")
    done = subprocess.run(
        [program, "verify", "--man=no", str(tmp_path / f"{name}.service")], capture_output=True, text=True, check=False
    )
    assert [line for line in done.stderr.splitlines() if str(tmp_path) in line or f"{name}." in line] == []


def test_packages_of_python_come_from_the_index_that_is_named() -> None:
    named = replace(deliver(SMALL), package_index="https://packages.example.com/simple/")
    assert "https://packages.example.com/simple/" in read_files(write_host_user_data(named))["/etc/pip.conf"]
    for plan in (SMALL, ABROAD):
        assert "/etc/pip.conf" not in read_files(write_host_user_data(deliver(plan)))


def test_agents_of_the_cloud_are_installed_by_their_own_installers(tmp_path: Path) -> None:
    text = write_host_user_data(deliver_everything())
    files = read_files(text)
    assert files["/etc/ilogtail/user_defined_id"] == "alicloud-team-logs\n"
    assert yaml.safe_load(text)["runcmd"] == [["/usr/local/sbin/reme-first-start"], [INSTALL_AGENTS]]
    # an installer that fails is told and does not keep the other from being run
    fake = '#!/bin/bash\n[[ $* != *loongcollector* ]] || exit 22\necho "echo version $ARGUS_VERSION" >"${@: -2:1}"\n'
    (tmp_path / "curl").write_text(fake, encoding="utf-8")
    (tmp_path / "curl").chmod(0o755)
    script = files[INSTALL_AGENTS].replace("/var/log/reme/reme.log", str(tmp_path / "log"))
    path = f"{tmp_path}:{os.environ['PATH']}"
    command = [str(shutil.which("bash")), "-c", script]
    done = subprocess.run(command, env={"PATH": path}, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (1, f"version {MONITOR_VERSION}\n")
    assert (tmp_path / "log").read_text(encoding="utf-8") == "install-agents: loongcollector.sh failed\n"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"volume_id": "vol-0abc"}, "volume_id is 'vol-0abc'; valid: .*d-2ze"),
        ({"arguments_url": "s3://releases/host/arguments"}, "begins with oss://"),
        ({"agent_configuration": "{}"}, "agent_configuration is '…'"),
    ],
)
def test_what_is_of_another_cloud_is_refused(change: Mapping[str, Any], words: str) -> None:
    with pytest.raises(InvalidDelivery, match=words):
        write_host_user_data(replace(deliver_everything(), **change))


def test_a_cloud_without_machines_is_refused() -> None:
    with pytest.raises(UnknownMachine, match="'gcp' are not known; known: aws, alicloud"):
        encode_user_data("", "gcp")


def test_a_dump_is_sent_inside_the_cloud_with_the_role_s_keys() -> None:
    told = write_dump_variables({"dumps": "d", "archive": "a"}, region="cn-beijing", cloud="alicloud")
    assert told == {
        "DUMPS_URL": "oss://d/reme",
        "ARCHIVE_URL": "oss://a/reme",
        "REME_STORAGE__REGION": "cn-beijing",
        "REME_STORAGE__ENDPOINT": "https://oss-cn-beijing-internal.aliyuncs.com",
    }
    unit = read_files(write_host_user_data(deliver(SMALL)))["/etc/systemd/system/reme-dumps.service"]
    assert "\nEnvironmentFile=-/run/reme-dumps/credentials\n" in unit
    assert f"\nExecStartPre=+{ASK_ALICLOUD} credentials /run/reme-dumps/credentials reme\n" in unit


def describe_change(**settings: str) -> dict[str, str]:
    plan = plan_region(**SMALL)
    sources = {name: name_arn(name) for name in name_secrets(plan)}
    configured = configure_service(plan, ServiceAddresses(), overrides=settings)
    return write_change_parameters(RELEASE, configured, sources, cloud="alicloud")


def test_the_command_takes_a_release_and_settings_and_no_other_command() -> None:
    lines = base64.b64decode(write_change_command()).decode().splitlines()
    parameters = describe_change()
    assert lines[1].startswith("cloud-init status --wait")
    words = shlex.split(lines[2])
    assert words == ["exec", "/usr/local/sbin/reme-install", *(f"{{{{{name}}}}}" for name in parameters)]
    assert not [value for value in parameters.values() if re.search(r"['\s]", value)]
    assert write_arguments(parameters).splitlines() == list(parameters.values())
    assert json.loads(base64.b64decode(parameters["Secrets"]))["ADMIN_KEY"] == name_arn("admin")


def test_what_cloud_assistant_would_refuse_is_refused_first() -> None:
    describe_change(**{"log.mask": "x" * 3_000})
    with pytest.raises(ChangeTooLong, match=r"Cloud Assistant takes 16384: shorten reme-cloud:service\.settings"):
        describe_change(**{"log.mask": "x" * 8_000})


def test_limits_and_links_are_those_of_the_documentation() -> None:
    rows = read_table("alicloud_facts_host.csv")
    known = {(row["kind"], row["value"]) for row in rows}
    assert ("user data limit bytes", str(MACHINES["alicloud"].most_user_data_bytes)) in known
    assert ("command limit bytes", str(MOST_COMMAND_BYTES)) in known
    assert ("metadata address", write_places("cn-beijing")["metadata"]) in known
    assert ("collector identity", COLLECTOR_IDENTITY) in known
    installers = name_installers("cn-beijing")
    assert ("collector installer", installers["collector_url"]) in known
    assert ("monitor installer", installers["monitor_url"]) in known
    for device in list_devices("alicloud", "d-2ze0abc"):
        assert ("disk link", device.removesuffix("2ze0abc")) in known
    assert len(describe_change()) <= int(
        next(row["value"] for row in rows if row["kind"] == "command parameters limit")
    )
