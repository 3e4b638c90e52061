"""What a container is told, and the program that prepares its store."""

import http.server
import io
import json
import os
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from infra.service import delivery
from infra.service.configuration import AUTHORITIES_FILE, configure_service, name_secrets
from infra.service.container import describe_container
from infra.service.delivery import AUTHORITIES_MOST_BYTES, MissingSecret, write_preparation
from tests.infra.service.plans import ADDRESSES, COMPANY, plan_region

pytestmark = pytest.mark.slow

ADMIN_KEY = "rk_00112233445566778899aabbccddeeff"
AUTHORITY = "-----BEGIN CERTIFICATE-----\nof the vector store\n-----END CERTIFICATE-----\n"


@contextmanager
def serve(handler: type[http.server.BaseHTTPRequestHandler]) -> Iterator[str]:
    """The address of a server."""
    server = http.server.HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def refusing_server() -> Iterator[str]:
    """An address where no authorities are."""
    with serve(http.server.BaseHTTPRequestHandler) as address:
        yield f"{address}/bundle.pem"


@pytest.fixture
def publishing_server() -> Iterator[tuple[str, dict[str, bytes]]]:
    """The address of a server, and what it publishes by path."""
    published: dict[str, bytes] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(published[self.path])

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with serve(Handler) as address:
        yield address, published


def pack(files: Mapping[str, bytes]) -> bytes:
    """An archive of files."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def prepare(folder: Path, given: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    program = write_preparation().replace(AUTHORITIES_FILE, str(folder / "authorities.pem"))
    plain = {name: value for name, value in os.environ.items() if not name.startswith("REME_")}
    environment = {**plain, "REME_WORKING_DIR": str(folder), "REME_EMBEDDING__BACKEND": "hashing", **given}
    return subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)


def list_keys(folder: Path) -> list[tuple[str, str]]:
    from app.commands.opening import open_services
    from app.settings import EmbeddingSettings, Settings

    with open_services(
        Settings(working_dir=folder, embedding=EmbeddingSettings(backend="hashing")), make=False
    ) as services:
        principal = services.keys.authenticate(ADMIN_KEY)
        return [(key.name, principal.role.value) for key in services.store.keys.list_keys()]


def test_it_lets_the_administrator_in_once(tmp_path: Path) -> None:
    for _ in range(2):
        done = prepare(tmp_path, {"ADMIN_KEY": ADMIN_KEY})
        assert done.returncode == 0, done.stderr
    assert list_keys(tmp_path) == [("first-administrator", "admin")]
    assert not (tmp_path / "authorities.pem").exists()


def test_it_gathers_the_authorities(tmp_path: Path) -> None:
    import certifi

    done = prepare(tmp_path, {"ADMIN_KEY": ADMIN_KEY, "VECTOR_AUTHORITY": AUTHORITY})
    assert done.returncode == 0, done.stderr
    gathered = (tmp_path / "authorities.pem").read_text(encoding="utf-8")
    assert gathered.startswith(Path(certifi.where()).read_text(encoding="utf-8"))
    assert gathered.endswith(AUTHORITY)


def test_it_takes_authorities_from_texts_and_from_archives(
    tmp_path: Path, publishing_server: tuple[str, dict[str, bytes]]
) -> None:
    """As RDS publishes them, and as ApsaraDB does: beside other forms, and what a Mac packs with a file."""
    address, published = publishing_server
    published["/bundle.pem"] = AUTHORITY.encode()
    published["/chain.zip"] = pack(
        {
            "ApsaraDB-CA-Chain.pem": AUTHORITY.replace("vector store", "database").encode(),
            "__MACOSX/._ApsaraDB-CA-Chain.pem": b"\x00\x05\x16\x07",
            "ApsaraDB-CA-Chain.jks": b"\xfe\xed\xfe\xed",
            "ApsaraDB-CA-Chain.p7b": AUTHORITY.replace("vector store", "nobody").encode(),
        }
    )
    done = prepare(tmp_path, {"ADMIN_KEY": ADMIN_KEY, "AUTHORITIES_URLS": f"{address}/bundle.pem {address}/chain.zip"})
    assert done.returncode == 0, done.stderr
    gathered = (tmp_path / "authorities.pem").read_text(encoding="utf-8")
    assert "of the vector store" in gathered and "of the database" in gathered
    assert "of nobody" not in gathered


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"<html>moved</html>", "there is no certificate"),
        (pack({"readme.txt": AUTHORITY.encode()}), "there is no certificate"),
        (pack({"chain.pem": AUTHORITY.encode() + b" " * AUTHORITIES_MOST_BYTES}), "more than 4000000 bytes"),
        (AUTHORITY.encode() + b" " * AUTHORITIES_MOST_BYTES, "more than 4000000 bytes"),
        (pack({"chain.pem": AUTHORITY.encode()})[:60] + b"PK\x05\x06" + b"\x00" * 18, "there is no certificate"),
    ],
    ids=["a page", "an archive without one", "a bomb", "too much", "a cut archive"],
)
def test_what_is_no_authority_is_refused(
    tmp_path: Path, publishing_server: tuple[str, dict[str, bytes]], content: bytes, fault: str
) -> None:
    address, published = publishing_server
    published["/chain.zip"] = content
    done = prepare(tmp_path, {"ADMIN_KEY": ADMIN_KEY, "AUTHORITIES_URLS": f"{address}/chain.zip"})
    assert done.returncode == 1
    assert done.stderr.startswith("prepare: the authorities of certificates cannot be read") and fault in done.stderr
    assert not (tmp_path / "authorities.pem").exists()


def test_authorities_that_cannot_be_read_stop_only_the_first_start(tmp_path: Path, refusing_server: str) -> None:
    given = {"ADMIN_KEY": ADMIN_KEY, "AUTHORITIES_URLS": refusing_server}
    first = prepare(tmp_path, given)
    assert first.returncode == 1
    assert first.stderr.startswith("prepare: the authorities of certificates cannot be read")
    (tmp_path / "authorities.pem").write_text("of the last start", encoding="utf-8")
    assert prepare(tmp_path, given).returncode == 0
    assert (tmp_path / "authorities.pem").read_text(encoding="utf-8") == "of the last start"


def test_a_secret_that_is_no_key_is_refused_and_not_shown(tmp_path: Path) -> None:
    done = prepare(tmp_path, {"ADMIN_KEY": "hunter2"})
    assert done.returncode == 2
    assert "no API key" in done.stderr
    assert "hunter2" not in done.stderr


def test_what_only_the_preparation_needs_is_kept_from_the_service() -> None:
    plan = plan_region(**COMPANY)
    addresses = replace(ADDRESSES, vector_authority=True, database_authorities_url="https://example.com/bundle.pem")
    settings = configure_service(plan, addresses)
    content = describe_container(settings, {name: f"arn:{name}" for name in settings.secret_names})
    assert content.preparation_secrets == {"ADMIN_KEY": "arn:admin", "VECTOR_AUTHORITY": "arn:vector-authority"}
    assert content.preparation_environment == {"AUTHORITIES_URLS": "https://example.com/bundle.pem"}
    assert content.environment["SSL_CERT_FILE"] == AUTHORITIES_FILE
    assert content.secrets["PGPASSWORD"] == "arn:database"
    assert not {"ADMIN_KEY", "VECTOR_AUTHORITY"} & content.secrets.keys()
    waiting = describe_container(settings, {name: f"arn:{name}" for name in settings.secret_names}, awaits=True)
    assert waiting.preparation_secrets == {"ADMIN_KEY": "arn:admin"}
    assert waiting.preparation_environment["VECTOR_AUTHORITY_SOURCE"] == "arn:vector-authority"
    with pytest.raises(MissingSecret, match="'vector-authority'"):
        describe_container(settings, dict.fromkeys(name_secrets(plan), "arn"))


@pytest.fixture
def secrets() -> Iterator[tuple[str, list[str], list[str]]]:
    """A server that speaks Secrets Manager: its address, the secret's values (none at first), and what was asked."""
    values: list[str] = []
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_POST(self) -> None:
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["SecretId"])
            found: dict[str, str] = {"__type": "ResourceNotFoundException", "message": "no value yet"}
            if values:
                found = {"SecretString": values[0]}
            body = json.dumps(found).encode()
            self.send_response(200 if values else 400)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", values, asked
    server.shutdown()
    thread.join()
    server.server_close()


