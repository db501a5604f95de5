"""The cluster's own certificate authority, kept in its folder; every other certificate is issued anew at each start.

So an address that changed is in the next server certificate, and nothing but the authority can run out.
"""

import base64
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_AUTHORITY_LIVES = timedelta(days=3650)
_LEAF_LIVES = timedelta(days=365)
_CLOCKS_DIFFER_BY = timedelta(hours=1)
_SECRET = 0o600


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _SECRET), "w") as handle:
        handle.write(text)
    fresh.replace(path)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its private key, as PEM."""

    certificate: str
    key: str

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Write both into a folder; answer the certificate's and the key's file."""
        certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
        write_private(certificate, self.certificate)
        write_private(key, self.key)
        return certificate, key


class Authority:
    """Issues the certificates of one cluster; made at first use of its folder and the same ever after."""

    def __init__(self, folder: Path) -> None:
        """Keep the authority in `ca.crt` and `ca.key`, and the key of service accounts' tokens in `tokens.key`."""
        self._folder = folder
        self.certificate_path, self.key_path = folder / "ca.crt", folder / "ca.key"
        self.tokens_key_path, self.tokens_public_path = folder / "tokens.key", folder / "tokens.pub"
        if not self.certificate_path.exists():  # it is written last
            self._create()
        self._key = _private(self.key_path)
        self._certificate = x509.load_pem_x509_certificate(self.certificate_path.read_bytes())

    @property
    def certificate(self) -> str:
        """The certificate by which all others are trusted, as PEM."""
        return self.certificate_path.read_text()

    def client(self, user: str, *groups: str) -> KeyPair:
        """Issue the certificate by which the API server knows a user and the groups it is in."""
        return self._issue(user, groups, ExtendedKeyUsageOID.CLIENT_AUTH, ())

    def server(self, name: str, addresses: Iterable[str]) -> KeyPair:
        """Issue a server's certificate, valid for host names and IP addresses."""
        return self._issue(name, (), ExtendedKeyUsageOID.SERVER_AUTH, addresses)

    def kubeconfig(self, url: str, user: str, *groups: str) -> str:
        """Answer a kubeconfig file by which a user speaks to the API server at `url`."""
        pair = self.client(user, *groups)
        cluster = {"server": url, "certificate-authority-data": _base64(self.certificate)}
        login = {"client-certificate-data": _base64(pair.certificate), "client-key-data": _base64(pair.key)}
        name = "ecommerce-platform"
        return json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": name, "cluster": cluster}],
                "users": [{"name": user, "user": login}],
                "contexts": [{"name": name, "context": {"cluster": name, "user": user}}],
                "current-context": name,
            },
            indent=2,
        )

    def _create(self) -> None:
        tokens, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        public = tokens.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        write_private(self.tokens_key_path, _pem(tokens))
        write_private(self.tokens_public_path, public.decode())
        name = _name("ecommerce-platform", ())
        usage = x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        certificate = (
            _builder(name, name, key, _AUTHORITY_LIVES)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(key, hashes.SHA256())
        )
        write_private(self.key_path, _pem(key))
        write_private(self.certificate_path, certificate.public_bytes(Encoding.PEM).decode())

    def _issue(
        self, name: str, groups: Iterable[str], purpose: x509.ObjectIdentifier, addresses: Iterable[str]
    ) -> KeyPair:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(name, groups), self._certificate.subject, key, _LEAF_LIVES)
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        alternatives = [_alternative(address) for address in addresses]
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        return KeyPair(certificate.public_bytes(Encoding.PEM).decode(), _pem(key))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, lives: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS_DIFFER_BY)
        .not_valid_after(now + lives)
    )


def _name(common: str, organizations: Iterable[str]) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, each) for each in organizations]
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _alternative(address: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(address))
    except ValueError:
        return x509.DNSName(address)


def _private(path: Path) -> ec.EllipticCurvePrivateKey:
    key = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{path} holds no elliptic curve key")
    return key


def _pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
