"""A stand-in for Alibaba Cloud's OSS: its wire protocol for the calls that the service makes, from its documentation.

Not OSS: no such server can be had. It keeps objects in RAM and checks what a client must do right: signatures of
version 4 and version 1, the date's distance, the names of headers. Answers are XML without a namespace, as OSS's.
"""

import base64
import hmac
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime
from hashlib import md5, sha1, sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, ClassVar
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from xml.sax.saxutils import escape

LEEWAY_S = 15 * 60
"""OSS refuses a request whose date is further away (RequestTimeTooSkewed)."""
SUBRESOURCES = frozenset({"acl", "lifecycle", "location", "versioning", "uploads", "uploadId", "partNumber"})
V1_QUERY = SUBRESOURCES | {"continuation-token"}


@dataclass(eq=False)
class StoredFile:
    """An object and the headers that it was stored with."""

    content: bytes
    modified: datetime
    headers: dict[str, str]


@dataclass(eq=False)
class OssStandIn:
    """Buckets in RAM. `fail_next` answers the next calls with a status and a code; `seen` notes each request."""

    region: str = "cn-beijing"
    access_key: str = "LTAI-stand-in"
    secret_key: str = "stand-in-secret"  # noqa: S105 - of nobody
    port: int = 0
    buckets: dict[str, dict[str, StoredFile]] = field(default_factory=dict)
    uploads: dict[str, dict[int, bytes]] = field(default_factory=dict)
    fail_next: list[tuple[int, str]] = field(default_factory=list)
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    @property
    def endpoint(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def new_bucket(self, name: str) -> str:
        """An empty bucket."""
        self.buckets[name] = {}
        return name


class Refusal(Exception):
    """An answer other than success."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code


@contextmanager
def run_oss() -> Iterator[OssStandIn]:
    """A running stand-in."""
    stand_in = OssStandIn()
    handler = type("Handler", (_Handler,), {"stand_in": stand_in})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    stand_in.port = server.server_address[1]
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        server.server_close()
        thread.join(30)


class _Handler(BaseHTTPRequestHandler):
    stand_in: ClassVar[OssStandIn]
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        return

    def handle_any(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size)
        if len(body) < size:  # the client went away in the middle: nobody is answered, and no part is kept
            self.close_connection = True
            return
        parts = urlsplit(self.path)
        bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            with self.stand_in.lock:
                self.stand_in.seen.append((self.command, self.path, headers))
                if self.stand_in.fail_next:
                    raise Refusal(*self.stand_in.fail_next.pop(0))
                check_signature(self.stand_in, self.command, parts.path, query, headers)
                if headers.get("content-md5") not in (None, base64.b64encode(md5(body).digest()).decode()):  # noqa: S324
                    raise Refusal(400, "InvalidDigest")
                if bucket not in self.stand_in.buckets:
                    raise Refusal(404, "NoSuchBucket")
                files = self.stand_in.buckets[bucket]
                status, answer, extra = (
                    _answer_part(self.stand_in, files, self.command, key, query, body)
                    if key and ("uploads" in query or "uploadId" in query)
                    else _answer_object(files, self.command, key, headers, body)
                    if key
                    else (200, _list_objects(bucket, files, query), {"Content-Type": "application/xml"})
                )
        except Refusal as refusal:
            status, extra = refusal.status, {"Content-Type": "application/xml"}
            answer = (
                f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{refusal.code}</Code><Message>{refusal.code}'
                "</Message><RequestId>0</RequestId><HostId>stand-in</HostId><EC>0</EC></Error>"
            ).encode()
        self.send_response(status)
        for name, value in {"x-oss-request-id": "0", "Content-Length": str(len(answer)), **extra}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = handle_any  # noqa: N815


def _answer_part(
    stand_in: OssStandIn, files: dict[str, StoredFile], method: str, key: str, query: dict[str, str], body: bytes
) -> tuple[int, bytes, dict[str, str]]:
    """An upload in parts: it is begun, parts come, and it ends with the list of them."""
    if (method, query.get("uploads")) == ("POST", ""):
        number = f"upload-{len(stand_in.uploads) + 1}"
        stand_in.uploads[number] = {}
        answer = f"<InitiateMultipartUploadResult><UploadId>{number}</UploadId></InitiateMultipartUploadResult>"
        return 200, answer.encode(), {"Content-Type": "application/xml"}
    if query["uploadId"] not in stand_in.uploads:
        raise Refusal(404, "NoSuchUpload")
    parts = stand_in.uploads[query["uploadId"]]
    if method == "PUT":
        parts[int(query["partNumber"])] = body
        return 200, b"", {"ETag": _tag(body)}
    listed = re.findall(r"<Part><PartNumber>(\d+)</PartNumber><ETag>([^<]+)</ETag></Part>", body.decode())
    if listed != [(str(number), _tag(parts[number])) for number in sorted(parts)]:
        raise Refusal(400, "InvalidPart")
    files[key] = StoredFile(b"".join(parts[number] for number in sorted(parts)), datetime.now(UTC), {})
    return 200, b"", {"Content-Type": "application/xml"}


def _tag(body: bytes) -> str:
    return f'"{md5(body).hexdigest().upper()}"'  # noqa: S324


def _answer_object(
    files: dict[str, StoredFile], method: str, key: str, headers: dict[str, str], body: bytes
) -> tuple[int, bytes, dict[str, str]]:
    if method == "PUT":
        if headers.get("x-oss-forbid-overwrite") == "true" and key in files:
            raise Refusal(409, "FileAlreadyExists")
        kept = {name: value for name, value in headers.items() if name.startswith("x-oss-") or name == "content-type"}
        files[key] = StoredFile(body, datetime.now(UTC), kept)
        return 200, b"", {"ETag": _tag(body)}
    if method == "DELETE":
        files.pop(key, None)
        return 204, b"", {}
    if key not in files:
        raise Refusal(404, "NoSuchKey")
    file = files[key]
    facts = {"Last-Modified": formatdate(file.modified.timestamp(), usegmt=True), "x-oss-object-type": "Normal"}
    facts |= {name: value for name, value in file.headers.items() if name.startswith("x-oss-meta-")}
    if method == "HEAD":
        return 200, b"", facts | {"Content-Length": str(len(file.content))}
    wanted = headers.get("range", "")
    if not wanted:
        return 200, file.content, facts
    first, _, last = wanted.removeprefix("bytes=").partition("-")
    size = len(file.content)
    if int(first) >= size:
        if headers.get("x-oss-range-behavior") == "standard":
            raise Refusal(416, "InvalidRange")
        return 200, file.content, facts
    end = min(int(last) if last else size - 1, size - 1)
    return 206, file.content[int(first) : end + 1], facts | {"Content-Range": f"bytes {first}-{end}/{size}"}


def _list_objects(bucket: str, files: dict[str, StoredFile], query: dict[str, str]) -> bytes:
    prefix, most = query.get("prefix", ""), int(query.get("max-keys", "100"))
    if not 1 <= most <= 1000:
        raise Refusal(400, "InvalidArgument")
    encode = quote if query.get("encoding-type") == "url" else str
    after = base64.b64decode(query["continuation-token"]).decode() if query.get("continuation-token") else ""
    names = sorted(name for name in files if name.startswith(prefix) and name > after)
    page = names[:most]
    entries = "".join(
        f"<Contents><Key>{escape(encode(name))}</Key><LastModified>{files[name].modified:%Y-%m-%dT%H:%M:%S.000Z}"
        f"</LastModified><ETag>0</ETag><Type>Normal</Type><Size>{len(files[name].content)}</Size>"
        "<StorageClass>Standard</StorageClass></Contents>"
        for name in page
    )
    more = len(names) > most
    token = (
        f"<NextContinuationToken>{base64.b64encode(page[-1].encode()).decode()}</NextContinuationToken>" if more else ""
    )
    kind = f"<EncodingType>{query['encoding-type']}</EncodingType>" if query.get("encoding-type") else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><Name>{bucket}</Name><Prefix>'
        f"{escape(encode(prefix))}</Prefix><MaxKeys>{most}</MaxKeys>{kind}<IsTruncated>{str(more).lower()}"
        f"</IsTruncated><KeyCount>{len(page)}</KeyCount>{token}{entries}</ListBucketResult>"
    ).encode()


def check_signature(
    stand_in: OssStandIn, method: str, path: str, query: dict[str, str], headers: dict[str, str]
) -> None:
    """Raise `Refusal` unless a request is signed with the stand-in's key, by version 4 or version 1."""
    authorization = headers.get("authorization", "")
    if authorization.startswith("OSS4-HMAC-SHA256 "):
        _check_version_4(stand_in, method, path, query, headers, authorization.partition(" ")[2])
    elif authorization.startswith("OSS "):
        _check_version_1(stand_in, method, path, query, headers, authorization.removeprefix("OSS "))
    else:
        raise Refusal(403, "AccessDenied")


def _check_date(moment: datetime) -> None:
    if abs((datetime.now(UTC) - moment).total_seconds()) > LEEWAY_S:
        raise Refusal(403, "RequestTimeTooSkewed")


def _check_version_4(
    stand_in: OssStandIn, method: str, path: str, query: dict[str, str], headers: dict[str, str], text: str
) -> None:
    given = dict(part.strip().split("=", 1) for part in text.split(","))
    key_id, _, scope = given["Credential"].partition("/")
    date, region, product, terminator = scope.split("/")
    if key_id != stand_in.access_key:
        raise Refusal(403, "InvalidAccessKeyId")
    moment = headers.get("x-oss-date", "")
    if (region, product, terminator, date) != (stand_in.region, "oss", "aliyun_v4_request", moment[:8]):
        raise Refusal(400, "InvalidArgument")
    _check_date(datetime.strptime(moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC))
    additional = [name for name in given.get("AdditionalHeaders", "").split(";") if name]
    signed = {
        name: value.strip()
        for name, value in headers.items()
        if name in ("content-type", "content-md5") or name.startswith("x-oss-") or name in additional
    }
    pairs = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in query.items())
    request = "\n".join(
        (
            method,
            quote(unquote(path), safe="/-_.~"),
            "&".join(f"{name}={value}" if value else name for name, value in pairs),
            "".join(f"{name}:{value}\n" for name, value in sorted(signed.items())),
            ";".join(sorted(additional)),
            headers.get("x-oss-content-sha256", "UNSIGNED-PAYLOAD"),
        )
    )
    digest = sha256(request.encode()).hexdigest()
    to_sign = "\n".join(("OSS4-HMAC-SHA256", moment, scope, digest))
    key = b"aliyun_v4" + stand_in.secret_key.encode()
    for part in (date, region, product, terminator):
        key = hmac.new(key, part.encode(), sha256).digest()
    if not hmac.compare_digest(hmac.new(key, to_sign.encode(), sha256).hexdigest(), given.get("Signature", "")):
        raise Refusal(403, "SignatureDoesNotMatch")


def _check_version_1(
    stand_in: OssStandIn, method: str, path: str, query: dict[str, str], headers: dict[str, str], text: str
) -> None:
    key_id, _, signature = text.partition(":")
    if key_id != stand_in.access_key:
        raise Refusal(403, "InvalidAccessKeyId")
    moment = headers.get("x-oss-date") or headers.get("date", "")
    _check_date(parsedate_to_datetime(moment))
    own = "".join(f"{name}:{value}\n" for name, value in sorted(headers.items()) if name.startswith("x-oss-"))
    pairs = sorted((name, value) for name, value in query.items() if name in V1_QUERY)
    resource = unquote(path) + ("?" + "&".join(f"{n}={v}" if v else n for n, v in pairs) if pairs else "")
    to_sign = "\n".join(
        (method, headers.get("content-md5", ""), headers.get("content-type", ""), moment, own + resource)
    )
    made = base64.b64encode(hmac.new(stand_in.secret_key.encode(), to_sign.encode(), sha1).digest()).decode()
    if not hmac.compare_digest(made, signature):
        raise Refusal(403, "SignatureDoesNotMatch")
