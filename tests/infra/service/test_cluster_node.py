"""The user data of a cluster's node: sound for cloud-init, systemd and bash, within the limit, without secrets."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from infra.service.cluster_node import (
    LOG_FILE,
    OTHERS_S,
    PATIENCE_S,
    ClusterNodeDelivery,
    find_registry,
    write_cluster_node_user_data,
)
from infra.service.configuration import AUTHORITY_SECRET, ServiceAddresses, configure_service, name_secrets
from infra.service.container import describe_container
from infra.service.delivery import InvalidDelivery
from infra.service.dumps import write_dump_variables
from infra.service.machine import MACHINES
from infra.service.machine_files import INSTALL_AGENTS
from infra.service.rendering import encode_user_data
from tests.infra.service.plans import COMPANY, plan_region
from tests.infra.service.test_alicloud_start import read_files
from tests.infra.service.test_host_start import CLOUD_INIT_SCHEMAS

LARGE = {**COMPANY, "regions": [{"cloud": "alicloud", "region": "cn-hangzhou"}]}
REGISTRY = "registry-vpc.cn-hangzhou.aliyuncs.com"
IMAGE = f"{REGISTRY}/registry-1a2b3c4d/reme:0.1.0"
FOLDER = "/usr/local/libexec/reme"
PROGRAMS_OF_SCRIPTS = (
    *("docker", "alicloud", "pull-image", "run-image", "systemctl", "curl", "journalctl"),
    *("install", "touch", "chown"),
)
PROGRAMS = re.compile(rf"({FOLDER}/\S+|/usr/bin/(docker|apt-get|unattended-upgrade))")
BASH = str(shutil.which("bash"))


def name_arn(secret: str) -> str:
    return f"acs:oos:cn-hangzhou:1234567890123456:secretparameter/reme-cloud/prod/{secret}"


def deliver(**more: Any) -> ClusterNodeDelivery:
    plan = plan_region(**LARGE)
    assert plan.compute.placement == "cluster"
    addresses = ServiceAddresses(
        database_host="pgm-1.pg.rds.aliyuncs.com",
        database_authorities_url="https://example.com/a b.zip",
        cache_host="r-1.redis.rds.aliyuncs.com",
        vector_url="https://qdrant.reme.internal:6333",
        vector_authority=True,
        bucket="objects-1a2b3c4d",
    )
    settings = configure_service(plan, addresses, overrides={"log.mask": 'a"b,$HOME'})
    sources = {name: name_arn(name) for name in (*name_secrets(plan), AUTHORITY_SECRET)}
    values: dict[str, Any] = {
        "plan": plan,
        "image": IMAGE,
        "content": describe_container(settings, sources),
        "machine_group": "alicloud-prod-logs",
        "dump_variables": write_dump_variables({"dumps": "d", "archive": "a"}, region="cn-hangzhou", cloud="alicloud"),
    }
    return ClusterNodeDelivery(**{**values, **more})


def read_unit(name: str, **more: Any) -> str:
    return read_files(write_cluster_node_user_data(deliver(**more)))[f"/etc/systemd/system/{name}"]


def test_cloud_init_accepts_it() -> None:
    found = [path for path in CLOUD_INIT_SCHEMAS if path and Path(path).is_file()]
    if not found:
        pytest.skip("cloud-init's schema is not here: apt-get install cloud-init, or name it by CLOUD_INIT_SCHEMA")
    schema = json.loads(Path(found[0]).read_text(encoding="utf-8"))
    jsonschema.Draft4Validator(schema).validate(yaml.safe_load(write_cluster_node_user_data(deliver())))


def test_it_fits_with_room_and_is_the_same_each_time() -> None:
    text = write_cluster_node_user_data(deliver())
    assert encode_user_data(text, "alicloud") == encode_user_data(write_cluster_node_user_data(deliver()), "alicloud")
    assert len(text) < 0.75 * MACHINES["alicloud"].most_user_data_bytes
    assert write_cluster_node_user_data(deliver(image=f"{IMAGE}-2")) != text, "another version is other nodes"


def test_the_service_has_its_settings_and_secrets_and_none_of_the_preparation_s() -> None:
    delivery, unit = deliver(), read_unit("reme.service")
    before, _, start = unit.partition("\nExecStart=")
    content = delivery.content
    assert set(re.findall(r"--env (\S+) ", start)) == {*content.environment, *content.secrets, "REME_LOG__FILE"}
    prepared = {*content.preparation_environment, *content.preparation_secrets}
    assert set(re.findall(r"--env (\S+) ", before)) == prepared == {"ADMIN_KEY", "AUTHORITIES_URLS", "VECTOR_AUTHORITY"}
    files = read_files(write_cluster_node_user_data(delivery))
    environment = files["/etc/reme/environment"]
    assert f'REME_LOG__FILE="{LOG_FILE}"\n' in environment
    assert 'REME_STORAGE__ENDPOINT="https://oss-cn-hangzhou-internal.aliyuncs.com"\n' in environment
    assert 'DUMPS_URL="oss://d/reme"\n' in environment
    assert json.loads(files["/etc/reme/reme.secrets.json"])["PGPASSWORD"] == name_arn("database")


def test_the_container_is_closed_and_reaches_its_role_and_its_log() -> None:
    unit = read_unit("reme.service")
    for option in ("--read-only", "--cap-drop ALL", "--network host", "--user 10001:10001", "no-new-privileges"):
        assert option in unit
    assert "--volume /var/log/reme:/var/log/reme " in unit
    assert "--publish" not in unit
    steps = [line for line in unit.splitlines() if line.startswith("ExecStartPre=")]
    assert ["fetch-secrets" in steps[0], "pull-image" in steps[1], "reme-prepare" in steps[2]] == [True] * 3
    assert "\nRestart=always\n" in unit


@pytest.mark.parametrize("name", ["reme", "reme-dumps", "reme-archive", "reme-updates"])
def test_systemd_accepts_the_units(name: str, tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not here: apt-get install systemd")
    for path, text in read_files(write_cluster_node_user_data(deliver())).items():
        if path.startswith("/etc/systemd/system/"):
            (tmp_path / Path(path).name).write_text(PROGRAMS.sub("/bin/true", text), encoding="utf-8")
    (tmp_path / "docker.service").write_text("[Service]\nExecStart=/bin/true\n", encoding="utf-8")
    done = subprocess.run(
        [program, "verify", "--man=no", str(tmp_path / f"{name}.service")], capture_output=True, text=True, check=False
    )
    assert [line for line in done.stderr.splitlines() if str(tmp_path) in line or f"{name}." in line] == []


def test_a_version_that_is_tried_makes_no_dumps_and_a_node_is_never_restarted() -> None:
    files = read_files(write_cluster_node_user_data(deliver(dump_variables={})))
    assert not [path for path in files if "dump" in path or "archive" in path]
    assert "reboot" not in files["/etc/systemd/system/reme-updates.service"]
    assert "unattended-upgrade" in files["/etc/systemd/system/reme-updates.service"]


def test_agents_come_before_the_service_where_lines_are_shipped() -> None:
    shipped = yaml.safe_load(write_cluster_node_user_data(deliver()))
    assert shipped["runcmd"][1:] == [[INSTALL_AGENTS], ["/usr/local/sbin/reme-first-start"]]
    assert {"docker.io", "curl", "logrotate", "unattended-upgrades"} == set(shipped["packages"])
    apart = yaml.safe_load(write_cluster_node_user_data(deliver(machine_group="")))
    assert apart["runcmd"] == [["/usr/local/sbin/reme-first-start"]]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"image": "a b"}, "image is 'a b'"),
        ({"plan": replace(plan_region(**LARGE), cloud="aws")}, "plan.cloud is 'aws'"),
    ],
)
def test_what_no_node_can_run_is_refused(change: Mapping[str, Any], words: str) -> None:
    with pytest.raises(InvalidDelivery, match=words):
        write_cluster_node_user_data(deliver(**change))


def test_only_a_registry_of_the_cloud_gets_a_token() -> None:
    assert find_registry(IMAGE) == REGISTRY
    assert find_registry("ghcr.io/a/reme:1") == find_registry("reme:1") == ""
    files = read_files(write_cluster_node_user_data(deliver(image="ghcr.io/a/reme:1")))
    assert "registry" not in files[f"{FOLDER}/pull-image"]


def run_script(
    name: str, folder: Path, *arguments: str, patience_s: int = PATIENCE_S, **programs: str
) -> "subprocess.CompletedProcess[str]":
    """Run a node's script with these programs in place of Docker's and the cloud's; each says what it was told."""
    files = read_files(write_cluster_node_user_data(deliver()))
    said = f'echo "$(basename "$0") $*" >>{folder}/said\n'
    for program in PROGRAMS_OF_SCRIPTS:
        path = folder / program
        path.write_text(f"#!/bin/bash\n{said}{programs.get(program.replace('-', '_'), '')}\n", encoding="utf-8")
        path.chmod(0o755)
    text = files[name].replace(f"{FOLDER}/", f"{folder}/").replace("/var/log/reme/reme.log", f"{folder}/log")
    text = text.replace("--tmpdir=/run", f"--tmpdir={folder}").replace(
        f"$(uptime_s) + {PATIENCE_S}", f"$(uptime_s) + {patience_s}"
    )
    text = text.replace(f"sleep {OTHERS_S}", "echo waited")
    command = [BASH, "-c", text, name, *arguments]
    places = f"{folder}:{os.environ['PATH']}"
    return subprocess.run(command, env={"PATH": places}, capture_output=True, text=True, check=False, timeout=60)


