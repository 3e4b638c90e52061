"""What can go wrong between a client and a provider."""

from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """A fault of one call. Those of the second group are answers that were paid for."""

    HANG = "no answer at all"
    RATE_LIMITED = "429"
    SERVER_ERROR = "500"
    UNAUTHORISED = "401"
    NOT_FOUND = "404"
    BAD_REQUEST = "400"
    BAD_FORMAT = "400 where there is a response_format"
    REDIRECT = "307 to another host"
    ENDLESS_REFUSAL = "403 with a body without an end"
    DROPPED = "connection dropped before the answer"

    TRUNCATED = "connection dropped in the middle of the body"
    TRICKLE = "a byte of the body now and then"
    NOT_JSON = "a body that is no JSON"
    NOT_AN_ANSWER = "JSON that is no answer"
    EMPTY = "no choice, or no vector"
    MISSING_USAGE = "no usage"
    FLOOD = "a body without an end"
    PACKED = "a body in gzip, for which nobody asked"

    BROKEN_VALUE = "text that breaks off within JSON"
    WRONG_SCHEMA = "JSON of another schema"
    CUT_OFF = "finish_reason length"
    FILTERED = "finish_reason content_filter"

    WRONG_DIMENSIONS = "vectors that are longer than asked for"
    WRONG_COUNT = "a vector too few"
    NOT_A_NUMBER = "NaN in a vector"
    ZERO = "a vector of zeros"
    WRONG_INDEX = "two vectors with one index"


@dataclass(frozen=True, kw_only=True)
class Failing:
    """A fault that the next calls have: after `after` good ones, `times` of them, or all where that is None."""

    fault: Fault
    on: str
    times: int | None
    after: int
    retry_after: str
    retry_after_ms: str
    message: str
    code: str
    location: str


STATUSES: dict[Fault, tuple[int, str, str]] = {
    Fault.RATE_LIMITED: (429, "rate_limit_exceeded", "Rate limit reached"),
    Fault.SERVER_ERROR: (500, "server_error", "The server had an error"),
    Fault.UNAUTHORISED: (401, "invalid_api_key", "Incorrect API key provided"),
    Fault.NOT_FOUND: (404, "model_not_found", "The model does not exist"),
    Fault.BAD_REQUEST: (400, "invalid_request_error", "Invalid value"),
    Fault.BAD_FORMAT: (400, "invalid_request_error", "This response_format type is unavailable now"),
}
"""The status, code and message of faults that are refusals."""
