"""Buckets of a server that speaks S3."""

from secrets import token_hex
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

REGION = "us-east-1"
_GONE = "NoSuchBucket"


class Buckets:
    """Where a server is, and buckets of a test's own in it."""

    def __init__(self, endpoint: str, access_key: str, secret_key: str, *, region: str = REGION) -> None:
        self.endpoint, self.region = endpoint, region
        self.access_key, self.secret_key = access_key, secret_key
        self._made: list[str] = []
        self._client: Any = None

    @property
    def client(self) -> Any:
        """A client of the server."""
        if self._client is None:
            self._client = boto3.client(
                "s3",
                endpoint_url=self.endpoint,
                aws_access_key_id=self.access_key,
                aws_secret_access_key=self.secret_key,
                region_name=self.region,
                config=Config(s3={"addressing_style": "path"}, proxies={}),
            )
        return self._client

    def disconnect(self) -> None:
        """Close the client's connections; the next use opens new ones."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def new_bucket(self, *, versioning: bool = False, object_lock: bool = False) -> str:
        """The name of a new bucket; with object lock it has versions too."""
        name = f"reme-{token_hex(8)}"
        self.client.create_bucket(Bucket=name, **({"ObjectLockEnabledForBucket": True} if object_lock else {}))
        if versioning or object_lock:
            self.client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        self._made.append(name)
        return name

    def drop_all(self) -> None:
        """Drop every bucket that was made, with all versions in it; what is locked against deletion stays."""
        for name in self._made:
            try:
                self._drop(name)
            except ClientError as error:
                if error.response["Error"]["Code"] not in {_GONE, "AccessDenied", "BucketNotEmpty"}:
                    raise
        self._made.clear()

    def _drop(self, name: str) -> None:
        for page in self.client.get_paginator("list_object_versions").paginate(Bucket=name):
            for each in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                self.client.delete_object(Bucket=name, Key=each["Key"], VersionId=each["VersionId"])
        self.client.delete_bucket(Bucket=name)