def read_said(folder: Path) -> list[str]:
    return (folder / "said").read_text(encoding="utf-8").splitlines()


def test_an_image_is_fetched_once_with_a_token_that_is_not_kept(tmp_path: Path) -> None:
    missing = '[ "$1" != image ] || exit 1\nif [ "$1" = --config ]; then cat "$2/config.json"; fi'
    done = run_script(f"{FOLDER}/pull-image", tmp_path, docker=missing, alicloud='echo a-token >"$3"')
    assert (done.returncode, done.stdout) == (0, "a-token\n"), done.stderr
    said = read_said(tmp_path)
    assert said[0] == f"docker image inspect {IMAGE}"
    assert said[1].startswith(f"alicloud registry {REGISTRY} ")
    assert said[2].endswith(f"pull --quiet {IMAGE}")
    assert not list(tmp_path.rglob("config.json"))
    (tmp_path / "said").unlink()
    assert run_script(f"{FOLDER}/pull-image", tmp_path).returncode == 0
    assert read_said(tmp_path) == [f"docker image inspect {IMAGE}"]


def test_a_task_runs_in_the_image_with_every_setting_and_its_own_options(tmp_path: Path) -> None:
    done = run_script(f"{FOLDER}/run-image", tmp_path, "reme-prepare", "--entrypoint", "python", "--", "/prepare.py")
    assert done.returncode == 0, done.stderr
    [removed, run] = read_said(tmp_path)
    assert removed == "docker rm --force reme-prepare"
    assert run.endswith(f"--entrypoint python {IMAGE} /prepare.py")
    assert {"PGPASSWORD", "REME_STORE__BACKEND"} <= set(run.split())
    assert not {"ADMIN_KEY", "VECTOR_AUTHORITY"} & set(run.split()), "a dump needs neither"


