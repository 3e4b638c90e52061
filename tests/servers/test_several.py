"""What consists of several servers: a pair of PostgreSQL, Sentinels, a cluster; and databases and buckets of tests."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest
from botocore.exceptions import ClientError
from redis.cluster import RedisCluster
from redis.sentinel import Sentinel

from tests.servers.buckets import Buckets
from tests.servers.postgres import Databases, PostgresPair
from tests.servers.valkey import ValkeyCluster, ValkeySentinels
from tests.servers.waiting import PATIENCE_S

pytestmark = pytest.mark.slow


def test_databases_are_apart_and_made_from_a_template(postgres_server: Databases) -> None:
    pattern = postgres_server.new_database()
    with closing(psycopg.connect(pattern, autocommit=True)) as connection:
        connection.execute("CREATE EXTENSION vector")
        connection.execute("CREATE TABLE words AS SELECT 'kept' AS word, '[1]'::vector AS v")
    one, other = postgres_server.new_database(pattern), postgres_server.new_database()
    with closing(psycopg.connect(one, autocommit=True)) as connection:
        assert connection.execute("SELECT word FROM words").fetchall() == [("kept",)]
        postgres_server.drop_database(one)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    with closing(psycopg.connect(other)) as connection, pytest.raises(psycopg.errors.UndefinedTable):
        connection.execute("SELECT word FROM words")
    for each in (one, other, pattern):
        postgres_server.drop_database(each)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(other)


def test_a_promoted_replica_has_what_the_primary_acknowledged(postgres_pair: PostgresPair) -> None:
    primary, replica = postgres_pair.primary, postgres_pair.replica
    primary.execute("CREATE TABLE words (word text)")
    primary.execute("INSERT INTO words VALUES ('kept')")
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        replica.execute("INSERT INTO words VALUES ('refused')")
    primary.kill()
    replica.promote()
    replica.execute("INSERT INTO words VALUES ('later')")
    assert replica.execute("SELECT word FROM words ORDER BY word") == [("kept",), ("later",)]


def test_sentinels_make_the_replica_primary(valkey_sentinels: ValkeySentinels) -> None:
    old = valkey_sentinels.find_primary()
    assert old == (valkey_sentinels.primary.host, valkey_sentinels.primary.port)
    sentinel: Any = Sentinel(valkey_sentinels.addresses, socket_timeout=PATIENCE_S)  # type: ignore[no-untyped-call]
    with closing(sentinel):
        with closing(sentinel.master_for(valkey_sentinels.service_name)) as client:
            client.set("word", "kept")
            assert client.wait(1, 60_000) == 1
        valkey_sentinels.primary.kill()
        valkey_sentinels.wait_for_replica()
        assert valkey_sentinels.find_primary() == (valkey_sentinels.replica.host, valkey_sentinels.replica.port)
        with closing(sentinel.master_for(valkey_sentinels.service_name)) as client:
            assert client.get("word") == b"kept"


def test_a_cluster_shares_its_keys_out(valkey_cluster: ValkeyCluster) -> None:
    host, port = valkey_cluster.addresses[0]
    with closing(RedisCluster(host=host, port=port)) as client:
        for number in range(100):
            client.set(f"key-{number}", number)
        assert [client.get(f"key-{number}") for number in range(100)] == [b"%d" % number for number in range(100)]
    kept = [int(node.ask("DBSIZE")) for node in valkey_cluster.nodes]
    assert sum(kept) == 100 and all(kept)


@pytest.fixture(params=["seaweed_server", "ministack_server"])
def buckets(request: pytest.FixtureRequest) -> Iterator[Buckets]:
    """Each object store in turn."""
    yield request.getfixturevalue(str(request.param))


def test_buckets_have_versions_locks_and_encryption(buckets: Buckets) -> None:
    client, name = buckets.client, buckets.new_bucket(object_lock=True)
    first = client.put_object(Bucket=name, Key="k", Body=b"one", ServerSideEncryption="AES256")["VersionId"]
    client.put_object(Bucket=name, Key="k", Body=b"two", ServerSideEncryption="AES256")
    assert client.get_object(Bucket=name, Key="k")["Body"].read() == b"two"
    assert client.get_object(Bucket=name, Key="k", VersionId=first)["Body"].read() == b"one"
    assert client.head_object(Bucket=name, Key="k")["ServerSideEncryption"] == "AES256"
    client.put_object_legal_hold(Bucket=name, Key="k", VersionId=first, LegalHold={"Status": "ON"})
    with pytest.raises(ClientError, match="AccessDenied"):
        client.delete_object(Bucket=name, Key="k", VersionId=first)
    client.put_object_legal_hold(Bucket=name, Key="k", VersionId=first, LegalHold={"Status": "OFF"})
    buckets.drop_all()
    assert name not in [each["Name"] for each in client.list_buckets()["Buckets"]]


def test_only_seaweed_checks_signatures(seaweed_server: Buckets) -> None:
    stranger = Buckets(seaweed_server.endpoint, seaweed_server.access_key, "wrong")
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        stranger.client.list_buckets()
    stranger.disconnect()
