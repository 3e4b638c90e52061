"""TLS to a Qdrant server, by REST and by gRPC."""

import datetime as dt
import ipaddress
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.backends import qdrant
from app.errors import IndexUnavailable, SettingsError
from tests.app.contract.samples import IDENTITY
from tests.app.indexes.qdrant_world import SERVING, World
from tests.app.indexes.samples import ask, entry, numbers


@pytest.fixture(params=list(SERVING))
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """A stand-in that is not started yet."""
    with ExitStack() as stack:
        yield World(str(request.param), stack)


def test_tls_with_an_authority_of_one_s_own(world: World, tmp_path: Path) -> None:
    authority, certificate = make_certificates(tmp_path)
    world.start(certificate=certificate)
    index = world.open(https=True, ca_file=authority)
    index.prepare(IDENTITY)
    index.apply([entry(1, "tea")])
    assert numbers(ask(index)) == {1}
    assert not [sentence for sentence in index.abilities.lacks if "unencrypted" in sentence]


def test_a_certificate_that_is_not_trusted_is_not_spoken_to(world: World, tmp_path: Path) -> None:
    _, certificate = make_certificates(tmp_path)
    world.start(certificate=certificate)
    with pytest.raises(IndexUnavailable, match="127.0.0.1"):
        world.open(https=True, timeout_s=2.0).prepare(IDENTITY)
    assert world.standin.calls == []


def test_an_authority_s_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(SettingsError, match="PEM"):
        qdrant.open_index(host="a", ca_file=str(tmp_path / "ca.pem"))


def make_certificates(folder: Path) -> tuple[str, str]:
    """The PEM files of an authority, and of a certificate with its key for 127.0.0.1."""
    now = dt.datetime.now(dt.UTC)
    own, name = ec.generate_private_key(ec.SECP256R1()), _name("an authority of tests")

    def sign(subject: x509.Name, key: ec.EllipticCurvePrivateKey, *extensions: x509.ExtensionType) -> x509.Certificate:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(name).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - dt.timedelta(hours=1)).not_valid_after(now + dt.timedelta(hours=1))
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(own, hashes.SHA256())

    server = ec.generate_private_key(ec.SECP256R1())
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    root = sign(name, own, x509.BasicConstraints(ca=True, path_length=0))
    leaf = sign(_name("127.0.0.1"), server, address)
    (folder / "authority.pem").write_bytes(root.public_bytes(pem))
    (folder / "server.pem").write_bytes(
        server.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain) + leaf.public_bytes(pem)
    )
    return str(folder / "authority.pem"), str(folder / "server.pem")


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
