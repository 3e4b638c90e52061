#!/usr/bin/env python3
"""`podman` as far as a deployment calls it, for machines without: its images are files, its push is a real one.

STANDING_PODMAN is a folder to keep images in; STANDING_REGISTRY is where a registry really is, if not where it is said.
"""

import base64
import hashlib
import json
import os
import sys
from http.client import HTTPSConnection
from pathlib import Path

STORE = Path(os.environ["STANDING_PODMAN"])


def option(name: str) -> str:
    return sys.argv[sys.argv.index(name) + 1]


def send(host: str, method: str, path: str, body: bytes, kind: str = "application/octet-stream") -> str:
    sign_in = json.loads(Path(os.environ["REGISTRY_AUTH_FILE"]).read_text())["auths"][host]["auth"]
    connection = HTTPSConnection(os.environ.get("STANDING_REGISTRY", host))
    connection.request(method, path, body, {"Authorization": f"Basic {sign_in}", "Content-Type": kind})
    answer = connection.getresponse()
    answer.read()
    if answer.status >= 300:
        sys.exit(f"{method} {path}: {answer.status}")
    return answer.headers["Location"] or ""


def push(image: str) -> None:
    host, _, rest = image.partition("/")
    name, _, tag = rest.rpartition(":")
    content = json.dumps({"architecture": (STORE / image.replace("/", "_")).read_text(), "os": "linux"}).encode()
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    place = send(host, "POST", f"/v2/{name}/blobs/uploads/", b"")
    send(host, "PUT", f"{place}?digest={digest}", content)
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    manifest = {"schemaVersion": 2, "mediaType": kind, "layers": [], "config": {"digest": digest, "size": len(content)}}
    send(host, "PUT", f"/v2/{name}/manifests/{tag}", json.dumps(manifest).encode(), kind)


match sys.argv[1]:
    case "info":
        pass
    case "build":
        if not Path(option("--file")).is_file():
            sys.exit("no Containerfile")
        (STORE / option("--tag").replace("/", "_")).write_text(option("--platform").partition("/")[2])
    case "load":
        (STORE / "loaded").write_text(Path(option("--input")).read_text())
        sys.stdout.write("Loaded image: loaded\n")
    case "tag":
        (STORE / sys.argv[3].replace("/", "_")).write_text((STORE / sys.argv[2]).read_text())
    case "login":
        given = base64.b64encode(f"{option('--username')}:{sys.stdin.read()}".encode()).decode()
        Path(os.environ["REGISTRY_AUTH_FILE"]).write_text(json.dumps({"auths": {sys.argv[-1]: {"auth": given}}}))
    case "push":
        push(sys.argv[2])
