"""User data of Qdrant's nodes on Alibaba Cloud: certificates by encrypted parameters, snapshots to OSS, nothing of AWS."""

import json
import os
import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from threading import Timer
from typing import Any

import pytest
import yaml

from infra.datadog import MachineAgent
from infra.facts import QDRANT_PORT
from infra.service.delivery import InvalidDelivery
from infra.service.machine import ALICLOUD_PLACES, ASK_ALICLOUD, UNWRITTEN, write_places
from infra.service.machine_files import INSTALL_AGENTS, write_secrets_fetcher
from infra.service.qdrant_start import FOLDER, QdrantNode, write_node_user_data
from infra.service.rendering import encode_user_data
from tests.infra.service.machine.alicloud import AlicloudServices, run_services
from tests.infra.service.machine.host import read_content
from tests.infra.service.plans import COMPANY, plan_region
from tests.infra.service.test_alicloud_start import PROGRAMS
from tests.infra.service.test_snapshots import KEY, NODE, Qdrant, qdrant

__all__ = ["qdrant"]

PREFIX = "acs:oos:cn-beijing:1234567890123456:secretparameter/"
STACK = "reme-cloud/alicloud-prod"
CERTIFICATE, AUTHORITY_KEY = f"{STACK}/vector-authority-certificate", f"{STACK}/vector-authority-key"
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="the certificate is given to a user of its own, as root may do")
OPENSSL = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is missing")
ME = pwd.getpwuid(os.getuid()).pw_name


def place_node(number: int) -> QdrantNode:
    return QdrantNode(
        cloud="alicloud",
        spec=plan_region(**COMPANY, clouds=["alicloud"]).vector_store,
        number=number,
        name=f"qdrant-{number}.reme.internal",
        first_name="qdrant-1.reme.internal",
        cluster_name="qdrant.reme.internal",
        address=f"10.20.64.{number}",
        region="cn-beijing",
        memory_gb=8,
        image=f"mirror.example.com/qdrant/qdrant@sha256:{'2' * 64}",
        volume_id="d-2ze0abc",
        key_source=f"{PREFIX}{STACK}/qdrant",
        authority_certificate_arn=PREFIX + CERTIFICATE,
        authority_key_arn=PREFIX + AUTHORITY_KEY,
        bucket="dumps",
        monitored=True,
    )


def read_files(node: QdrantNode) -> dict[str, str]:
    document = yaml.safe_load(write_node_user_data(node))
    return {file["path"]: read_content(file) for file in document["write_files"]}


@pytest.fixture
def services() -> Iterator[AlicloudServices]:
    with run_services() as running:
        running.secrets |= {CERTIFICATE: UNWRITTEN, AUTHORITY_KEY: UNWRITTEN}
        running.oss.new_bucket("dumps")
        yield running


def put_program(services: AlicloudServices, folder: Path) -> Path:
    """The program that asks, as a node has it, with the addresses of the services here."""
    program, places = folder / "alicloud", folder / "places.json"
    text = read_files(place_node(1))[ASK_ALICLOUD]
    assert ALICLOUD_PLACES in text
    text = text.replace(ALICLOUD_PLACES, str(places)).replace("time.sleep(2**attempt)", "time.sleep(0.01)")
    program.write_text(text, encoding="utf-8")
    program.chmod(0o755)
    places.write_text(json.dumps(services.places), encoding="utf-8")
    return program


def run_script(text: str, program: Path, *replaced: tuple[str, str]) -> "subprocess.CompletedProcess[str]":
    for there, here in ((ASK_ALICLOUD, str(program)), *replaced):
        assert there in text, there
        text = text.replace(there, here)
    command = [str(shutil.which("bash")), "-c", text]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def make_certificate(number: int, folder: Path, program: Path) -> "subprocess.CompletedProcess[str]":
    folder.mkdir(exist_ok=True)
    script = read_files(place_node(number))["/usr/local/libexec/reme/make-certificate"]
    return run_script(
        script.replace("seq 180", "seq 2").replace("sleep 5", "sleep 0.01"), program, (FOLDER, str(folder))
    )


