"""TLS to a Qdrant server, by REST and by gRPC."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.backends import qdrant
from app.errors import IndexUnavailable, SettingsError
from tests.app.contract.samples import IDENTITY
from tests.app.indexes.qdrant_world import SERVING, World
from tests.app.indexes.samples import ask, entry, numbers
from tests.servers.certificates import make_certificates


@pytest.fixture(params=list(SERVING))
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """A stand-in that is not started yet."""
    with ExitStack() as stack:
        yield World(str(request.param), stack)


def test_tls_with_an_authority_of_one_s_own(world: World, tmp_path: Path) -> None:
    authority, certificate = make_certificates(tmp_path)
    world.start(certificate=certificate)
    index = world.open(https=True, ca_file=authority)
    index.prepare(IDENTITY)
    index.apply([entry(1, "tea")])
    assert numbers(ask(index)) == {1}
    assert not [sentence for sentence in index.abilities.lacks if "unencrypted" in sentence]


def test_a_certificate_that_is_not_trusted_is_not_spoken_to(world: World, tmp_path: Path) -> None:
    _, certificate = make_certificates(tmp_path)
    world.start(certificate=certificate)
    with pytest.raises(IndexUnavailable, match="127.0.0.1"):
        world.open(https=True, timeout_s=2.0).prepare(IDENTITY)
    assert world.standin.calls == []


def test_an_authority_s_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(SettingsError, match="PEM"):
        qdrant.open_index(host="a", ca_file=str(tmp_path / "ca.pem"))
