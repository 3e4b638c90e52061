"""Collections of Qdrant: what they are made with, what is made of those that are there, and what is left alone."""

from collections.abc import Iterator
from typing import Any

import pytest
from qdrant_client import QdrantClient, models

from app.backends import qdrant
from app.backends.qdrant.points import FIELDS
from app.domain.embedding import EmbeddingIdentity
from app.domain.query import MemoryFilter
from app.errors import SettingsError
from tests.app.contract.samples import ALL, HERE, IDENTITY, OTHER_IDENTITY, vector_of
from tests.app.indexes.qdrant_backends import over
from tests.app.indexes.qdrant_engine import EngineClient
from tests.app.indexes.qdrant_grpc import serve_grpc
from tests.app.indexes.qdrant_rest import serve_rest
from tests.app.indexes.qdrant_standin import Standin
from tests.app.indexes.samples import NOW_MS, ask, entry, numbers
from tests.servers.waiting import PATIENCE_S


@pytest.fixture
def engine() -> Iterator[EngineClient]:
    """Qdrant's engine, empty."""
    client = EngineClient()
    yield client
    client.close()


@pytest.fixture
def standin(engine: EngineClient) -> Standin:
    """A stand-in over the engine, without a key."""
    return Standin(engine=engine)


def test_by_rest_a_collection_is_made_as_the_settings_say(standin: Standin) -> None:
    with serve_rest(standin) as port:
        index = qdrant.open_index(
            url=f"http://127.0.0.1:{port}",
            collection_name="memories",
            quantization="int8",
            on_disk=True,
            shard_number=3,
            replication_factor=2,
            write_consistency_factor=2,
            read_consistency="majority",
            oversampling=3.0,
        )
        index.prepare(IDENTITY)
        index.apply([entry(1, "tea")])
        index.nearest(HERE, vector_of("tea"), ALL, limit=7, now_ms=NOW_MS)
        index.nearest(HERE, vector_of("tea"), ALL, limit=7, now_ms=NOW_MS, exact=True)
        index.close()
    (made,) = standin.named("create")
    assert made.collection.startswith("memories-")
    assert made.asked["vectors"] == {"size": 8, "distance": "Cosine", "on_disk": True}
    assert made.asked["hnsw_config"] == {"m": 16, "ef_construct": 200, "on_disk": True}
    assert made.asked["quantization_config"] == {"scalar": {"type": "int8", "quantile": 0.99, "always_ram": True}}
    assert (made.asked["shard_number"], made.asked["replication_factor"]) == (3, 2)
    assert made.asked["write_consistency_factor"] == 2
    indexed = {call.asked["field_name"]: call.asked["field_schema"] for call in standin.named("index")}
    assert set(indexed) == set(FIELDS)
    assert indexed["workspace"] == {"type": "keyword", "is_tenant": True, "on_disk": True}
    assert {call.asked["wait"] for call in (*standin.named("index"), *standin.named("upsert"))} == {"true"}
    quick, exact = standin.named("query")
    assert quick.asked["params"] == {
        "hnsw_ef": 256,
        "quantization": {"rescore": True, "oversampling": 3.0},
        "acorn": {"enable": True},
    }
    assert exact.asked["params"] == {"exact": True, "quantization": {"ignore": True}}
    assert {call.asked["consistency"] for call in (quick, exact)} == {"majority"}
    assert quick.asked["with_payload"] is False


def test_by_grpc_a_collection_is_made_as_the_settings_say(standin: Standin) -> None:
    with serve_grpc(standin) as port:
        index = qdrant.open_index(
            host="127.0.0.1",
            grpc_port=port,
            prefer_grpc=True,
            quantization="binary",
            m=32,
            ef_construct=100,
            ef=64,
            replication_factor=2,
            read_consistency=2,
        )
        index.prepare(IDENTITY)
        index.apply([entry(1, "tea")])
        index.nearest(HERE, vector_of("tea"), ALL, limit=7, now_ms=NOW_MS)
        index.close()
    made = standin.named("create")[0].asked["request"]
    assert made.collection_name.startswith("reme_memory-")
    assert (made.hnsw_config.m, made.hnsw_config.ef_construct) == (32, 100)
    assert made.quantization_config.binary.always_ram
    assert made.replication_factor == 2
    tenants = [
        call.asked["request"].field_name
        for call in standin.named("index")
        if call.asked["request"].field_index_params.keyword_index_params.is_tenant
    ]
    assert tenants == ["workspace"]
    assert standin.named("upsert")[0].asked["request"].wait
    asked = standin.named("query")[0].asked["request"]
    assert asked.params.hnsw_ef == 64
    assert asked.params.quantization.rescore
    assert asked.params.quantization.oversampling == 64 / 8
    assert asked.params.acorn.enable
    assert asked.read_consistency.factor == 2


