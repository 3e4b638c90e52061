"""What a machine of Alibaba Cloud asks: metadata, OSS, the secrets of OOS, the registry and Auto Scaling, here.

Each checks what Alibaba Cloud does: a token for metadata, signatures by an implementation of its own.
"""

import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from tests.servers.oss import OssStandIn, StoredFile, run_oss

ROLE, TOKEN, METADATA_TOKEN = "reme-host", "token/of+the=role", "token-of-metadata"
FOLDER = "/latest/meta-data/ram/security-credentials/"
LEEWAY = timedelta(minutes=15)
INSTANCE, GROUP, ACTIVITY, HOOK = "i-me", "asg-blue", "asa-1", "ash-start"


@dataclass(eq=False)
class AlicloudServices:
    """`oss` has the buckets, `secrets` the values by name. `absences` is how often the role is not attached yet;
    `refused` says why calls were. `serving` are the instances of the group in service, `waiting` those that
    a lifecycle hook holds by the token of their activity, `hardened` those whose metadata answer for a token alone."""

    oss: OssStandIn
    port: int = 0
    secrets: dict[str, str] = field(default_factory=dict)
    absences: int = 0
    refused: list[str] = field(default_factory=list)
    serving: list[str] = field(default_factory=lambda: [INSTANCE])
    waiting: dict[str, list[str]] = field(default_factory=dict)
    hardened: list[str] = field(default_factory=list)

    @property
    def places(self) -> dict[str, str]:
        """The addresses, as a machine has them."""
        here = f"http://127.0.0.1:{self.port}"
        objects = f"{self.oss.endpoint}/{{bucket}}"
        return {"metadata": here, "region": self.oss.region, "objects": objects, "parameters": here,
                "registry": here, "scaling": here, "machines": here}  # fmt: skip

    def put(self, bucket: str, key: str, content: bytes) -> None:
        """Keep an object."""
        self.oss.buckets.setdefault(bucket, {})[key] = StoredFile(content, datetime.now(UTC), {})

    def answer(self, action: str, query: dict[str, str]) -> dict[str, Any]:
        """What the registry and Auto Scaling answer."""
        match action:
            case "GetAuthorizationToken":
                return {"data": {"tempUserName": "cr_temp_user", "authorizationToken": "token:of==registry"}}
            case "ModifyInstanceMetadataOptions":
                self.hardened.append(query["InstanceId"])
                assert (query["HttpEndpoint"], query["HttpTokens"]) == ("enabled", "required")
            case "DescribeScalingInstances":
                group, wanted = query.get("ScalingGroupId"), query.get("InstanceIds.1")
                found = [wanted] if wanted else self.serving if group == GROUP else []
                return {
                    "ScalingInstances": [
                        {"InstanceId": each, "ScalingGroupId": GROUP, "ScalingActivityId": ACTIVITY} for each in found
                    ]
                }
            case "DescribeLifecycleActions":
                held = self.waiting.items() if query.get("ScalingActivityId") == ACTIVITY else ()
                return {
                    "LifecycleActions": [
                        {
                            "InstanceIds": each,
                            "LifecycleActionStatus": "Pending",
                            "LifecycleActionToken": token,
                            "LifecycleHookId": HOOK,
                        }
                        for token, each in held
                    ]
                }
            case "CompleteLifecycleAction":
                assert (query["LifecycleHookId"], query["LifecycleActionResult"]) == (HOOK, "CONTINUE")
                self.serving += self.waiting.pop(query["LifecycleActionToken"])
        return {}

    def find_keys(self) -> dict[str, str]:
        """The role's keys, as metadata give them."""
        return {
            "Code": "Success",
            "AccessKeyId": self.oss.access_key,
            "AccessKeySecret": self.oss.secret_key,
            "SecurityToken": TOKEN,
            "Expiration": "2099-01-01T00:00:00Z",
        }


@contextmanager
def run_services() -> Iterator[AlicloudServices]:
    """Running services."""
    with run_oss() as oss:
        services = AlicloudServices(oss)
        handler = type("Handler", (_Handler,), {"services": services})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        services.port = server.server_address[1]
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield services
        finally:
            server.shutdown()
            server.server_close()
            thread.join(30)


