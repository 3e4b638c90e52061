"""Certificates for servers of this machine, which an authority of a test's own vouches for."""

import datetime as dt
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


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
