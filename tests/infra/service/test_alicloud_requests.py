"""The program with which a machine asks Alibaba Cloud: its signatures, and what it does with refusals."""

import json
import os
import pwd
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest
from alibabacloud_oss_v2.credentials import Credentials
from alibabacloud_oss_v2.signer import SignerV4
from alibabacloud_oss_v2.types import HttpRequest, SigningContext

from infra.service.machine import ALICLOUD_PLACES, write_places
from infra.service.rendering import render
from infra.tables import read_table
from tests.infra.service.machine.alicloud import TOKEN, AlicloudServices, run_services

pytestmark = pytest.mark.slow

ARN = "acs:oos:cn-beijing:1234567890123456:secretparameter/reme-cloud/alicloud-dev/admin"
NAME = "reme-cloud/alicloud-dev/admin"
KEYS = {"AccessKeyId": "STS.key", "AccessKeySecret": "of the tests", "SecurityToken": "token/of+the=tests"}
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
ME = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture(scope="module")
def program() -> ModuleType:
    module = ModuleType("alicloud_program")
    exec(compile(render("alicloud.py", places=ALICLOUD_PLACES), "alicloud.py", "exec"), module.__dict__)  # noqa: S102
    return module


@pytest.fixture
def services() -> Iterator[AlicloudServices]:
    with run_services() as running:
        running.secrets[NAME] = 'rk_"quoted"'
        running.put("releases", "0.1.0/a b+c.whl", b"wheel")
        yield running


