"""Snapshots of a node's vectors: its own script, AWS's command, a bucket that speaks S3, a stand-in for Qdrant."""

import json
import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from infra.facts import QDRANT_PORT, SNAPSHOTS_PREFIX
from infra.service.qdrant_start import FOLDER
from tests.infra.service.test_qdrant_start import place_node, read_files
from tests.servers.buckets import Buckets
from tests.servers.certificates import make_certificates

pytestmark = pytest.mark.slow
KEY = "of the vectors"
NODE = "qdrant-1.reme.internal"


@dataclass
class Qdrant:
    """A stand-in for a node of Qdrant: its snapshots are files, as the script finds them on the disk."""

    folder: Path
    collections: list[str] = field(default_factory=lambda: ["memories", "profiles"])
    port: int = 0

    def snapshots(self) -> list[Path]:
        """What lies on the disk."""
        return sorted(self.folder.glob("storage/snapshots/*/*"))

    def answer(self, method: str, path: str) -> object:
        """The `result` of a call."""
        match method, path.partition("?")[0].strip("/").split("/"):
            case "GET", ["collections"]:
                return {"collections": [{"name": name} for name in self.collections]}
            case "POST", ["collections", name, "snapshots"]:
                place = self.folder / "storage/snapshots" / name / f"{name}.snapshot"
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(f"vectors of {name}".encode())
                return {"name": place.name}
            case "DELETE", ["collections", name, "snapshots", snapshot]:
                (self.folder / "storage/snapshots" / name / snapshot).unlink()
                return True
        raise AssertionError((method, path))


@pytest.fixture
def qdrant(tmp_path: Path) -> Iterator[Qdrant]:
    """The stand-in, behind TLS of the cluster's own authority."""
    (tmp_path / "tls").mkdir()
    _, certificate = make_certificates(tmp_path / "tls")
    made = Qdrant(tmp_path)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            right = self.headers["api-key"] == KEY
            body = json.dumps({"result": made.answer(self.command, self.path)} if right else {}).encode()
            self.send_response(200 if right else 401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_DELETE = do_GET  # noqa: N815

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    made.port = server.server_port
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


def save(
    qdrant: Qdrant, buckets: Buckets, bucket: str, *, key: str = KEY, known: bool = True
) -> "subprocess.CompletedProcess[str]":
    """Run the script of the first node, with the stand-in for its Qdrant and its own folder."""
    script = read_files(place_node(1))["/usr/local/libexec/reme/save-snapshots"]
    for there, here in (
        (f"https://{NODE}:{QDRANT_PORT}", f"https://127.0.0.1:{qdrant.port}"),
        (FOLDER, str(qdrant.folder)),
        ("s3://dumps/", f"s3://{bucket}/"),
    ):
        assert there in script
        script = script.replace(there, here)
    secrets = qdrant.folder / "secrets"
    secrets.write_text(f'QDRANT__SERVICE__API_KEY="{key}"\n', encoding="utf-8")
    variables = {
        "AWS_ENDPOINT_URL_S3": buckets.endpoint,
        "AWS_ACCESS_KEY_ID": buckets.access_key,
        "AWS_SECRET_ACCESS_KEY": buckets.secret_key if known else "of nobody",
        "AWS_DEFAULT_REGION": buckets.region,
        "AWS_MAX_ATTEMPTS": "1",
    }
    return subprocess.run(
        [sys.executable, "-c", script, str(secrets)],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def list_objects(buckets: Buckets, bucket: str) -> dict[str, bytes]:
    found = buckets.client.list_objects_v2(Bucket=bucket).get("Contents", [])
    return {each["Key"]: buckets.client.get_object(Bucket=bucket, Key=each["Key"])["Body"].read() for each in found}


@pytest.fixture(autouse=True)
def aws_command() -> None:
    """AWS's own command, which the nodes' image brings."""
    program = shutil.which("aws")
    if program is None or subprocess.run([program, "--version"], capture_output=True, check=False).returncode:
        pytest.skip("the command aws does not work here: pip install awscli")


def test_every_collection_lands_in_the_bucket_and_leaves_the_disk(qdrant: Qdrant, seaweed_server: Buckets) -> None:
    bucket = seaweed_server.new_bucket()
    done = save(qdrant, seaweed_server, bucket)
    assert done.returncode == 0, done.stderr
    found = list_objects(seaweed_server, bucket)
    assert {value.decode() for value in found.values()} == {"vectors of memories", "vectors of profiles"}
    assert all(key.startswith(f"{SNAPSHOTS_PREFIX}/{NODE}/20") for key in found)
    assert {Path(key).name for key in found} == {"memories.snapshot", "profiles.snapshot"}
    assert qdrant.snapshots() == []


def test_what_cannot_be_saved_is_named_and_fills_no_disk(qdrant: Qdrant, seaweed_server: Buckets) -> None:
    done = save(qdrant, seaweed_server, "dumps", known=False)
    assert done.returncode == 1
    assert "save-snapshots: memories: " in done.stderr
    assert "2 of 2 collections were not saved" in done.stderr
    assert "Traceback" not in done.stderr
    assert qdrant.snapshots() == []


def test_a_wrong_key_is_told_and_not_shown(qdrant: Qdrant, seaweed_server: Buckets) -> None:
    done = save(qdrant, seaweed_server, "dumps", key="some other")
    assert done.returncode == 1
    assert "Qdrant does not answer" in done.stderr
    assert "some other" not in done.stderr
