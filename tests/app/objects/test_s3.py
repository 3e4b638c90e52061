"""Objects in S3: signatures, encryption, versions, retention, storage classes, and servers that fail."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest

from app.backends.objects.cloud import Bucket
from app.backends.objects.s3 import S3ObjectStore
from app.errors import MemoryServiceError, NotFound, StoreError, StoreUnavailable
from tests.app.objects.places import place_s3
from tests.servers.buckets import Buckets
from tests.servers.proxy import Proxy
from tests.servers.seaweed import SeaweedServer
from tests.servers.waiting import PATIENCE_S, wait_until

NAME, OTHER = f"{'a' * 32}/{'1' * 32}", f"{'a' * 32}/{'2' * 32}"
SEAWEED = pytest.mark.xdist_group("seaweed")


@SEAWEED
class TestSignatures:
    @pytest.mark.parametrize("field", ["access_key", "secret_key"])
    def test_a_wrong_key_is_refused_and_never_shown(self, seaweed_server: Buckets, field: str) -> None:
        place = place_s3(seaweed_server, seaweed_server.new_bucket(), **{field: "canary-0123456789abcdef"})
        with closing(S3ObjectStore(place)) as store:
            for act in (store.check, lambda: store.put(NAME, b"tea"), lambda: store.read(NAME)):
                with pytest.raises(StoreError, match=r"storage\.access_key") as caught:
                    act()
                assert "canary" not in str(caught.value) + repr(place)

    def test_a_missing_bucket_is_told(self, seaweed_server: Buckets) -> None:
        with (
            closing(S3ObjectStore(place_s3(seaweed_server, "no-such-bucket-0"))) as store,
            pytest.raises(StoreError, match="bucket no-such-bucket-0 cannot be used"),
        ):
            store.check()


@SEAWEED
class TestWhatIsKept:
    def test_prefixes_keep_deployments_apart(self, seaweed_server: Buckets) -> None:
        bucket = seaweed_server.new_bucket()
        with (
            closing(S3ObjectStore(place_s3(seaweed_server, bucket, prefix="a"))) as one,
            closing(S3ObjectStore(place_s3(seaweed_server, bucket, prefix="b/"))) as other,
        ):
            one.put(NAME, b"tea")
            assert list(other.list()) == []
            assert not other.delete(NAME)
            assert one.read(NAME) == b"tea"
        keys = [each["Key"] for each in seaweed_server.client.list_objects_v2(Bucket=bucket)["Contents"]]
        assert keys == [f"a/{NAME}"]

    def test_what_others_keep_in_the_bucket_is_left_alone(self, seaweed_server: Buckets) -> None:
        bucket = seaweed_server.new_bucket()
        seaweed_server.client.put_object(Bucket=bucket, Key="tests/of/notes.txt", Body=b"of somebody else")
        with closing(S3ObjectStore(place_s3(seaweed_server, bucket))) as store:
            store.put(NAME, b"tea")
            assert [each.name for each in store.list()] == [NAME]

    def test_more_than_a_page_is_listed(self, seaweed_server: Buckets) -> None:
        bucket = seaweed_server.new_bucket()
        names = [f"{'a' * 32}/{number:032x}" for number in range(1_050)]

        def put(some: list[str]) -> None:
            with closing(S3ObjectStore(place_s3(seaweed_server, bucket))) as store:
                for name in some:
                    store.put(name, b"x")

        threads = [Thread(target=put, args=(names[start::4],)) for start in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with closing(S3ObjectStore(place_s3(seaweed_server, bucket))) as store:
            assert [each.name for each in store.list()] == names

    def test_it_is_encrypted_where_that_is_asked_for(self, seaweed_server: Buckets) -> None:
        bucket = seaweed_server.new_bucket()
        with closing(S3ObjectStore(place_s3(seaweed_server, bucket, encryption="server"))) as store:
            store.put(NAME, b"tea" * 1000)
            assert store.read(NAME, offset=3, limit=3) == b"tea"
        head = seaweed_server.client.head_object(Bucket=bucket, Key=f"tests/of/{NAME}")
        assert head["ServerSideEncryption"] == "AES256"

    def test_an_earlier_version_can_be_had_back(self, seaweed_server: Buckets) -> None:
        bucket = seaweed_server.new_bucket(versioning=True)
        with closing(S3ObjectStore(place_s3(seaweed_server, bucket))) as store:
            store.put(NAME, b"old")
            store.put(NAME, b"new")
            assert store.delete(NAME)
            with pytest.raises(NotFound):
                store.read(NAME)
            assert [each.name for each in store.list()] == []
        versions = seaweed_server.client.list_object_versions(Bucket=bucket)["Versions"]
        bodies = {
            seaweed_server.client.get_object(Bucket=bucket, Key=each["Key"], VersionId=each["VersionId"])["Body"].read()
            for each in versions
        }
        assert bodies == {b"old", b"new"}

    def test_a_retention_lock_outlives_our_deletion(self, seaweed_server: Buckets) -> None:
        bucket = seaweed_server.new_bucket(object_lock=True)
        with closing(S3ObjectStore(place_s3(seaweed_server, bucket))) as store:
            store.put(NAME, b"kept by law")
            client, key = seaweed_server.client, f"tests/of/{NAME}"
            [version] = client.list_object_versions(Bucket=bucket)["Versions"]
            until = datetime.now(UTC) + timedelta(minutes=10)
            retention = {"Mode": "COMPLIANCE", "RetainUntilDate": until}
            client.put_object_retention(Bucket=bucket, Key=key, VersionId=version["VersionId"], Retention=retention)
            assert store.delete(NAME)
            with pytest.raises(client.exceptions.ClientError):
                client.delete_object(Bucket=bucket, Key=key, VersionId=version["VersionId"])
            body = client.get_object(Bucket=bucket, Key=key, VersionId=version["VersionId"])["Body"]
            assert body.read() == b"kept by law"


@pytest.mark.xdist_group("ministack")
class TestStorageClasses:
    """On an emulator, which keeps classes and rules but moves nothing by itself."""

    def test_new_objects_are_of_the_class_asked_for(self, ministack_server: Buckets) -> None:
        bucket = ministack_server.new_bucket()
        with closing(S3ObjectStore(place_s3(ministack_server, bucket, storage_class="STANDARD_IA"))) as store:
            store.put(NAME, b"tea")
            assert store.read(NAME) == b"tea"
        head = ministack_server.client.head_object(Bucket=bucket, Key=f"tests/of/{NAME}")
        assert head["StorageClass"] == "STANDARD_IA"

    def test_rules_of_transition_apply_to_our_prefix(self, ministack_server: Buckets) -> None:
        bucket = ministack_server.new_bucket()
        rule = {
            "ID": "archive",
            "Status": "Enabled",
            "Filter": {"Prefix": "tests/of/"},
            "Transitions": [{"Days": 30, "StorageClass": "GLACIER_IR"}],
            "Expiration": {"Days": 90},
        }
        client = ministack_server.client
        client.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
        with closing(S3ObjectStore(place_s3(ministack_server, bucket))) as store:
            store.put(NAME, b"tea")
            assert store.read(NAME) == b"tea"
        [kept] = client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
        assert kept["Transitions"][0]["StorageClass"] == "GLACIER_IR"
        assert f"tests/of/{NAME}".startswith(kept["Filter"]["Prefix"])


@SEAWEED
@pytest.mark.slow
class TestFaults:
    @pytest.fixture
    def place(self, own_seaweed: SeaweedServer) -> Bucket:
        return place_s3(own_seaweed, own_seaweed.new_bucket(), timeout_s=PATIENCE_S)

    @pytest.fixture
    def store(self, place: Bucket) -> Iterator[S3ObjectStore]:
        with closing(S3ObjectStore(place)) as store:
            yield store

    def test_what_was_acknowledged_outlives_a_killed_server(
        self, own_seaweed: SeaweedServer, store: S3ObjectStore
    ) -> None:
        acknowledged: list[str] = []
        failures: list[MemoryServiceError] = []

        def write() -> None:
            for number in range(100_000):
                name = f"{'a' * 32}/{number:032x}"
                try:
                    store.put(name, name.encode())
                except MemoryServiceError as error:
                    failures.append(error)
                    return
                acknowledged.append(name)

        writer = Thread(target=write)
        writer.start()
        wait_until(lambda: len(acknowledged) >= 50 or bool(failures), "some objects to be acknowledged")
        assert not failures
        own_seaweed.kill()
        writer.join()
        assert isinstance(failures[0], StoreError)
        own_seaweed.start()
        assert all(store.read(name) == name.encode() for name in acknowledged)

    def test_a_paused_server_is_told_as_unavailable_and_goes_on_later(
        self, own_seaweed: SeaweedServer, store: S3ObjectStore, place: Bucket
    ) -> None:
        store.put(NAME, b"tea")
        own_seaweed.pause()
        try:
            with (
                closing(S3ObjectStore(replace(place, timeout_s=2.0))) as hasty,
                pytest.raises(StoreUnavailable, match="does not answer"),
            ):
                hasty.read(NAME)
        finally:
            own_seaweed.resume()
        assert store.read(NAME) == b"tea"
        store.put(OTHER, b"coffee")


@SEAWEED
def test_a_way_that_breaks_off_leaves_the_old_object_or_the_new(seaweed_server: Buckets) -> None:
    host, _, port = seaweed_server.endpoint.rpartition("//")[2].partition(":")
    bucket = seaweed_server.new_bucket()
    with Proxy(host, int(port)) as proxy:
        place = place_s3(
            seaweed_server, bucket, endpoint=proxy.stands_for(seaweed_server.endpoint), timeout_s=PATIENCE_S
        )
        with closing(S3ObjectStore(place)) as store:
            store.put(NAME, b"old" * 1000)
            proxy.refuse()
            with pytest.raises(StoreUnavailable):
                store.put(NAME, b"new" * 1000)
            proxy.recover()
            assert store.read(NAME) == b"old" * 1000
            store.put(NAME, b"new" * 1000)
            assert store.read(NAME) == b"new" * 1000