SOURCE = "arn:aws:secretsmanager:us-east-1:123456789012:secret:authority-AbCdEf"


def await_from(address: str) -> dict[str, str]:
    """What the preparation of a task is told whose authority is at an address."""
    return {
        "ADMIN_KEY": ADMIN_KEY,
        "VECTOR_AUTHORITY_SOURCE": SOURCE,
        "AWS_ENDPOINT_URL_SECRETS_MANAGER": address,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_MAX_ATTEMPTS": "1",
    }


def test_it_waits_for_an_authority_that_is_not_there_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secrets: tuple[str, list[str], list[str]]
) -> None:
    monkeypatch.setattr(delivery, "AUTHORITY_POLL_S", 0.1)
    address, values, asked = secrets

    def store() -> None:
        while len(asked) < 3:
            time.sleep(0.05)
        values.append(AUTHORITY)

    first_node = threading.Thread(target=store)
    first_node.start()
    done = prepare(tmp_path, await_from(address))
    first_node.join()
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("prepare: waiting until the vector store's first node has stored its authority") == 1
    assert set(asked) == {SOURCE}
    assert (tmp_path / "authorities.pem").read_text(encoding="utf-8").endswith(AUTHORITY)


def test_it_does_not_wait_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secrets: tuple[str, list[str], list[str]]
) -> None:
    monkeypatch.setattr(delivery, "AUTHORITY_POLL_S", 0.1)
    monkeypatch.setattr(delivery, "AUTHORITY_PATIENCE_S", 1)
    done = prepare(tmp_path, await_from(secrets[0]))
    assert done.returncode == 1
    assert "no authority of the vector store after 1 s: see its first node" in done.stderr
    assert "ResourceNotFoundException" in done.stderr
    assert not (tmp_path / "authorities.pem").exists()
