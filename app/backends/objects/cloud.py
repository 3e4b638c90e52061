"""What object stores in clouds have in common: where a bucket is, and how their refusals are told."""

from dataclasses import dataclass, field
from typing import Literal

from app.backends.objects.limits import THERE
from app.errors import AlreadyExists, NotFound, StoreBusy, StoreError, StoreFull, StoreUnavailable

ATTEMPTS = 4
"""Tries of a call, the first included, with jitter between."""
_GONE = ("NoSuchKey", "404", "NotFound")
_FULL = ("QuotaExceeded", "StorageFull", "XMinioStorageFull", "InsufficientCapacity", "InsufficientStorage", "507")
_BUSY = ("SlowDown", "ServiceUnavailable", "RequestLimitExceeded", "Throttling", "TooManyRequests", "503", "429")
_REFUSED = ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "403")
_NO_BUCKET = ("NoSuchBucket", "InvalidBucketName", "PermanentRedirect", "AuthorizationHeaderMalformed")
_LOCKED = ("ObjectLocked", "FileImmutable", "InvalidObjectState")
_THERE = ("FileAlreadyExists", "PreconditionFailed", "412", "ConditionalRequestConflict")
"""Somebody else made it: OSS's word, S3's, and S3's for one that is being made at the same time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bucket:
    """A place in a bucket and the key to it; without a key the client's own chain finds one.

    `prefix` ends with a slash or is empty. `timeout_s` is for one attempt.
    """

    name: str
    region: str = ""
    endpoint: str | None = None
    access_key: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    prefix: str = ""
    path_style: bool = False
    encryption: Literal["none", "server", "kms"] = "none"
    kms_key_id: str = ""
    storage_class: str = ""
    timeout_s: float = 30.0

    @property
    def folder(self) -> str:
        """The prefix with the slash that it may lack."""
        return f"{self.prefix.rstrip('/')}/" if self.prefix else ""


def translate_code(code: str, bucket: Bucket, deed: str) -> StoreError | NotFound | AlreadyExists:
    """The error of the service for a store's code of an error."""
    if code in _GONE:
        return NotFound("the stored object is not there any more")
    if code in _THERE:
        return AlreadyExists(THERE)
    if code in _FULL:
        return StoreFull("no space is left for stored objects; nothing was kept: free some space, then repeat")
    if code in _BUSY:
        return StoreBusy(f"bucket {bucket.name} answers {code}: repeat the request later")
    if code in _REFUSED:
        return StoreError(
            f"could not {deed} a stored object in bucket {bucket.name} ({code}): check storage.access_key, "
            "storage.secret_key and what the key may do"
        )
    if code in _NO_BUCKET:
        return StoreError(
            f"bucket {bucket.name} cannot be used ({code}): check storage.bucket, storage.region and storage.endpoint"
        )
    if code in _LOCKED:
        return StoreError(
            f"could not {deed} a stored object in bucket {bucket.name}: a retention lock holds it ({code})"
        )
    return StoreError(f"could not {deed} a stored object in bucket {bucket.name} ({code}): look at the store's own log")


def tell_away(bucket: Bucket, fault: Exception) -> StoreUnavailable:
    """The error for a store that does not answer."""
    return StoreUnavailable(
        f"the object store of bucket {bucket.name} does not answer ({type(fault).__name__}): repeat the request later, "
        "and look at storage.endpoint"
    )