def ask(services: AlicloudServices, folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the program as a machine does, with the addresses of the services here, and with parts of six bytes."""
    places, script = folder / "places.json", folder / "alicloud"
    places.write_text(json.dumps(services.places), encoding="utf-8")
    text = render("alicloud.py", places=str(places)).replace("time.sleep(2**attempt)", "time.sleep(0.01)")
    text = text.replace("PART_BYTES = 64 * 2**20", "PART_BYTES = 6")
    script.write_text(text, encoding="utf-8")
    command = [sys.executable, "-I", str(script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_an_object_s_request_is_signed_as_the_sdk_signs_it(program: ModuleType) -> None:
    moment = datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC)
    request = HttpRequest(method="GET", url="https://releases.oss-cn-beijing-internal.aliyuncs.com/host/a%20b%2Bc")
    context = SigningContext(
        product="oss",
        region="cn-beijing",
        bucket="releases",
        key="host/a b+c",
        request=request,
        credentials=Credentials(KEYS["AccessKeyId"], KEYS["AccessKeySecret"], KEYS["SecurityToken"]),
        signing_time=moment,
    )
    SignerV4().sign(context)
    made = program.sign_object("GET", "releases", "host/a b+c", "cn-beijing", KEYS, moment.timetuple())
    assert made == {name: request.headers[name] for name in made}
    assert made["Authorization"].startswith("OSS4-HMAC-SHA256 Credential=STS.key/20261123/cn-beijing/oss/")


def test_a_part_s_request_is_signed_as_the_sdk_signs_it(program: ModuleType) -> None:
    moment = datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC)
    query = program.encode({"partNumber": "2", "uploadId": "A+b/1"})
    request = HttpRequest(
        method="PUT",
        url=f"https://dumps.oss-cn-beijing-internal.aliyuncs.com/a?{query}",
        headers={"content-type": program.BINARY},
    )
    context = SigningContext(
        product="oss",
        region="cn-beijing",
        bucket="dumps",
        key="a",
        request=request,
        credentials=Credentials(KEYS["AccessKeyId"], KEYS["AccessKeySecret"], KEYS["SecurityToken"]),
        signing_time=moment,
    )
    SignerV4().sign(context)
    asked = {"query": query, "kind": program.BINARY}
    made = program.sign_object("PUT", "dumps", "a", "cn-beijing", KEYS, moment.timetuple(), **asked)
    assert made == {name: request.headers[name] for name in made}


def test_a_call_is_signed_as_the_documentation_s_example(program: ModuleType) -> None:
    """Alibaba Cloud SDK, "Request syntax and signature method V3", the example with fixed parameters."""
    headers = {
        "x-acs-action": "RunInstances",
        "x-acs-version": "2014-05-26",
        "x-acs-date": "2023-10-26T10:22:32Z",
        "x-acs-signature-nonce": "3156853299f313e23d1673dc12e1703d",
    }
    values = {"ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd", "RegionId": "cn-shanghai"}
    keys = {"AccessKeyId": "YourAccessKeyId", "AccessKeySecret": "YourAccessKeySecret"}
    made = program.sign_call("POST", "ecs.cn-shanghai.aliyuncs.com", values, headers, keys)
    assert made["Authorization"] == (
        "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;"
        "x-acs-signature-nonce;x-acs-version,Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
    )


def test_a_call_with_a_role_s_token_is_signed_as_the_sdk_signs_it(program: ModuleType) -> None:
    """Made with alibabacloud-openapi-util 0.2.4 (`Client.get_authorization`) of the same request."""
    headers = {
        "x-acs-action": "GetSecretParameter",
        "x-acs-version": "2019-06-01",
        "x-acs-date": "2026-11-23T01:02:03Z",
        "x-acs-signature-nonce": "0123456789abcdef0123456789abcdef",
    }
    values = {"RegionId": "cn-beijing", "Name": "team/admin key", "WithDecryption": "true"}
    made = program.sign_call("POST", "oos.cn-beijing.aliyuncs.com", values, headers, KEYS)
    assert made["x-acs-content-sha256"] == EMPTY
    assert made["Authorization"] == (
        "ACS3-HMAC-SHA256 Credential=STS.key,SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;"
        "x-acs-security-token;x-acs-signature-nonce;x-acs-version,"
        "Signature=62408b82965f7a55998a21d8337ee9f759ba3c755bf0f7ee2deda193616421ab"
    )


def test_an_object_is_saved_as_it_is_and_asked_for_as_the_role(services: AlicloudServices, tmp_path: Path) -> None:
    services.absences = 2
    done = ask(services, tmp_path, "copy", "oss://releases/0.1.0/a b+c.whl", str(tmp_path / "wheel"))
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "wheel").read_bytes() == b"wheel"
    method, _, headers = services.oss.seen[-1]
    assert (method, headers["x-oss-security-token"]) == ("GET", TOKEN)


def test_a_secret_is_printed_whole_and_by_its_whole_name(services: AlicloudServices, tmp_path: Path) -> None:
    done = ask(services, tmp_path, "secret", ARN)
    assert (json.loads(done.stdout), done.stderr, services.refused) == ('rk_"quoted"', "", [])


def test_a_secret_that_is_there_gets_the_text_of_a_file(services: AlicloudServices, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("-----BEGIN\na+b/c= %&\n", encoding="utf-8")
    done = ask(services, tmp_path, "put-secret", ARN, str(tmp_path / "key"))
    assert (done.returncode, done.stderr, services.refused) == (0, "", [])
    assert services.secrets[NAME] == "-----BEGIN\na+b/c= %&\n"


@pytest.mark.parametrize("size", [0, 5, 6, 12, 13])
def test_a_file_is_kept_whole_in_parts_where_it_is_large(services: AlicloudServices, tmp_path: Path, size: int) -> None:
    content = bytes(range(size))
    (tmp_path / "file").write_bytes(content)
    services.oss.fail_next = [(503, "ServiceUnavailable")]
    place = "oss://releases/snapshots/a b+c.snapshot"
    done = ask(services, tmp_path, "upload", str(tmp_path / "file"), place)
    assert (done.returncode, done.stderr) == (0, "")
    assert services.oss.buckets["releases"]["snapshots/a b+c.snapshot"].content == content
    assert [len(parts) for parts in services.oss.uploads.values()] == ([-(-size // 6)] if size >= 6 else [])


def test_parts_are_as_large_as_oss_takes_them(program: ModuleType) -> None:
    facts = {
        row["kind"]: int(row["value"]) for row in read_table("alicloud_facts_vectors.csv") if "part" in row["kind"]
    }
    assert facts["least upload part limit bytes"] <= program.PART_BYTES
    assert facts["upload part limit"] * program.PART_BYTES > 500 * 10**9, "more than a node's disk"


def test_what_passes_is_tried_again(services: AlicloudServices, tmp_path: Path) -> None:
    services.oss.fail_next = [(503, "ServiceUnavailable"), (500, "InternalError")]
    assert ask(services, tmp_path, "copy", "oss://releases/0.1.0/a b+c.whl", str(tmp_path / "wheel")).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("copy", "oss://releases/none", "file"), "404 from 127.0.0.1:.*NoSuchKey"),
        (("secret", ARN.replace("admin", "none")), "404 from 127.0.0.1:.*EntityNotExists"),
        (("put-secret", ARN.replace("admin", "none"), "key"), "404 from 127.0.0.1:.*EntityNotExists"),
        (("upload", "key", "oss://nowhere/key"), "404 from 127.0.0.1:.*NoSuchBucket"),
        (("copy",), "alicloud copy oss://BUCKET/KEY FILE"),
    ],
)
def test_what_is_refused_is_told_without_a_key(
    services: AlicloudServices, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    (tmp_path / "key").write_text("a secret text", encoding="utf-8")
    done = ask(services, tmp_path, *(str(tmp_path / each) if each in ("file", "key") else each for each in arguments))
    assert done.returncode == 1
    assert re.search(words, done.stderr.replace("\n", " "))
    assert "Traceback" not in done.stderr
    for secret in (services.oss.secret_key, TOKEN, "a secret text"):
        assert secret not in done.stderr
    assert not (tmp_path / "file").exists()


def test_a_signature_with_another_key_is_refused(services: AlicloudServices, tmp_path: Path) -> None:
    right = services.oss.secret_key
    services.find_keys = lambda: {**AlicloudServices.find_keys(services), "AccessKeySecret": "wrong"}  # type: ignore[method-assign]
    done = ask(services, tmp_path, "secret", ARN)
    assert done.returncode == 1
    assert set(services.refused) == {"SignatureDoesNotMatch"}
    assert right not in done.stderr


def test_the_role_s_keys_are_for_one_user(services: AlicloudServices, tmp_path: Path) -> None:
    path = tmp_path / "credentials"
    assert ask(services, tmp_path, "credentials", str(path), ME).returncode == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o400
    assert path.read_text(encoding="utf-8") == (
        f'OSS_ACCESS_KEY_ID="{services.oss.access_key}"\nOSS_ACCESS_KEY_SECRET="{services.oss.secret_key}"\n'
        f'OSS_SESSION_TOKEN="{TOKEN}"\n'
    )


def test_a_machine_asks_inside_alibaba_cloud_s_network() -> None:
    places = write_places("cn-beijing")
    assert places["objects"].format(bucket="b") == "https://b.oss-cn-beijing-internal.aliyuncs.com"
    assert places["parameters"] == "https://oos.cn-beijing.aliyuncs.com"
