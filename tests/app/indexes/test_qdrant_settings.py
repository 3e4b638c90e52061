"""What the settings of Qdrant may be, and that no key is ever shown."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from app.backends import qdrant
from app.backends.qdrant.address import Address
from app.errors import SettingsError
from tests.app.contract.samples import IDENTITY
from tests.app.indexes.samples import ask, entry, numbers

KEY = "key-0123456789"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "no address"),
        ({"url": "http://a:1", "host": "b"}, "url and host"),
        ({"url": "http://a:1", "path": ":memory:"}, "url and path"),
        ({"url": "a:6333"}, "no form of an address"),
        ({"url": "http://a:99999"}, "no form of an address"),
        ({"url": f"https://me:{KEY}@a:1"}, "api_key"),
        ({"host": f"me:{KEY}@a"}, "host"),
        ({"host": "a", "port": 0}, "port of Qdrant is 0"),
        ({"host": "a", "grpc_port": 70_000}, "grpc_port of Qdrant is 70000"),
        ({"host": "a", "timeout_s": 0}, "timeout_s of Qdrant is 0"),
        ({"host": "a", "ca_file": "missing.pem"}, "missing.pem"),
        ({"host": "a", "distance": "dot"}, "cosine, euclidean, manhattan"),
        ({"host": "a", "quantization": "float32"}, "none, int8, binary"),
        ({"host": "a", "oversampling": 0.5}, "oversampling of Qdrant is 0.5"),
        ({"host": "a", "m": 0}, "m of Qdrant is 0"),
        ({"host": "a", "ef_construct": 3}, "ef_construct of Qdrant is 3"),
        ({"host": "a", "ef": 0}, "ef of Qdrant is 0"),
        ({"host": "a", "batch_size": 0}, "batch_size of Qdrant is 0"),
        ({"host": "a", "shard_number": -1}, "shard_number"),
        ({"host": "a", "replication_factor": 0}, "replication_factor"),
        ({"host": "a", "write_consistency_factor": 2}, "at most replication_factor"),
        ({"host": "a", "read_consistency": 2}, "read_consistency of Qdrant is 2"),
        ({"host": "a", "read_consistency": "most"}, "majority, quorum, all"),
        ({"host": "a", "collection_name": ""}, "collection_name"),
        ({"host": "a", "collection_name": "a/b"}, "a/b"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_with_the_remedy(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(said)) as refusal:
        qdrant.open_index(**settings)
    assert KEY not in refusal.value.message


@pytest.mark.parametrize(
    ("settings", "encrypts"),
    [
        ({"url": "https://a"}, True),
        ({"url": "http://a", "api_key": KEY}, False),
        ({"host": "a"}, False),
        ({"host": "a", "api_key": KEY}, True),
        ({"host": "a", "api_key": KEY, "https": False}, False),
        ({"host": "a", "https": True}, True),
    ],
)
def test_a_key_is_protected_unless_told_otherwise(settings: dict[str, Any], encrypts: bool) -> None:
    index = qdrant.open_index(**settings)
    assert Address(**settings).encrypts is encrypts
    assert any("unencrypted" in sentence for sentence in index.abilities.lacks) is (
        "api_key" in settings and not encrypts
    )
    index.close()


def test_the_key_is_in_no_representation() -> None:
    address = Address(url="https://a", api_key=KEY)
    index = qdrant.open_index(url="https://a", api_key=KEY)
    for shown in (repr(address), str(address), repr(index), repr(vars(index))):
        assert KEY not in shown
    index.close()


def test_what_the_settings_give_up_is_said() -> None:
    index = qdrant.open_index(host="a", distance="manhattan", replication_factor=2)
    assert not index.abilities.exact
    assert [sentence for sentence in index.abilities.lacks if "Manhattan" in sentence]
    assert [sentence for sentence in index.abilities.lacks if "1 of 2 replicas" in sentence]
    index.close()
    sure = qdrant.open_index(
        host="a", replication_factor=3, write_consistency_factor=2, read_consistency="majority", distance="euclidean"
    )
    assert sure.abilities.lacks == ()
    assert sure.abilities.exact
    sure.close()


# a client that is refused leaves the file of the lock open
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_folder_keeps_what_it_holds_and_is_one_process_s(tmp_path: Path) -> None:
    folder = str(tmp_path / "index")
    index = qdrant.open_index(path=folder)
    mark = index.prepare(IDENTITY)
    index.apply([entry(1, "tea", metadata={"x": 1})])
    with pytest.raises(SettingsError, match="another process"):
        qdrant.open_index(path=folder)
    index.close()
    index.close()
    again = qdrant.open_index(path=folder)
    assert again.prepare(IDENTITY) == mark
    assert numbers(ask(again, "tea")) == {1}
    assert [sentence for sentence in again.abilities.lacks if "trials" in sentence]
    again.close()


def test_threads_share_local_mode(tmp_path: Path) -> None:
    index = qdrant.open_index(path=str(tmp_path / "index"))
    index.prepare(IDENTITY)

    def write_and_read(number: int) -> bool:
        index.apply([entry(number, f"note {number}")])
        return number in numbers(ask(index, f"note {number}"))

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(write_and_read, range(1, 81)))
    assert index.count() == 80
    index.close()


def test_a_folder_that_cannot_be_is_a_matter_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(SettingsError, match="folder"):
        qdrant.open_index(path=str(tmp_path / "file"))
