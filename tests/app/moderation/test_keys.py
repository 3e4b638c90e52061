"""Keys of the machine's role, from a metadata service on this machine."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from app.backends.green import RoleKeys
from app.domain.moderation import TextSource, Verdict
from app.errors import ModelRefused, ModelUnavailable
from tests.app.moderation.conftest import MakeGreen
from tests.app.moderation.green_server import KEY_ID, KEY_SECRET, TOKEN, Fault, GreenServer
from tests.servers.metadata import MetadataStandIn, run_metadata
from tests.servers.waiting import PATIENCE_S

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def metadata(monkeypatch: pytest.MonkeyPatch) -> Iterator[MetadataStandIn]:
    monkeypatch.setattr("app.backends.ram_role.TIMEOUT_S", PATIENCE_S)
    with run_metadata(MetadataStandIn(moment=NOW, key_id=KEY_ID, secret=KEY_SECRET, token=TOKEN)) as running:
        yield running


def test_the_role_s_key_is_found_once_and_renewed_before_its_end(metadata: MetadataStandIn) -> None:
    moment = [NOW]
    with closing(RoleKeys(address=metadata.address, now=lambda: moment[0])) as keys:
        found = keys.find()
        assert (found.id, found.secret, found.session_token) == (KEY_ID, KEY_SECRET, TOKEN)
        assert keys.find() is found
        assert len(metadata.paths) == 2
        moment[0] += timedelta(minutes=56)
        keys.find()
        assert len(metadata.paths) == 4


def test_a_key_that_still_holds_is_given_while_the_metadata_service_is_away(metadata: MetadataStandIn) -> None:
    moment = [NOW]
    with closing(RoleKeys(address=metadata.address, now=lambda: moment[0])) as keys:
        found = keys.find()
        metadata.away = True
        moment[0] += timedelta(minutes=58)
        assert keys.find() is found
        moment[0] += timedelta(minutes=3)
        with pytest.raises(ModelUnavailable, match="gave no key"):
            keys.find()


def test_a_role_that_is_named_is_not_looked_for(metadata: MetadataStandIn) -> None:
    with closing(RoleKeys("reme-node", address=metadata.address, now=lambda: NOW)) as keys:
        keys.find()
    assert metadata.paths == ["/latest/meta-data/ram/security-credentials/reme-node"]


def test_a_machine_without_a_role_says_what_to_do(metadata: MetadataStandIn) -> None:
    metadata.role = ""
    with closing(RoleKeys(address=metadata.address)) as keys, pytest.raises(ModelRefused, match="attach one"):
        keys.find()


def test_what_does_not_read_is_not_shown(metadata: MetadataStandIn) -> None:
    metadata.body = '{"AccessKeyId": "LTAI-half", "AccessKeySecret": "half-a-secret"}'
    with closing(RoleKeys(address=metadata.address)) as keys, pytest.raises(ModelRefused) as refused:
        keys.find()
    assert "half" not in str(refused.value)


def test_no_metadata_service_is_told() -> None:
    with closing(RoleKeys(address="http://127.0.0.1:9")) as keys, pytest.raises(ModelUnavailable, match="access_key"):
        keys.find()


@pytest.mark.usefixtures("without_waits")
def test_green_is_asked_with_the_role_and_a_new_key_where_one_ended(
    metadata: MetadataStandIn, make_green: MakeGreen, server: GreenServer
) -> None:
    server.token = TOKEN
    with closing(RoleKeys(address=metadata.address, now=lambda: NOW)) as keys:
        server.faults.append(Fault.EXPIRED)
        judged = make_green(keys).judge(["tea"], source=TextSource.INPUT)
        assert judged.verdicts == (Verdict(allowed=True),)
        assert len(metadata.paths) == 4
