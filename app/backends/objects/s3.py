"""Objects in a bucket of S3, or of any store that speaks it."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, NoCredentialsError
from botocore.exceptions import ConnectionError as NotConnected

from app.backends.objects.cloud import ATTEMPTS, Bucket, tell_away, translate_code
from app.backends.objects.limits import MOST_BYTES, THERE, check_size
from app.domain.objects import StoredObject, check_object_name, is_object_name
from app.errors import AlreadyExists, NotFound, StoreError

CONNECTIONS = 32
_OUT_OF_RANGE = ("InvalidRange", "416")


class S3ObjectStore:
    """The `ObjectStore` in a bucket. An object is whole or not there, and durable when the store has answered.

    Requests are signed (version 4) and carry a checksum of what is written; failed ones are repeated with jitter.
    """

    def __init__(self, bucket: Bucket, *, most_bytes: int = MOST_BYTES) -> None:
        self._bucket, self._most_bytes = bucket, most_bytes
        self._client: Any = boto3.session.Session().client(
            "s3",
            region_name=bucket.region or None,
            endpoint_url=bucket.endpoint,
            aws_access_key_id=bucket.access_key,
            aws_secret_access_key=bucket.secret_key,
            aws_session_token=bucket.session_token,
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": "path" if bucket.path_style else "auto"},
                retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
                connect_timeout=bucket.timeout_s,
                read_timeout=bucket.timeout_s,
                max_pool_connections=CONNECTIONS,
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )
        self._extra: dict[str, str] = {}
        if bucket.encryption == "server":
            self._extra["ServerSideEncryption"] = "AES256"
        elif bucket.encryption == "kms":
            self._extra["ServerSideEncryption"] = "aws:kms"
            if bucket.kms_key_id:
                self._extra["SSEKMSKeyId"] = bucket.kms_key_id
        if bucket.storage_class:
            self._extra["StorageClass"] = bucket.storage_class

    @property
    def most_bytes(self) -> int:
        """The most bytes that an object may have."""
        return self._most_bytes

    def check(self) -> None:
        """Raise where the bucket cannot be used: it is missing, the key is refused, or the store is away."""
        with self._translated("look at"):
            self._client.list_objects_v2(Bucket=self._bucket.name, Prefix=self._bucket.folder, MaxKeys=1)

    def put(self, name: str, content: bytes) -> None:
        """Keep an object, whole and durable when this returns."""
        self._write(name, content)

    def create(self, name: str, content: bytes) -> None:
        """Keep an object that is not there yet, or raise `AlreadyExists`."""
        # A store that does not know If-None-Match overwrites: then at least not what was there before.
        with suppress(NotFound):
            self.size(name)
            raise AlreadyExists(THERE)
        self._write(name, content, IfNoneMatch="*")

    def size(self, name: str) -> int:
        """How many bytes an object has, or `NotFound`."""
        key = self._key(name)
        with self._translated("look at"):
            return int(self._client.head_object(Bucket=self._bucket.name, Key=key)["ContentLength"])

    def read(self, name: str, *, offset: int = 0, limit: int | None = None) -> bytes:
        """At most `limit` bytes from `offset` on, or `NotFound`."""
        key = self._key(name)
        if limit is not None and limit <= 0:
            self.size(name)
            return b""
        last = "" if limit is None else str(offset + limit - 1)
        wanted = {"Range": f"bytes={offset}-{last}"} if offset or last else {}
        with self._translated("read"):
            try:
                body = self._client.get_object(Bucket=self._bucket.name, Key=key, **wanted)["Body"]
                content: bytes = body.read()
            except ClientError as fault:
                if _code(fault) in _OUT_OF_RANGE:
                    return b""
                raise
        return content if limit is None else content[:limit]

    def delete(self, name: str) -> bool:
        """Remove an object; returns whether it was there."""
        try:
            self.size(name)
        except NotFound:
            return False
        with self._translated("remove"):
            self._client.delete_object(Bucket=self._bucket.name, Key=self._key(name))
        return True

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """The objects whose names begin so, in the order of their names."""
        token: dict[str, str] = {}
        while True:
            with self._translated("list"):
                page = self._client.list_objects_v2(
                    Bucket=self._bucket.name, Prefix=self._bucket.folder + prefix, **token
                )
            for entry in page.get("Contents", ()):
                name = entry["Key"].removeprefix(self._bucket.folder)
                if is_object_name(name):  # others are nobody's of this service
                    yield StoredObject(
                        name=name, bytes=entry["Size"], modified_ms=int(entry["LastModified"].timestamp() * 1000)
                    )
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()

    def _write(self, name: str, content: bytes, **condition: str) -> None:
        check_size(content, self._most_bytes)
        key = self._key(name)
        with self._translated("write"):
            self._client.put_object(
                Bucket=self._bucket.name,
                Key=key,
                Body=content,
                ContentType="application/octet-stream",
                ChecksumAlgorithm="SHA256",
                **self._extra,
                **condition,
            )

    def _key(self, name: str) -> str:
        return self._bucket.folder + check_object_name(name)

    @contextmanager
    def _translated(self, deed: str) -> Iterator[None]:
        """Raise errors of the service for those of the client; no key stands in them."""
        try:
            yield
        except ClientError as fault:
            raise translate_code(_code(fault), self._bucket, deed) from fault
        except NoCredentialsError as fault:
            raise StoreError(
                f"there is no key for bucket {self._bucket.name}: give storage.access_key and storage.secret_key, "
                "or run where the machine's role may use the bucket"
            ) from fault
        except (HTTPClientError, NotConnected) as fault:
            raise tell_away(self._bucket, fault) from fault
        except BotoCoreError as fault:
            raise StoreError(
                f"could not {deed} a stored object in bucket {self._bucket.name} ({type(fault).__name__}): "
                "check the settings storage.*"
            ) from fault


def _code(fault: ClientError) -> str:
    return str(fault.response.get("Error", {}).get("Code", "unknown"))
