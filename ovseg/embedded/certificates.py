"""The certificate by which SeaweedFS's parts authenticate each other.

The certificate signs itself and is the only authority, so a server that demands a certificate accepts only the owner
of its key. Certificate and key are in one file, which only its owner can read and which is replaced as a whole.
"""

from __future__ import annotations

import ipaddress
import os
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = timedelta(days=3650)
# It is renewed only when the stack starts, so the remaining time must be longer than the longest run of a stack.
RENEWED_BEFORE_END = timedelta(days=365)
CLOCK_ERROR = timedelta(days=1)


def keep(path: Path) -> None:
    """Write a new certificate and key to the file, unless it holds a valid pair that only its owner can read."""
    if not _is_good(path, datetime.now(UTC)):
        _replace(path, new(datetime.now(UTC)))


def new(now: datetime) -> bytes:
    """Return a certificate for servers and clients on loopback, and its key (ECDSA P-256), as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ovseg")])
    hosts = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))]
    uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_ERROR)
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    return certificate.public_bytes(pem) + key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _is_good(path: Path, now: datetime) -> bool:
    try:
        if path.stat().st_mode & 0o077:
            return False
        pem = path.read_bytes()
        certificate = x509.load_pem_x509_certificate(pem)
        key = serialization.load_pem_private_key(pem, None)
    except (OSError, ValueError, TypeError):  # the file is missing or truncated, or the key is encrypted
        return False
    is_pair = certificate.public_key() == key.public_key()
    return is_pair and certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc - RENEWED_BEFORE_END


def _replace(path: Path, data: bytes) -> None:
    """Replace the file so that a crash leaves either the old file or the new one."""
    draft = path.with_suffix(f".{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    draft.replace(path)