@pytest.mark.parametrize(
    ("first", "code", "last"),
    [
        ("echo yes", 0, "run-image reme-dumps -- backup oss://d/reme"),
        ("echo no", 0, "alicloud first"),
        ("exit 1", 1, "alicloud first"),
    ],
)
def test_one_node_makes_a_dump_and_one_that_cannot_know_fails(tmp_path: Path, first: str, code: int, last: str) -> None:
    arguments = ("reme-dumps", "backup", "oss://d/reme")
    done = run_script(f"{FOLDER}/dump-if-first", tmp_path, *arguments, alicloud=first)
    assert done.returncode == code
    assert read_said(tmp_path)[-1] == last


def test_the_group_is_told_once_the_service_answers(tmp_path: Path) -> None:
    done = run_script("/usr/local/sbin/reme-first-start", tmp_path)
    assert (done.returncode, done.stdout) == (0, "waited\n"), done.stderr
    said = read_said(tmp_path)
    assert said[-2:] == [
        "curl --fail --silent --output /dev/null --max-time 5 http://127.0.0.1:8002/health",
        "alicloud ready",
    ]
    assert said.index("alicloud harden") < said.index("systemctl enable --now reme.service")
    own = said.index(f"chown 10001:10001 {tmp_path}/log")
    assert own < said.index("alicloud harden"), "what the start says itself must not keep the service from its log"
    assert "systemctl enable --now reme-updates.timer reme-dumps.timer reme-archive.timer" in said


def test_a_node_whose_metadata_stay_open_says_so_and_serves(tmp_path: Path) -> None:
    done = run_script("/usr/local/sbin/reme-first-start", tmp_path, alicloud='[ "$1" != harden ]')
    assert done.returncode == 0, done.stderr
    assert "metadata still answer without a token" in (tmp_path / "log").read_text(encoding="utf-8")
    assert read_said(tmp_path)[-1] == "alicloud ready"


@pytest.mark.slow
def test_a_node_that_does_not_answer_is_not_announced_and_says_why(tmp_path: Path) -> None:
    programs = {"curl": "exit 7", "journalctl": "echo out of memory"}
    done = run_script("/usr/local/sbin/reme-first-start", tmp_path, patience_s=3, **programs)
    assert done.returncode == 1
    assert "alicloud ready" not in read_said(tmp_path)
    assert "nothing answers at port 8002" in (tmp_path / "log").read_text(encoding="utf-8")
    assert "out of memory" in (tmp_path / "log").read_text(encoding="utf-8")