@ROOT
@OPENSSL
@pytest.mark.slow
def test_nodes_have_certificates_of_one_authority_that_the_first_makes(
    services: AlicloudServices, tmp_path: Path
) -> None:
    program, folders = put_program(services, tmp_path), {number: tmp_path / f"node-{number}" for number in (1, 2)}
    early = make_certificate(2, folders[2], program)
    assert (early.returncode, services.secrets[CERTIFICATE]) == (1, UNWRITTEN), "only the first makes an authority"
    assert "the first node has made no authority yet" in early.stderr
    for number, folder in folders.items():
        done = make_certificate(number, folder, program)
        assert done.returncode == 0, done.stderr
    authority = tmp_path / "authority.pem"
    authority.write_text(services.secrets[CERTIFICATE], encoding="utf-8")
    for number, folder in folders.items():
        assert (folder / "tls/authority.pem").read_text(encoding="utf-8") == services.secrets[CERTIFICATE]
        name = f"qdrant-{number}.reme.internal"
        command = [str(shutil.which("openssl")), "verify", "-CAfile", str(authority), "-verify_hostname", name]
        done = subprocess.run([*command, str(folder / "tls/node.pem")], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    kept = dict(services.secrets)
    assert make_certificate(1, folders[1], program).returncode == 0
    assert services.secrets == kept, "a new authority must not replace the old one"


@ROOT
@OPENSSL
@pytest.mark.slow
def test_a_refusal_is_not_taken_for_a_cluster_without_an_authority(services: AlicloudServices, tmp_path: Path) -> None:
    services.secrets.pop(AUTHORITY_KEY)
    services.secrets[CERTIFICATE] = "a certificate"
    done = make_certificate(1, tmp_path / "node", put_program(services, tmp_path))
    assert done.returncode == 1
    assert "EntityNotExists" in done.stderr
    assert services.secrets[CERTIFICATE] == "a certificate"


def fetch(
    program: Path, listed: Mapping[str, str], folder: Path, *, patience_s: int = 300
) -> "subprocess.CompletedProcess[str]":
    text = write_secrets_fetcher("alicloud").replace(ASK_ALICLOUD, str(program))
    assert ">= 300" in text
    text = text.replace("time.sleep(5)", "time.sleep(0.05)").replace(">= 300", f">= {patience_s}")
    (folder / "list.json").write_text(json.dumps(listed), encoding="utf-8")
    command = [sys.executable, "-c", text, str(folder / "list.json"), str(folder / "secrets"), ME]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_a_unit_waits_for_a_secret_that_a_node_writes_later(services: AlicloudServices, tmp_path: Path) -> None:
    program = put_program(services, tmp_path)
    writes = Timer(1, services.secrets.update, [{CERTIFICATE: "-----BEGIN\nab$c\n"}])
    writes.start()
    done = fetch(program, {"VECTOR_AUTHORITY": PREFIX + CERTIFICATE}, tmp_path)
    writes.join()
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "secrets").read_text(encoding="utf-8") == 'VECTOR_AUTHORITY="-----BEGIN\nab\\$c\n"\n'


def test_a_unit_does_not_start_with_a_secret_that_nobody_has_written(
    services: AlicloudServices, tmp_path: Path
) -> None:
    listed = {"VECTOR_AUTHORITY": PREFIX + CERTIFICATE}
    done = fetch(put_program(services, tmp_path), listed, tmp_path, patience_s=1)
    assert done.returncode == 1
    assert f"{CERTIFICATE}: nobody has written it after" in done.stderr
    assert not (tmp_path / "secrets").exists()


