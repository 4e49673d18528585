"""A certificate authority for one home: it vouches for AWS's host names towards this user's clients alone.

    <home>/proxy/authority.pem  its certificate and its key, for nobody else to read
    <home>/proxy/bundle.pem     what clients trust: the authorities that they trusted before, and this one

Who has the key can pretend to be AWS towards a program that was told to trust the bundle, and towards no
other: nothing is added to what the system trusts.
"""

from __future__ import annotations

import datetime
import os
import ssl
import tempfile
from pathlib import Path

import botocore
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sagemaker_local.advertisement import BUNDLE_VARIABLES

_DAYS = 3650
_RENEWED_BEFORE = datetime.timedelta(days=30)
_LONGEST_NAME = 64  # bytes of a common name


class Authority:
    """The authority of one home.

    Attributes:
        bundle: the file with all certificates that a client of the proxy has to trust.
    """

    def __init__(self, folder: Path) -> None:
        """Read the authority that lies in the folder, or make one.

        Raises:
            OSError: the folder cannot be read or written.
        """
        folder.mkdir(mode=0o700, exist_ok=True)
        file = folder / "authority.pem"
        self._certificate, self._key = _read(file) or _make(file)
        self.bundle = folder / "bundle.pem"
        own = self._certificate.public_bytes(serialization.Encoding.PEM)
        _write(self.bundle, b"\n".join((*_trusted_before(), own)))
        self._contexts: dict[str, ssl.SSLContext] = {}

    def context(self, host: str) -> ssl.SSLContext:
        """What a server needs that answers as `host`."""
        if host not in self._contexts:
            self._contexts[host] = self._new_context(host)
        return self._contexts[host]

    def _new_context(self, host: str) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _begun(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "local SageMaker")]), key)
            .issuer_name(self._certificate.subject)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:  # OpenSSL reads a key from a file only
            file.write(_pem(certificate, key))
            file.flush()
            context.load_cert_chain(file.name)
        return context


def _begun(name: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))  # a clock that was set back still accepts it
        .not_valid_after(now + datetime.timedelta(days=_DAYS))
    )


def _read(file: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None:
    """What the file holds; None where it holds nothing usable, or for not much longer."""
    try:
        content = file.read_bytes()
        certificate = x509.load_pem_x509_certificate(content)
        key = serialization.load_pem_private_key(content, password=None)
    except (FileNotFoundError, ValueError):
        return None
    if certificate.not_valid_after_utc < datetime.datetime.now(datetime.UTC) + _RENEWED_BEFORE:
        return None
    return (certificate, key) if isinstance(key, ec.EllipticCurvePrivateKey) else None


def _make(file: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    of_folder = f"local SageMaker of {file.parent.parent}".encode(errors="replace")[:_LONGEST_NAME]
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, of_folder.decode(errors="ignore"))])
    usage = x509.KeyUsage(
        key_cert_sign=True,
        digital_signature=True,
        crl_sign=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        _begun(name, key)
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(file, _pem(certificate, key))
    return certificate, key


def _pem(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> bytes:
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM)


def _trusted_before() -> list[bytes]:
    """What clients trust without us: a bundle that this process was told of, the system's, botocore's own."""
    named = (os.environ.get(variable) for variable in BUNDLE_VARIABLES)
    usual = (ssl.get_default_verify_paths().cafile, str(Path(botocore.__file__).with_name("cacert.pem")))
    files = dict.fromkeys(file for file in (*named, *usual) if file and Path(file).is_file())
    return [Path(file).read_bytes() for file in files]


def _write(file: Path, content: bytes) -> None:
    """Whole or not at all, for this user alone."""
    descriptor, temporary = tempfile.mkstemp(dir=file.parent)
    try:
        with os.fdopen(descriptor, "wb") as open_file:
            open_file.write(content)
        Path(temporary).replace(file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