def test_a_collection_of_another_distance_is_not_used(engine: EngineClient) -> None:
    over(engine, "memories").prepare(IDENTITY)
    with pytest.raises(SettingsError, match=r"distance cosine, not euclidean: set distance back") as refusal:
        over(engine, "memories", distance="euclidean").prepare(IDENTITY)
    assert "another collection_name" in refusal.value.message
    assert len(engine.shards) == 1


def test_a_collection_of_other_vectors_is_not_used(engine: EngineClient) -> None:
    index = over(engine, "memories")
    index.prepare(IDENTITY)
    (name,) = engine.shards
    engine.shards[name].vectors = models.VectorParams(size=99, distance=models.Distance.COSINE)
    with pytest.raises(SettingsError, match="other vectors"):
        index.prepare(IDENTITY)


def test_a_collection_that_is_not_ours_is_neither_used_nor_removed(engine: EngineClient) -> None:
    index = over(engine, "memories")
    index.prepare(IDENTITY)
    (name,) = engine.shards
    engine.shards[name].metadata = {"somebody": "else's"}
    with pytest.raises(SettingsError, match="not of this service"):
        index.prepare(IDENTITY)
    index.drop()
    assert list(engine.shards) == [name]


def test_collections_of_other_names_are_left_alone(engine: EngineClient) -> None:
    one, other = over(engine, "memories"), over(engine, "memories-test")
    one.prepare(IDENTITY)
    mark = other.prepare(IDENTITY)
    other.apply([entry(1, "tea")])
    one.prepare(OTHER_IDENTITY)
    one.drop()
    assert other.prepare(IDENTITY) == mark
    assert numbers(ask(other)) == {1}


def test_a_long_name_of_a_model_makes_no_long_name(engine: EngineClient) -> None:
    index = over(engine, "memories")
    index.prepare(EmbeddingIdentity(model="a/b:c" * 500, dimensions=8))
    (name,) = engine.shards
    assert len(name) < 30


def test_changed_settings_are_brought_to_the_collection(standin: Standin, engine: EngineClient) -> None:
    with serve_rest(standin) as port:
        url = f"http://127.0.0.1:{port}"

        def prepare(**settings: Any) -> str:
            index = qdrant.open_index(url=url, **settings)
            mark = index.prepare(IDENTITY)
            index.close()
            return mark

        mark = prepare()
        assert prepare() == mark
        assert standin.named("change") == []
        assert prepare(m=32, quantization="int8") == mark
        (change,) = standin.named("change")
        assert change.asked["hnsw_config"]["m"] == 32
        assert "scalar" in change.asked["quantization_config"]
        assert prepare(m=32, quantization="int8") == mark
        assert len(standin.named("change")) == 1
        assert prepare(m=32) == mark
        assert standin.named("change")[1].asked["quantization_config"] == "Disabled"
        assert prepare(m=32, replication_factor=2, on_disk=True) == mark
        last = standin.named("change")[2].asked
        assert last["params"] == {"replication_factor": 2, "write_consistency_factor": 1}
        assert last["vectors"] == {"": {"on_disk": True}}


def test_shards_that_differ_are_said(engine: EngineClient) -> None:
    index = over(engine, "memories", shard_number=6)
    index.prepare(IDENTITY)
    (sentence,) = index.abilities.lacks
    assert "has 1 shards, not 6" in sentence


def test_indexes_that_a_process_did_not_come_to_make_are_made_later(standin: Standin, engine: EngineClient) -> None:
    with serve_rest(standin) as port:
        index = qdrant.open_index(url=f"http://127.0.0.1:{port}", timeout_s=PATIENCE_S)
        standin.fail(on="index", status=400, reason="stopped")
        with pytest.raises(SettingsError, match="stopped"):
            index.prepare(IDENTITY)
        mark = index.prepare(IDENTITY)
        assert index.prepare(IDENTITY) == mark
        index.close()
    (name,) = engine.shards
    assert set(engine.get_collection(name).payload_schema) == set(FIELDS)


def test_an_answer_that_was_lost_does_not_make_a_collection_twice(standin: Standin, engine: EngineClient) -> None:
    with serve_rest(standin) as port:
        index = qdrant.open_index(url=f"http://127.0.0.1:{port}")
        make = engine.create_collection

        def make_and_lose(*args: Any, **kwargs: Any) -> bool:
            make(*args, **kwargs)
            raise ValueError("already exists")

        engine.create_collection = make_and_lose  # type: ignore[method-assign]
        mark = index.prepare(IDENTITY)
        assert index.prepare(IDENTITY) == mark
        index.close()


def test_local_mode_keeps_the_mark_in_the_collection() -> None:
    client = QdrantClient(":memory:")
    index = over(client, "memories", is_local=True)
    mark = index.prepare(IDENTITY)
    (described,) = client.get_collections().collections
    metadata = client.get_collection(described.name).config.metadata
    assert metadata is not None
    assert mark in metadata.values()
    assert ask(index, wanted=MemoryFilter(tags=("a",))) == []
    index.close()