@pytest.mark.slow
def test_every_collection_lands_in_oss_and_leaves_the_disk(
    qdrant: Qdrant,
    services: AlicloudServices,
    tmp_path: Path,
) -> None:
    script = read_files(place_node(1))["/usr/local/libexec/reme/save-snapshots"]
    program = put_program(services, tmp_path)
    for there, here in (
        (f"https://{NODE}:{QDRANT_PORT}", f"https://127.0.0.1:{qdrant.port}"),
        (FOLDER, str(qdrant.folder)),
        (ASK_ALICLOUD, str(program)),
    ):
        assert there in script
        script = script.replace(there, here)
    secrets = tmp_path / "secrets"
    secrets.write_text(f'QDRANT__SERVICE__API_KEY="{KEY}"\n', encoding="utf-8")
    command = [sys.executable, "-c", script, str(secrets)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    found = services.oss.buckets["dumps"]
    assert {each.content for each in found.values()} == {b"vectors of memories", b"vectors of profiles"}
    assert all(re.match(rf"snapshots/qdrant/{re.escape(NODE)}/20[-0-9]+/", name) for name in found)
    assert qdrant.snapshots() == []
    assert {method for method, _, _ in services.oss.seen} == {"PUT"}, "the role may only write"


def test_a_node_has_what_its_scripts_call_and_nothing_of_aws() -> None:
    text = write_node_user_data(place_node(2))
    document, files = yaml.safe_load(text), read_files(place_node(2))
    assert {"docker.io", "xfsprogs", "openssl", "curl", "unattended-upgrades"} == set(document["packages"])
    assert json.loads(files[ALICLOUD_PLACES]) == write_places("cn-beijing")
    assert "virtio-2ze0abc" in files["/usr/local/libexec/reme/mount-volume"]
    assert not [path for path, text in files.items() if re.search(r"\baws |s3://|secretsmanager|dnf|\bec2\b", text)]
    assert len(text) < 24_000
    assert encode_user_data(text, "alicloud") == encode_user_data(write_node_user_data(place_node(2)), "alicloud")


def test_every_script_reads() -> None:
    for path, content in read_files(place_node(1)).items():
        if content.startswith("#!/bin/bash"):
            command = [shutil.which("bash") or "bash", "-n"]
            done = subprocess.run(command, input=content, text=True, capture_output=True, check=False)
            assert done.returncode == 0, f"{path}: {done.stderr}"
        elif content.startswith("#!/usr/bin/python3"):
            compile(content, path, "exec")


def test_cloudmonitor_s_agent_is_installed_alone_where_that_watches() -> None:
    document = yaml.safe_load(write_node_user_data(place_node(1)))
    assert document["runcmd"] == [["/usr/local/sbin/reme-first-start"], [INSTALL_AGENTS]]
    script = read_files(place_node(1))[INSTALL_AGENTS]
    assert "install cloudmonitor.sh" in script
    assert "loongcollector" not in script
    without = replace(place_node(1), monitored=False)
    assert INSTALL_AGENTS not in read_files(without)
    assert yaml.safe_load(write_node_user_data(without))["runcmd"] == [["/usr/local/sbin/reme-first-start"]]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing")
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    units = []
    for path, text in read_files(place_node(2)).items():
        if path.startswith("/etc/systemd/system/"):
            units.append(tmp_path / Path(path).name)
            units[-1].write_text(PROGRAMS.sub("/bin/true", text), encoding="utf-8")
    (tmp_path / "docker.service").write_text("[Service]\nExecStart=/bin/true\n", encoding="utf-8")
    command = [str(shutil.which("systemd-analyze")), "verify", "--man=no", *map(str, units)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if "qdrant" in line or "reme-" in line] == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"volume_id": "vol-0abc"}, "volume_id is 'vol-0abc'; valid: .*d-2ze"),
        ({"agent_configuration": "{}"}, "agent_configuration is '…'"),
        ({"datadog": MachineAgent(site="datadoghq.eu", stack="s", key_arn="a")}, "datadog is 'datadoghq.eu'"),
        ({"cloud": "aws", "volume_id": "vol-0abc"}, "monitored is 'True'"),
    ],
)
def test_what_is_of_another_cloud_is_refused(change: Mapping[str, Any], words: str) -> None:
    with pytest.raises(InvalidDelivery, match=words):
        write_node_user_data(replace(place_node(1), **change))
