"""What can go wrong in the memory service.

    MemoryServiceError
    +-- InvalidRequest                400  the request contradicts a rule
    |   +-- SettingsError                  a setting cannot be used
    |   +-- ContentRefused            422  content moderation refuses a text
    +-- Unauthenticated               401  no key, or one that does not open
    +-- Forbidden                     403  the role lacks the permission
    +-- NotFound                      404  not there, or not for you
    +-- VersionConflict               409  another change came first
    +-- IdempotencyConflict           409  the key was used for another request
    +-- AlreadyExists                 409
    +-- PayloadTooLarge               413
    +-- RateLimited                   429  with the seconds to wait
    +-- ModelError                    502  a model gave no usable answer
    |   +-- ModelUnavailable          503  not reached, or overloaded, until the deadline
    |   +-- ModelTimeout              504  no answer before the deadline
    |   +-- ModelRefused              502  the provider refused the key, the model or the request
    |   |   +-- AnswerWithheld             content moderation refuses what the model answered
    |   +-- MalformedAnswer           502  not the JSON that was asked for, or wrong dimensions
    |   +-- SpendCapReached           402  the workspace's budget is used up
    +-- ModerationUnavailable         503  a text could not be judged, and is refused for it
    +-- StoreError                    500
        +-- StoreBusy                 503  another writer holds the lock
        +-- StoreFull                 507  no space left on the device
        +-- StoreUnavailable          503  the database's server does not answer
        +-- IndexUnavailable          503  the vector index's server does not answer
        +-- StoreCorrupt              500  a page does not read
        +-- EmbeddingMismatch              the store was built with another embedding
        +-- SchemaTooNew                   the store was written by a newer release

The docstring of a class is its message when none is given.
"""

from dataclasses import dataclass

from app.domain.usage import NO_TOKENS, TokenUsage


class MemoryServiceError(Exception):
    """The memory service failed."""

    status = 500
    slug = "internal-error"

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())

    @property
    def message(self) -> str:
        """What happened and what to do."""
        return str(self)


class InvalidRequest(MemoryServiceError):
    """The request contradicts a rule."""

    status = 400
    slug = "invalid-request"


class SettingsError(InvalidRequest):
    """A setting cannot be used."""

    slug = "invalid-settings"


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """Which text was refused, such as "memory 2", and the labels of what was found in it; never the text."""

    place: str
    labels: tuple[str, ...]

    @property
    def reason(self) -> str:
        """The labels in words."""
        return ", ".join(self.labels) or "no label"


class ContentRefused(InvalidRequest):
    """Content moderation refuses a text: change it or leave it out."""

    status = 422
    slug = "content-refused"

    def __init__(self, message: str = "", *, refusals: tuple[Refusal, ...] = ()) -> None:
        super().__init__(message)
        self.refusals = refusals


class Unauthenticated(MemoryServiceError):
    """An API key is needed: send it in the X-API-Key header or as a Bearer token."""

    status = 401
    slug = "unauthenticated"


class Forbidden(MemoryServiceError):
    """The key's role does not allow this."""

    status = 403
    slug = "forbidden"


class NotFound(MemoryServiceError):
    """There is no such thing here."""

    status = 404
    slug = "not-found"


class VersionConflict(MemoryServiceError):
    """The memory was changed in between: read it again and repeat the change."""

    status = 409
    slug = "version-conflict"


class IdempotencyConflict(MemoryServiceError):
    """This Idempotency-Key was used for another request: take a new one."""

    status = 409
    slug = "idempotency-conflict"


class AlreadyExists(MemoryServiceError):
    """This is there already."""

    status = 409
    slug = "already-exists"


class PayloadTooLarge(MemoryServiceError):
    """The request's body is too large: send it in parts."""

    status = 413
    slug = "payload-too-large"


class RateLimited(MemoryServiceError):
    """Too many requests with this key: wait and repeat."""

    status = 429
    slug = "rate-limited"

    def __init__(self, message: str = "", *, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ModelError(MemoryServiceError):
    """A model gave no usable answer."""

    status = 502
    slug = "model-error"

    def __init__(self, message: str = "", *, usage: TokenUsage | None = None) -> None:
        super().__init__(message)
        self.usage = usage or NO_TOKENS
        """What the provider counted for the attempts that failed."""


class ModelUnavailable(ModelError):
    """The model's provider cannot be reached or is overloaded: repeat the request later."""

    status = 503
    slug = "model-unavailable"


class ModelTimeout(ModelError):
    """The model did not answer in time: repeat the request later, or allow it more time."""

    status = 504
    slug = "model-timeout"


class ModelRefused(ModelError):
    """The model's provider refused the request: check the key, the model's name and the address."""

    slug = "model-refused"


class AnswerWithheld(ModelRefused):
    """Content moderation refuses what the model answered."""

    slug = "answer-withheld"


class MalformedAnswer(ModelError):
    """The model's answer is not what was asked for."""

    slug = "malformed-answer"


class SpendCapReached(ModelError):
    """The workspace has spent what it may on models: raise its cap, or wait for the next period."""

    status = 402
    slug = "spend-cap-reached"


class ModerationUnavailable(MemoryServiceError):
    """Content moderation cannot judge the text, so it is not kept: repeat the request later."""

    status = 503
    slug = "moderation-unavailable"


class StoreError(MemoryServiceError):
    """The store failed; nothing of this request was written."""

    slug = "store-error"


class StoreBusy(StoreError):
    """Another process holds the store's write lock: repeat the request, or stop the other writer."""

    status = 503
    slug = "store-busy"


class StoreFull(StoreError):
    """No space is left for the store; nothing was written and nothing was lost: free some space, then repeat."""

    status = 507
    slug = "store-full"


class StoreUnavailable(StoreError):
    """The store's server does not answer: repeat the request later, and look at the server."""

    status = 503
    slug = "store-unavailable"


class IndexUnavailable(StoreError):
    """The vector index does not answer: repeat the request later, and look at its server."""

    status = 503
    slug = "index-unavailable"


class StoreCorrupt(StoreError):
    """The store has a page that does not read: stop the service and run `reme doctor`."""

    slug = "store-corrupt"


class EmbeddingMismatch(StoreError):
    """The store was built with another embedding than the one configured."""

    slug = "embedding-mismatch"


class SchemaTooNew(StoreError):
    """The store was written by a newer release: upgrade this one."""

    slug = "schema-too-new"
