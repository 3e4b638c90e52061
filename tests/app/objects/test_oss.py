"""Objects in OSS: the official client against a stand-in that checks signatures and headers."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.backends.objects.oss import OssObjectStore
from app.backends.ram_role import RamRole
from app.errors import NotFound, StoreBusy, StoreError, StoreFull, StoreUnavailable
from tests.app.objects.places import place_oss
from tests.servers import oss
from tests.servers.metadata import MetadataStandIn, run_metadata
from tests.servers.oss import OssStandIn, run_oss

pytestmark = pytest.mark.slow

NAME = f"{'a' * 32}/{'1' * 32}"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
KEYLESS: dict[str, Any] = {"access_key": None, "secret_key": None}


@pytest.fixture
def stand_in() -> Iterator[OssStandIn]:
    with run_oss() as running:
        running.new_bucket("reme")
        yield running


@pytest.mark.parametrize("field", ["access_key", "secret_key"])
def test_a_wrong_key_is_refused_and_never_shown(stand_in: OssStandIn, field: str) -> None:
    place = place_oss(stand_in, **{field: "canary-0123456789"})
    with pytest.raises(StoreError, match=r"storage\.access_key") as caught:
        OssObjectStore(place).put(NAME, b"tea")
    assert "canary" not in str(caught.value) + repr(place)
    assert stand_in.buckets["reme"] == {}


def test_requests_are_signed_by_version_4_for_their_region(stand_in: OssStandIn) -> None:
    OssObjectStore(place_oss(stand_in)).put(NAME, b"tea")
    _, _, headers = stand_in.seen[-1]
    assert headers["authorization"].startswith("OSS4-HMAC-SHA256 Credential=")
    assert f"/{stand_in.region}/oss/aliyun_v4_request" in headers["authorization"]
    stand_in.region = "cn-hangzhou"
    with pytest.raises(StoreError):
        OssObjectStore(place_oss(stand_in, region="cn-beijing")).read(NAME)


def test_a_clock_that_is_off_is_refused(stand_in: OssStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    class Ahead(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.now(UTC) + timedelta(hours=1)

    monkeypatch.setattr(oss, "datetime", Ahead)
    with pytest.raises(StoreError, match="RequestTimeTooSkewed"):
        OssObjectStore(place_oss(stand_in)).read(NAME)


@pytest.mark.parametrize(
    ("fields", "header", "value"),
    [
        ({"encryption": "server"}, "x-oss-server-side-encryption", "AES256"),
        ({"encryption": "kms"}, "x-oss-server-side-encryption", "KMS"),
        ({"encryption": "kms", "kms_key_id": "k-1"}, "x-oss-server-side-encryption-key-id", "k-1"),
        ({"storage_class": "IA"}, "x-oss-storage-class", "IA"),
        ({"session_token": "token-1"}, "x-oss-security-token", "token-1"),
    ],
)
def test_options_travel_as_headers(stand_in: OssStandIn, fields: dict[str, str], header: str, value: str) -> None:
    OssObjectStore(place_oss(stand_in, **fields)).put(NAME, b"tea")
    _, _, headers = stand_in.seen[-1]
    assert headers[header] == value


def test_what_passes_is_tried_again_and_what_lasts_is_told(stand_in: OssStandIn) -> None:
    store = OssObjectStore(place_oss(stand_in))
    store.put(NAME, b"tea")
    stand_in.fail_next = [(503, "ServiceUnavailable"), (500, "InternalError")]
    assert store.read(NAME) == b"tea"
    stand_in.fail_next = [(503, "ServiceUnavailable")] * 10
    with pytest.raises(StoreBusy):
        store.read(NAME)
    stand_in.fail_next = [(409, "QuotaExceeded")]
    with pytest.raises(StoreFull):
        store.put(NAME, b"coffee")
    stand_in.fail_next = []
    assert store.read(NAME) == b"tea"


def test_a_bucket_and_a_server_that_are_not_there(stand_in: OssStandIn) -> None:
    with pytest.raises(StoreError, match="bucket none cannot be used"):
        OssObjectStore(place_oss(stand_in, "none")).check()
    with pytest.raises(StoreUnavailable, match="does not answer"):
        OssObjectStore(place_oss(stand_in, endpoint="http://127.0.0.1:9", timeout_s=0.5)).check()
    with pytest.raises(NotFound):
        OssObjectStore(place_oss(stand_in)).read(NAME)


@pytest.fixture
def without_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OSS_ACCESS_KEY_ID", "OSS_ACCESS_KEY_SECRET", "OSS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def metadata(stand_in: OssStandIn) -> Iterator[MetadataStandIn]:
    machine = MetadataStandIn(
        moment=NOW,
        key_id=stand_in.access_key,
        secret=stand_in.secret_key,
        token="token-of-the-role",  # noqa: S106 - of nobody
    )
    with run_metadata(machine) as running:
        yield running


@pytest.mark.usefixtures("without_variables")
def test_variables_come_before_the_machine_s_role(
    stand_in: OssStandIn, metadata: MetadataStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OSS_ACCESS_KEY_ID", stand_in.access_key)
    monkeypatch.setenv("OSS_ACCESS_KEY_SECRET", stand_in.secret_key)
    OssObjectStore(place_oss(stand_in, **KEYLESS), role=RamRole(address=metadata.address)).check()
    assert metadata.paths == [] and "x-oss-security-token" not in stand_in.seen[-1][2]


@pytest.mark.usefixtures("without_variables")
def test_without_a_key_the_machine_s_role_signs_and_is_asked_again_before_its_key_ends(
    stand_in: OssStandIn, metadata: MetadataStandIn
) -> None:
    moment = [NOW]
    store = OssObjectStore(
        place_oss(stand_in, **KEYLESS), role=RamRole(address=metadata.address, now=lambda: moment[0])
    )
    assert metadata.paths == [], "nothing is asked before the first use"
    store.put(NAME, b"tea")
    assert stand_in.seen[-1][2]["x-oss-security-token"] == "token-of-the-role"
    assert store.read(NAME) == b"tea" and len(metadata.paths) == 2, "the role and its key, once"
    metadata.token = "the-next-token"  # noqa: S105
    moment[0] += timedelta(minutes=56)
    assert store.read(NAME) == b"tea"
    assert stand_in.seen[-1][2]["x-oss-security-token"] == "the-next-token" and len(metadata.paths) == 4


@pytest.mark.usefixtures("without_variables")
def test_a_machine_without_a_role_says_every_way_to_a_key(stand_in: OssStandIn, metadata: MetadataStandIn) -> None:
    store = OssObjectStore(place_oss(stand_in, **KEYLESS), role=RamRole(address=metadata.address))
    metadata.role = ""
    with pytest.raises(
        StoreError, match=r"has no RAM role: attach one, or give storage\.access_key.*OSS_ACCESS_KEY_ID"
    ):
        store.check()
    metadata.role, metadata.body = "reme-node", '{"AccessKeyId": "LTAI-canary", "AccessKeySecret": "canary"}'
    with pytest.raises(StoreError, match="no readable key") as caught:
        store.check()
    assert "canary" not in str(caught.value) and not isinstance(caught.value, StoreUnavailable)
    metadata.away = True
    with pytest.raises(StoreUnavailable, match="gave no key"):
        store.check()
    assert stand_in.seen == []
