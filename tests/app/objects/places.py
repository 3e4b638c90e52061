"""Buckets of the tests' servers, as the service is told of them."""

from typing import Any

from app.backends.objects.cloud import Bucket
from tests.servers.buckets import Buckets
from tests.servers.oss import OssStandIn


def place_s3(buckets: Buckets, name: str, **fields: Any) -> Bucket:
    """A place in a bucket of a server that speaks S3."""
    given = {
        "name": name,
        "region": buckets.region,
        "endpoint": buckets.endpoint,
        "access_key": buckets.access_key,
        "secret_key": buckets.secret_key,
        "prefix": "tests/of/",
        "path_style": True,
        **fields,
    }
    return Bucket(**given)


def place_oss(stand_in: OssStandIn, name: str = "reme", **fields: Any) -> Bucket:
    """A place in a bucket of the stand-in for OSS."""
    given = {
        "name": name,
        "region": stand_in.region,
        "endpoint": stand_in.endpoint,
        "access_key": stand_in.access_key,
        "secret_key": stand_in.secret_key,
        "prefix": "tests/of",
        "path_style": True,
        **fields,
    }
    return Bucket(**given)
