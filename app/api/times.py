"""Moments as clients write and read them; inside they are milliseconds since 1970 in UTC."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated

from pydantic import BeforeValidator, TypeAdapter, WithJsonSchema
from pydantic_core import PydanticCustomError, ValidationError

from app.errors import InvalidRequest
from app.service.limits import check_moment

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_DATETIME = TypeAdapter(datetime)


@lru_cache(maxsize=8192)
def write_moment(ms: int) -> str:
    """RFC 3339 in UTC with milliseconds, e.g. "2026-11-22T11:52:21.390Z"."""
    return (EPOCH + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds")[:-6] + "Z"


def read_moment(text: object) -> int:
    """Milliseconds of an RFC 3339 date-time, or of a date (its first moment); without a zone it is UTC."""
    if not isinstance(text, str) or text.lstrip("+-").replace(".", "", 1).isdigit():
        raise PydanticCustomError("moment", "give a date and time such as 2026-11-22T11:52:21Z")
    try:
        moment = _DATETIME.validate_python(text)
    except ValidationError as error:
        raise PydanticCustomError("moment", "give a date and time such as 2026-11-22T11:52:21Z") from error
    try:
        ms = ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - EPOCH) // _MILLISECOND
        check_moment("the moment", ms)  # a zone may lead out of the years that can be written in UTC
    except (OverflowError, InvalidRequest) as error:
        raise PydanticCustomError("moment", "give a moment of the years 1 to 9999") from error
    return ms


Moment = Annotated[
    int,
    BeforeValidator(read_moment),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-22T11:52:21Z"]}),
]
"""A field that a client writes as a date-time and a handler reads as milliseconds."""