class _Handler(BaseHTTPRequestHandler):
    services: ClassVar[AlicloudServices]

    def log_message(self, format: str, *args: Any) -> None:
        return

    def do_PUT(self) -> None:
        lasts = int(self.headers.get("X-aliyun-ecs-metadata-token-ttl-seconds") or 0)
        known = self.path == "/latest/api/token" and 1 <= lasts <= 21_600
        self._answer(200 if known else 400, METADATA_TOKEN if known else "")

    def do_GET(self) -> None:
        if self.path.startswith(FOLDER):
            self._answer_metadata(self.path.removeprefix(FOLDER))
            return
        if self.path == "/latest/meta-data/instance-id":
            known = self.headers.get("X-aliyun-ecs-metadata-token") == METADATA_TOKEN
            self._answer(200 if known else 403, INSTANCE if known else "")
            return
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        reason = verify(self.services, urlsplit(self.path).query, headers, path=urlsplit(self.path).path)
        if not reason and headers["x-acs-action"] != "GetSecretParameter":
            self._answer(200, json.dumps(self.services.answer(headers["x-acs-action"], query)))
            return
        value = self.services.secrets.get(query.get("Name", ""))
        if reason:
            self.services.refused.append(reason)
            self._answer(403, json.dumps({"Code": reason}))
        elif value is None:
            self._answer(404, json.dumps({"Code": "EntityNotExists.Parameter"}))
        else:
            shown = value if query.get("WithDecryption") == "true" else ""
            self._answer(200, json.dumps({"Parameter": {"Name": query["Name"], "Value": shown}}))

    def do_POST(self) -> None:
        """Another value for a secret that is there; a form in the body."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        form = {name: values[0] for name, values in parse_qs(body.decode(), keep_blank_values=True).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        reason = verify(self.services, "", headers, method="POST", body=body)
        if reason:
            self.services.refused.append(reason)
            self._answer(403, json.dumps({"Code": reason}))
        elif form["Name"] not in self.services.secrets:
            self._answer(404, json.dumps({"Code": "EntityNotExists.Parameter"}))
        else:
            self.services.secrets[form["Name"]] = form["Value"]
            self._answer(200, json.dumps({"Parameter": {"Name": form["Name"]}}))

    def _answer_metadata(self, rest: str) -> None:
        if self.headers.get("X-aliyun-ecs-metadata-token") != METADATA_TOKEN:
            self._answer(403, "")
        elif self.services.absences > 0:
            self.services.absences -= 1
            self._answer(404, "")
        elif rest in ("", ROLE):
            self._answer(200, json.dumps(self.services.find_keys()) if rest else ROLE)
        else:
            self._answer(404, "")

    def _answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())


CALLS = {
    "GetSecretParameter": ("2019-06-01", "/"),
    "UpdateSecretParameter": ("2019-06-01", "/"),
    "GetAuthorizationToken": ("2016-06-07", "/tokens"),
    "DescribeScalingInstances": ("2022-02-22", "/"),
    "DescribeLifecycleActions": ("2022-02-22", "/"),
    "CompleteLifecycleAction": ("2022-02-22", "/"),
    "ModifyInstanceMetadataOptions": ("2014-05-26", "/"),
}
"""The version and the path of each call."""


def verify(
    services: AlicloudServices,
    query: str,
    headers: dict[str, str],
    *,
    path: str = "/",
    method: str = "GET",
    body: bytes = b"",
) -> str:
    """Why a call is refused; empty where it is signed with the role's keys and asks for what there is."""
    keys = services.oss.access_key, services.oss.secret_key
    if reason := check_signature(keys, query, headers, path=path, method=method, body=body):
        return reason
    if headers.get("x-acs-security-token") != TOKEN:
        return "InvalidSecurityToken.Malformed"
    if CALLS.get(headers["x-acs-action"]) != (headers["x-acs-version"], path):
        return "InvalidAction.NotFound"
    return ""


def check_signature(
    keys: tuple[str, str],
    query: str,
    headers: dict[str, str],
    *,
    path: str = "/",
    method: str = "GET",
    body: bytes = b"",
) -> str:
    """Why a call's signature by a key and its secret is none; empty where version 3 of the signature is right. Pairs
    of the query must be in order."""
    algorithm, _, rest = headers.get("authorization", "").partition(" ")
    parts = dict(part.partition("=")[::2] for part in rest.split(","))
    signed = parts.get("SignedHeaders", "").split(";")
    if algorithm != "ACS3-HMAC-SHA256" or parts.get("Credential") != keys[0]:
        return "InvalidAccessKeyId.NotFound"
    needed = {"host", "content-type"} if body else {"host"}
    if signed != sorted({name for name in headers if name.startswith("x-acs-")} | needed):
        return "IncompleteSignature"
    pairs = "&".join(sorted(query.split("&")))
    lines = "".join(f"{name}:{headers[name]}\n" for name in signed)
    request = f"{method}\n{path}\n{pairs}\n{lines}\n{';'.join(signed)}\n{sha256(body).hexdigest()}"
    text = f"ACS3-HMAC-SHA256\n{sha256(request.encode()).hexdigest()}"
    if hmac.new(keys[1].encode(), text.encode(), sha256).hexdigest() != parts.get("Signature"):
        return "SignatureDoesNotMatch"
    sent = datetime.strptime(headers["x-acs-date"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    if abs(datetime.now(UTC) - sent) > LEEWAY:
        return "InvalidTimeStamp.Expired"
    return ""
