"""What a cluster's node asks Alibaba Cloud: a token of the registry, and its scaling group."""

import base64
import json
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.service.machine import CENTRAL_SCALING, name_scaling_host, write_places
from tests.infra.service.machine.alicloud import INSTANCE, AlicloudServices, run_services
from tests.infra.service.test_alicloud_requests import ask

pytestmark = pytest.mark.slow

REGISTRY = "registry-vpc.cn-hangzhou.aliyuncs.com"


@pytest.fixture
def services() -> Iterator[AlicloudServices]:
    with run_services() as running:
        yield running


def run(services: AlicloudServices, folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    done = ask(services, folder, *arguments)
    assert (done.returncode, done.stderr, services.refused) == (0, "", [])
    return done


def test_a_token_of_the_registry_is_what_docker_reads_and_for_one_user_alone(
    services: AlicloudServices, tmp_path: Path
) -> None:
    path = tmp_path / "config.json"
    assert run(services, tmp_path, "registry", REGISTRY, str(path)).stdout == ""
    found = json.loads(path.read_text(encoding="utf-8"))
    assert base64.b64decode(found["auths"][REGISTRY]["auth"]) == b"cr_temp_user:token:of==registry"
    assert stat.S_IMODE(path.stat().st_mode) == 0o400


def test_a_node_ends_the_wait_of_its_activity_and_no_other_s(services: AlicloudServices, tmp_path: Path) -> None:
    services.serving, services.waiting = [], {"token-1": [INSTANCE, "i-with-me"], "token-2": ["i-other"]}
    run(services, tmp_path, "ready")
    assert (services.serving, services.waiting) == ([INSTANCE, "i-with-me"], {"token-2": ["i-other"]})
    run(services, tmp_path, "ready")
    assert services.serving == [INSTANCE, "i-with-me"], "a node that waits no more has nothing to end"


def test_a_node_s_metadata_are_closed_by_itself(services: AlicloudServices, tmp_path: Path) -> None:
    run(services, tmp_path, "harden")
    assert services.hardened == [INSTANCE]


@pytest.mark.parametrize(
    ("serving", "answer"),
    [([INSTANCE, "i-other"], "yes"), (["i-aaa", INSTANCE], "no"), (["i-other"], "no"), ([], "no")],
)
def test_one_node_of_a_group_is_the_first(
    services: AlicloudServices, tmp_path: Path, serving: list[str], answer: str
) -> None:
    services.serving = serving
    assert run(services, tmp_path, "first").stdout == f"{answer}\n"


def test_each_region_has_its_address() -> None:
    assert {name_scaling_host(region) for region in CENTRAL_SCALING} == {"ess.aliyuncs.com"}
    assert write_places("cn-wulanchabu")["scaling"] == "https://ess.cn-wulanchabu.aliyuncs.com"
    assert write_places("cn-hangzhou")["registry"] == "https://cr.cn-hangzhou.aliyuncs.com"
