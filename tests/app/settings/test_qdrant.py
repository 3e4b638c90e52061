"""The settings of Qdrant reach its client: a folder in place of a server, authorities, reading, oversampling."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from app.backends import qdrant
from app.errors import SettingsError
from app.servers import open_index
from app.settings import load_settings
from tests.app.contract.samples import IDENTITY
from tests.app.indexes.samples import ask, entry, numbers

BESIDE = ("vector_index.backend=qdrant", "embedding.backend=hashing")


def test_a_folder_takes_the_place_of_a_server_and_keeps_what_it_was_told(tmp_path: Path) -> None:
    settings = load_settings([*BESIDE, f"qdrant.path={tmp_path / 'vectors'}"])
    for told in (True, False):
        with closing(open_index(settings)) as index:
            index.prepare(IDENTITY)
            if told:
                index.apply([entry(1, "tea")])
            assert numbers(ask(index)) == {1}


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ((), {"oversampling": 0.0, "read_consistency": 0, "ca_file": "", "path": "", "host": "localhost"}),
        (("qdrant.oversampling=3.5",), {"oversampling": 3.5}),
        (("qdrant.read_consistency=quorum",), {"read_consistency": "quorum"}),
        (("qdrant.read_consistency=2", "qdrant.replication_factor=2"), {"read_consistency": 2}),
        (("qdrant.ca_file=authority.pem",), {"ca_file": "authority.pem"}),
        (("qdrant.path=:memory:",), {"path": ":memory:", "host": ""}),
    ],
)
def test_each_reaches_the_client(
    monkeypatch: pytest.MonkeyPatch, given: tuple[str, ...], asked: dict[str, Any]
) -> None:
    received: dict[str, Any] = {}
    monkeypatch.setattr(qdrant, "open_index", received.update)
    open_index(load_settings([*BESIDE, *given]))
    assert {name: received[name] for name in asked} == asked


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("qdrant.oversampling=0.5",), "qdrant.oversampling"),
        (("qdrant.read_consistency=most",), "qdrant.read_consistency"),
        (("qdrant.read_consistency=0",), "qdrant.read_consistency"),
        (("qdrant.path=x", "qdrant.url=http://a:1"), "url and path are both given"),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(given: tuple[str, ...], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load_settings([*BESIDE, *given])


def test_authorities_that_are_none_are_refused_when_the_index_is_opened(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    settings = load_settings([*BESIDE, "qdrant.https=true", f"qdrant.ca_file={tmp_path / 'ca.pem'}"])
    with pytest.raises(SettingsError, match="ca_file of Qdrant"):
        open_index(settings)
