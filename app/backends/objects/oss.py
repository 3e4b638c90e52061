"""Objects in a bucket of Alibaba Cloud's OSS."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import alibabacloud_oss_v2 as oss
import requests
from alibabacloud_oss_v2 import exceptions
from alibabacloud_oss_v2.retry import StandardRetryer

from app.backends.objects.cloud import ATTEMPTS, Bucket, tell_away, translate_code
from app.backends.objects.limits import MOST_BYTES, THERE, check_size
from app.backends.ram_role import NoRoleKey, RamRole
from app.domain.objects import StoredObject, check_object_name, is_object_name
from app.errors import AlreadyExists, NotFound, StoreError, StoreUnavailable

PAGE = 1000
"""The most that OSS lists at once."""
_LONGEST_PAUSE_S = 5.0


class OssObjectStore:
    """The `ObjectStore` in a bucket of OSS. An object is whole or not there, and durable when OSS has answered.

    Requests are signed (version 4), what is written is checked by CRC-64, failed ones are repeated with jitter.
    Without a key the variables OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET are read, as Alibaba Cloud's tools do; where
    they are not set either, the RAM role of the ECS instance gives a key, which is renewed before it ends.
    """

    def __init__(self, bucket: Bucket, *, most_bytes: int = MOST_BYTES, role: RamRole | None = None) -> None:
        self._bucket, self._most_bytes = bucket, most_bytes
        self._client: Any = oss.Client(
            oss.config.Config(
                region=bucket.region,
                endpoint=bucket.endpoint,
                credentials_provider=_find_credentials(bucket, role or RamRole()),
                retryer=StandardRetryer(max_attempts=ATTEMPTS, max_backoff=_LONGEST_PAUSE_S),
                connect_timeout=bucket.timeout_s,
                readwrite_timeout=bucket.timeout_s,
                use_path_style=bucket.path_style,
            )
        )
        self._extra: dict[str, str] = {}
        if bucket.encryption == "server":
            self._extra["server_side_encryption"] = "AES256"
        elif bucket.encryption == "kms":
            self._extra["server_side_encryption"] = "KMS"
            if bucket.kms_key_id:
                self._extra["server_side_encryption_key_id"] = bucket.kms_key_id
        if bucket.storage_class:
            self._extra["storage_class"] = bucket.storage_class

    @property
    def most_bytes(self) -> int:
        """The most bytes that an object may have."""
        return self._most_bytes

    def check(self) -> None:
        """Raise where the bucket cannot be used: it is missing, the key is refused, or OSS is away."""
        with self._translated("look at"):
            self._client.list_objects_v2(
                oss.ListObjectsV2Request(bucket=self._bucket.name, prefix=self._bucket.folder, max_keys=1)
            )

    def put(self, name: str, content: bytes) -> None:
        """Keep an object, whole and durable when this returns."""
        self._write(name, content)

    def create(self, name: str, content: bytes) -> None:
        """Keep an object that is not there yet, or raise `AlreadyExists`."""
        # A bucket with versions overwrites in spite of the header: then at least not what was there before.
        with suppress(NotFound):
            self.size(name)
            raise AlreadyExists(THERE)
        self._write(name, content, forbid_overwrite="true")

    def size(self, name: str) -> int:
        """How many bytes an object has, or `NotFound`."""
        key = self._key(name)
        with self._translated("look at"):
            found = self._client.head_object(oss.HeadObjectRequest(bucket=self._bucket.name, key=key))
        return int(found.content_length)

    def read(self, name: str, *, offset: int = 0, limit: int | None = None) -> bytes:
        """At most `limit` bytes from `offset` on, or `NotFound`."""
        key = self._key(name)
        if limit is not None and limit <= 0:
            self.size(name)
            return b""
        last = "" if limit is None else str(offset + limit - 1)
        wanted: dict[str, str] = {}
        if offset or last:
            # Without "standard" OSS answers a range beyond the end with the whole object.
            wanted = {"range_header": f"bytes={offset}-{last}", "range_behavior": "standard"}
        with self._translated("read"):
            try:
                found = self._client.get_object(oss.GetObjectRequest(bucket=self._bucket.name, key=key, **wanted))
                with found.body as body:
                    content: bytes = body.read()
            except exceptions.OperationError as fault:
                if _code(fault) == "InvalidRange":
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
            self._client.delete_object(oss.DeleteObjectRequest(bucket=self._bucket.name, key=self._key(name)))
        return True

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """The objects whose names begin so, in the order of their names."""
        token: str | None = None
        while True:
            with self._translated("list"):
                page = self._client.list_objects_v2(
                    oss.ListObjectsV2Request(
                        bucket=self._bucket.name,
                        prefix=self._bucket.folder + prefix,
                        max_keys=PAGE,
                        continuation_token=token,
                    )
                )
            for entry in page.contents or ():
                name = entry.key.removeprefix(self._bucket.folder)
                if is_object_name(name):  # others are nobody's of this service
                    yield StoredObject(
                        name=name, bytes=entry.size, modified_ms=int(entry.last_modified.timestamp() * 1000)
                    )
            if not page.is_truncated:
                return
            token = page.next_continuation_token

    def _write(self, name: str, content: bytes, **condition: str) -> None:
        check_size(content, self._most_bytes)
        key = self._key(name)
        with self._translated("write"):
            self._client.put_object(
                oss.PutObjectRequest(
                    bucket=self._bucket.name,
                    key=key,
                    body=content,
                    content_type="application/octet-stream",
                    **self._extra,
                    **condition,
                )
            )

    def _key(self, name: str) -> str:
        return self._bucket.folder + check_object_name(name)

    @contextmanager
    def _translated(self, deed: str) -> Iterator[None]:
        """Raise errors of the service for those of the client; no key stands in them."""
        try:
            yield
        except exceptions.OperationError as fault:
            inner = fault.unwrap()
            if isinstance(inner, exceptions.ServiceError):
                raise translate_code(_code(fault), self._bucket, deed) from fault
            if isinstance(inner, exceptions.CredentialsBaseError):
                raise _tell_keyless(self._bucket, inner) from None
            raise tell_away(self._bucket, inner) from fault
        except (exceptions.BaseError, requests.RequestException) as fault:
            # A body that breaks off while it is read is the transport's error, which the client passes on.
            raise tell_away(self._bucket, fault) from fault


def _find_credentials(bucket: Bucket, role: RamRole) -> Any:
    if bucket.access_key and bucket.secret_key:
        return oss.credentials.StaticCredentialsProvider(bucket.access_key, bucket.secret_key, bucket.session_token)
    with suppress(exceptions.CredentialsBaseError):
        return oss.credentials.EnvironmentVariableCredentialsProvider()

    def find() -> Any:
        key = role.find()
        return oss.credentials.Credentials(key.id, key.secret, key.session_token)

    return oss.credentials.CredentialsProviderFunc(find)


def _tell_keyless(bucket: Bucket, fault: exceptions.CredentialsBaseError) -> StoreError:
    """The error for a bucket that there is no key to, which may pass where the machine's role gave none this time."""
    cause = fault.kwargs.get("error")
    reason = f"{cause}, or" if isinstance(cause, NoRoleKey) else "there is none:"
    error = StoreUnavailable if isinstance(cause, NoRoleKey) and cause.away else StoreError
    return error(
        f"no key for bucket {bucket.name} was found: {reason} give storage.access_key and storage.secret_key, or set "
        "OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET"
    )


def _code(fault: exceptions.OperationError) -> str:
    """The store's code of an error; a HEAD's answer has no body, so only the status tells."""
    inner = fault.unwrap()
    if not isinstance(inner, exceptions.ServiceError):
        return ""
    code = str(inner.code or "")
    return code if code and code != "BadErrorResponse" else str(inner.status_code)
