"""User data of Qdrant's nodes: sound units, a cluster that is joined, certificates that verify."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.service.delivery import InvalidDelivery
from infra.service.qdrant_start import FOLDER, QdrantNode, write_node_user_data
from infra.service.rendering import encode_user_data
from tests.infra.service.plans import COMPANY, plan_region

AWS = """#!/bin/sh
# Secrets are files of a folder: get-secret-value or put-secret-value --region R --secret-id ID …
place=$SECRETS/${6##*:}
case $2 in
  get-secret-value) [ -e "$place" ] || { echo "An error (ResourceNotFoundException)" >&2; exit 254; }; cat "$place" ;;
  put-secret-value) cat "${8#file://}" >"$place" ;;
  *) exit 2 ;;
esac
"""


def place_node(number: int) -> QdrantNode:
    return QdrantNode(
        cloud="aws",
        spec=plan_region(**COMPANY).vector_store,
        number=number,
        name=f"qdrant-{number}.reme.internal",
        first_name="qdrant-1.reme.internal",
        cluster_name="qdrant.reme.internal",
        address=f"10.20.0.{number}",
        region="us-east-1",
        memory_gb=8,
        image=f"qdrant/qdrant@sha256:{'2' * 64}",
        volume_id="vol-0abc",
        key_source="arn:aws:secretsmanager:us-east-1:123456789012:secret:qdrant-AbCdEf",
        authority_certificate_arn="arn:aws:secretsmanager:us-east-1:123456789012:secret:certificate-AbCdEf",
        authority_key_arn="arn:aws:secretsmanager:us-east-1:123456789012:secret:key-AbCdEf",
        bucket="dumps",
    )


def read_files(node: QdrantNode) -> dict[str, str]:
    return {file["path"]: file["content"] for file in yaml.safe_load(write_node_user_data(node))["write_files"]}


def make_certificate(number: int, folder: Path, tmp_path: Path) -> "subprocess.CompletedProcess[str]":
    """Run a node's rendered script, with its own folder and secrets that are files."""
    script = read_files(place_node(number))["/usr/local/libexec/reme/make-certificate"].replace(FOLDER, str(folder))
    (tmp_path / "bin").mkdir(exist_ok=True)
    (tmp_path / "secrets").mkdir(exist_ok=True)
    (tmp_path / "bin/aws").write_text(AWS, encoding="utf-8")
    (tmp_path / "bin/aws").chmod(0o755)
    folder.mkdir(exist_ok=True)
    environment = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "SECRETS": str(tmp_path / "secrets")}
    return subprocess.run(
        [shutil.which("bash") or "bash", "-c", script], env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="the certificate is given to a user of its own, which root may do")
@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is missing")
def test_nodes_have_certificates_of_one_authority_that_the_first_makes(tmp_path: Path) -> None:
    folders = {number: tmp_path / f"node-{number}" for number in (1, 2)}
    for number, folder in folders.items():
        done = make_certificate(number, folder, tmp_path)
        assert done.returncode == 0, done.stderr
    authority = tmp_path / "secrets/certificate-AbCdEf"
    assert authority.read_text(encoding="utf-8") == (folders[2] / "tls/authority.pem").read_text(encoding="utf-8")
    openssl = str(shutil.which("openssl"))
    for number, folder in folders.items():
        for name in (f"qdrant-{number}.reme.internal", "qdrant.reme.internal"):
            command = [openssl, "verify", "-CAfile", str(authority), "-purpose", "sslserver", "-verify_hostname", name]
            done = subprocess.run([*command, str(folder / "tls/node.pem")], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
        assert (folder / "tls/node.key").stat().st_mode & 0o777 == 0o400
    (tmp_path / "secrets/key-AbCdEf").rename(tmp_path / "secrets/away")
    assert make_certificate(1, folders[1], tmp_path).returncode == 1, "a new authority must not replace the old one"
    (tmp_path / "secrets/away").rename(tmp_path / "secrets/key-AbCdEf")
    again = make_certificate(1, folders[1], tmp_path)
    assert again.returncode == 0, again.stderr
    assert authority.read_text(encoding="utf-8") == (folders[1] / "tls/authority.pem").read_text(encoding="utf-8")


def test_the_others_join_the_first() -> None:
    first, second = (read_files(place_node(number))["/etc/systemd/system/qdrant.service"] for number in (1, 2))
    assert "--bootstrap" not in first
    assert "--uri https://qdrant-2.reme.internal:6335 --bootstrap https://qdrant-1.reme.internal:6335" in second
    for unit in (first, second):
        assert "--env QDRANT__SERVICE__ENABLE_TLS=true" in unit
        assert "--env QDRANT__SERVICE__API_KEY \\" in unit
        assert "--memory 7488m" in unit


def test_snapshots_go_to_the_bucket_where_there_is_one() -> None:
    files = read_files(place_node(1))
    assert (
        'TARGET = "s3://dumps/snapshots/qdrant/qdrant-1.reme.internal"'
        in files["/usr/local/libexec/reme/save-snapshots"]
    )
    assert "qdrant-snapshots.timer" in files["/usr/local/sbin/reme-first-start"]
    without = read_files(replace(place_node(1), bucket=""))
    assert not [path for path in without if "snapshots" in path]
    assert "snapshots" not in without["/usr/local/sbin/reme-first-start"]


def test_every_script_reads_and_the_whole_fits() -> None:
    text = write_node_user_data(place_node(2))
    assert len(encode_user_data(text)) < 16_000
    for path, content in read_files(place_node(2)).items():
        if content.startswith("#!/bin/bash"):
            done = subprocess.run(
                [shutil.which("bash") or "bash", "-n"], input=content, text=True, capture_output=True, check=False
            )
            assert done.returncode == 0, f"{path}: {done.stderr}"
        elif content.startswith("#!/usr/bin/python3"):
            compile(content, path, "exec")
    assert json.loads(read_files(place_node(2))["/etc/reme/qdrant.secrets.json"])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing")
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    there = re.compile(r"/usr/local/libexec/reme/[a-z-]+|/usr/s?bin/(docker|dnf|systemctl|xfs_growfs)")
    units = []
    for path, text in read_files(place_node(2)).items():
        if path.startswith("/etc/systemd/system/"):
            units.append(tmp_path / Path(path).name)
            units[-1].write_text(there.sub("/bin/true", text), encoding="utf-8")
    (tmp_path / "docker.service").write_text("[Service]\nExecStart=/bin/true\n", encoding="utf-8")
    command = [str(shutil.which("systemd-analyze")), "verify", "--man=no", *map(str, units)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if "qdrant" in line or "reme-" in line]
    assert complaints == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"number": 3}, "number is '3'"),
        ({"image": "qdrant/qdrant"}, "image is"),
        ({"volume_id": ""}, "volume_id is ''"),
    ],
)
def test_what_cannot_be_a_node_is_refused(change: Mapping[str, Any], words: str) -> None:
    with pytest.raises(InvalidDelivery, match=words):
        write_node_user_data(replace(place_node(1), **change))
