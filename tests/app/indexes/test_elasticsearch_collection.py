"""Elasticsearch's index: made as the settings ask, changed with them, refused where it cannot be."""

import re
from collections.abc import Mapping
from typing import Any

import pytest

from app.backends.elasticsearch import open_index
from app.backends.elasticsearch.collection import CollectionSettings, check_abilities
from app.domain.embedding import EmbeddingIdentity
from app.errors import IndexUnavailable, SettingsError
from tests.app.contract.samples import IDENTITY, OTHER_IDENTITY, vector_of
from tests.app.indexes.elasticsearch_opening import ServerAddress, asking, list_indices, make_name, opened
from tests.app.indexes.samples import ask, entry, numbers

pytestmark = pytest.mark.xdist_group("elasticsearch")

WIDE = EmbeddingIdentity(model="Qwen/Text Embedding_4", dimensions=64)


def read_settings(server: ServerAddress, name: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The settings and the mapping of the one index of a name."""
    with asking(server) as client:
        (made,) = client.indices.get(index=f"{name}-*").body.values()
    return made["settings"]["index"], made["mappings"]


def test_it_is_made_as_the_settings_ask(elasticsearch_server: ServerAddress) -> None:
    name = make_name()
    with opened(
        elasticsearch_server,
        identity=WIDE,
        index_name=name,
        number_of_shards=3,
        number_of_replicas=1,
        refresh_interval="30s",
        max_result_window=50_000,
        m=24,
        ef_construction=120,
    ) as index:
        settings, mapping = read_settings(elasticsearch_server, name)
        assert (settings["number_of_shards"], settings["number_of_replicas"]) == ("3", "1")
        assert (settings["refresh_interval"], settings["max_result_window"]) == ("30s", "50000")
        vector = mapping["properties"]["vector"]
        assert (vector["dims"], vector["similarity"], vector["index"]) == (64, "cosine", True)
        assert vector["index_options"] == {"type": "hnsw", "m": 24, "ef_construction": 120}
        assert mapping["dynamic"] == "strict"
        assert mapping["_source"] == {"enabled": False}
        window, replicas = index.abilities.lacks
        assert "max_result_window is 50000" in window
        assert "number_of_replicas is 1, but the cluster has 1 data node:" in replicas
        index.apply([entry(1, "tea", vector=vector_of("tea", 64))])
        assert index.count() == 1


@pytest.mark.parametrize(("quantization", "algorithm"), [("int8", "int8_hnsw"), ("bbq", "bbq_hnsw")])
def test_quantized_vectors_are_asked_for_by_name(
    elasticsearch_server: ServerAddress, quantization: str, algorithm: str
) -> None:
    name = make_name()
    given = {"index_name": name, "quantization": quantization, "max_result_window": 10_000}
    with opened(elasticsearch_server, identity=WIDE, **given) as index:
        _, mapping = read_settings(elasticsearch_server, name)
        assert mapping["properties"]["vector"]["index_options"]["type"] == algorithm
        assert index.abilities.lacks == ()
        index.apply([entry(number, f"note {number}", vector=vector_of(f"note {number}", 64)) for number in range(1, 9)])
        assert index.count() == 8


def test_the_name_tells_the_model_and_differs_for_each_embedding(elasticsearch_server: ServerAddress) -> None:
    name = make_name()
    with asking(elasticsearch_server) as client, opened(elasticsearch_server, identity=WIDE, index_name=name) as index:
        (first,) = list_indices(client, name)
        assert re.fullmatch(rf"{name}-qwen-text-embedding-4-[0-9a-f]{{10}}", first)
        index.prepare(EmbeddingIdentity(model=WIDE.model, dimensions=64, normalised=False))
        (second,) = list_indices(client, name)
        assert first != second


def test_settings_that_may_change_are_changed(elasticsearch_server: ServerAddress) -> None:
    name = make_name()
    with opened(elasticsearch_server, index_name=name) as index:
        mark = index.prepare(IDENTITY)
        index.apply([entry(1, "tea")])
        with opened(
            elasticsearch_server, index_name=name, refresh_interval="5s", max_result_window=20_000, number_of_replicas=2
        ) as other:
            settings, _ = read_settings(elasticsearch_server, name)
            assert (settings["refresh_interval"], settings["max_result_window"]) == ("5s", "20000")
            assert settings["number_of_replicas"] == "2"
            assert other.prepare(IDENTITY) == mark
            assert numbers(ask(other)) == {1}


@pytest.mark.parametrize("changed", [{"number_of_shards": 2}, {"m": 32}, {"quantization": "int8"}])
def test_what_an_index_keeps_as_it_was_made_is_said(
    elasticsearch_server: ServerAddress, changed: Mapping[str, Any]
) -> None:
    name = make_name()
    with opened(elasticsearch_server, index_name=name) as index:
        index.apply([entry(1, "tea")])
        with (
            opened(elasticsearch_server, identity=None, index_name=name, **changed) as other,
            pytest.raises(SettingsError, match=f"{next(iter(changed))} is .* made with .* delete the index"),
        ):
            other.prepare(IDENTITY)
        assert index.abilities.keywords


def test_settings_that_the_server_refuses_are_told_in_its_words(elasticsearch_server: ServerAddress) -> None:
    for name in ("number_of_shards", "refresh_interval", "max_result_window"):
        with (
            opened(elasticsearch_server, identity=None, **{name: -7}) as index,
            pytest.raises(SettingsError, match=f"refused the settings: .*{name}"),
        ):
            index.prepare(IDENTITY)
    with (
        opened(elasticsearch_server, index_name=(name := make_name())),
        opened(elasticsearch_server, identity=None, index_name=name, refresh_interval="x") as other,
        pytest.raises(SettingsError, match="refused a setting: .*refresh_interval"),
    ):
        other.prepare(IDENTITY)


@pytest.mark.parametrize(
    "wrong",
    [
        {"index_name": "Upper"},
        {"index_name": ""},
        {"index_name": "a*"},
        {"index_name": "-a"},
        {"quantization": "int4"},
        {"m": 100_000},
        {"ef_construction": 1},
        {"num_candidates": 0},
        {"num_candidates": 10_001},
        {"batch": 0},
    ],
)
def test_settings_of_no_such_form_are_refused_before_anything_is_asked(wrong: Mapping[str, Any]) -> None:
    with pytest.raises(SettingsError):
        open_index(["http://127.0.0.1:1"], **wrong)


def settings(quantization: str) -> CollectionSettings:
    """Settings with a quantization."""
    return CollectionSettings(
        prefix="reme",
        number_of_shards=1,
        number_of_replicas=0,
        refresh_interval="30s",
        max_result_window=50_000,
        m=16,
        ef_construction=100,
        quantization=quantization,
    )


@pytest.mark.parametrize(
    ("quantization", "dimensions", "version", "said"),
    [
        ("none", 8, (8, 10), "8.10"),
        ("int8", 8, (8, 17), "8.17"),
        ("bbq", 63, (8, 19), "64"),
        ("none", 4097, (8, 19), "4096"),
    ],
)
def test_what_a_version_does_not_have_is_said_with_the_remedy(
    quantization: str, dimensions: int, version: tuple[int, int], said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        check_abilities(settings(quantization), EmbeddingIdentity(model="x", dimensions=dimensions), version)


@pytest.mark.parametrize(("quantization", "version"), [("none", (8, 11)), ("bbq", (8, 18)), ("int8", (9, 0))])
def test_versions_that_have_it_pass(quantization: str, version: tuple[int, int]) -> None:
    check_abilities(settings(quantization), EmbeddingIdentity(model="x", dimensions=4096), version)


def test_another_service_on_the_same_cluster_keeps_its_indices(elasticsearch_server: ServerAddress) -> None:
    name = make_name()
    with (
        opened(elasticsearch_server, index_name=name) as index,
        opened(elasticsearch_server, index_name=f"{name}-staging") as other,
    ):
        other.apply([entry(1, "tea")])
        index.prepare(OTHER_IDENTITY)
        index.drop()
        assert numbers(ask(other)) == {1}


def test_an_index_of_others_is_left_alone(elasticsearch_server: ServerAddress) -> None:
    name = make_name()
    with asking(elasticsearch_server) as client, opened(elasticsearch_server, index_name=name) as index:
        (made,) = list_indices(client, name)
        index.drop()
        client.indices.create(index=made, settings={"number_of_replicas": 0})
        with pytest.raises(SettingsError, match=f"{made} is not of this service"):
            index.prepare(IDENTITY)
        index.drop()
        assert list_indices(client, name) == [made]
        client.indices.delete(index=made)


def test_a_write_never_makes_an_index(elasticsearch_server: ServerAddress) -> None:
    name = make_name()
    with asking(elasticsearch_server) as client, opened(elasticsearch_server, index_name=name) as index:
        client.indices.delete(index=list_indices(client, name))
        with pytest.raises(IndexUnavailable, match="restart the service"):
            index.apply([entry(1, "tea")])
        assert not list_indices(client, name)


def test_a_closed_index_is_unavailable(elasticsearch_server: ServerAddress) -> None:
    name = make_name()
    with asking(elasticsearch_server) as client, opened(elasticsearch_server, index_name=name) as index:
        client.indices.close(index=list_indices(client, name))
        for attempt in (lambda: index.apply([entry(1, "tea")]), lambda: ask(index), index.count):
            with pytest.raises(IndexUnavailable, match="closed"):
                attempt()
