"""Ed25519 public keys in the forms that standard clients read."""

from __future__ import annotations

import base64
import binascii
import re

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ALGORITHM = b"ssh-ed25519"
KEY_BYTES = 32
SIGNATURE_BYTES = 64
_SPKI = bytes.fromhex("302a300506032b6570032100")
"""What stands before the key in its SubjectPublicKeyInfo (RFC 8410 section 10.1): every Ed25519 key has this one."""
_PEM = re.compile(rb"-----BEGIN PUBLIC KEY-----\s([A-Za-z0-9+/\s]{32,400}={0,2})\s*-----END PUBLIC KEY-----")


def ssh_string(data: bytes) -> bytes:
    """Return a string as SSH writes it: its length in four bytes, then itself (RFC 4251 section 5)."""
    return len(data).to_bytes(4, "big") + data


def ssh_blob(public_key: bytes) -> bytes:
    """Return a public key as SSH encodes it (RFC 8709 section 4)."""
    return ssh_string(ALGORITHM) + ssh_string(public_key)


def ssh_line(public_key: bytes) -> str:
    """Return a public key as it stands in a `.pub` file, without a comment."""
    return f"{ALGORITHM.decode()} {base64.b64encode(ssh_blob(public_key)).decode()}"


def from_ssh_base64(text: str) -> bytes:
    """Read the second word of a `.pub` line.

    Raises:
        ValueError: it is not an Ed25519 public key.
    """
    try:
        blob = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("is not base64") from error
    public_key = blob[-KEY_BYTES:]
    if blob != ssh_blob(public_key) or base64.b64encode(blob).decode() != text:
        raise ValueError("is not an Ed25519 public key")
    return public_key


def to_pem(public_key: bytes) -> bytes:
    """Return a public key as PEM (SubjectPublicKeyInfo, RFC 8410), for openssl and cosign."""
    key = Ed25519PublicKey.from_public_bytes(public_key)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def from_pem(data: bytes) -> bytes:
    """Read a PEM public key.

    Raises:
        ValueError: it is not an Ed25519 public key.
    """
    match = _PEM.fullmatch(data.strip())
    der = base64.b64decode(b"".join(match[1].split())) if match else b""
    public_key = der[-KEY_BYTES:]
    if der != _SPKI + public_key or len(public_key) != KEY_BYTES:
        raise ValueError("is not an Ed25519 public key")
    return public_key


def fingerprint(public_key: bytes) -> str:
    """Return a key's fingerprint as `ssh-keygen -l` prints it: `SHA256:` and base64 without padding."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(ssh_blob(public_key))
    return "SHA256:" + base64.b64encode(digest.finalize()).decode().rstrip("=")


def is_signature(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Tell whether a signature is this key's over this message."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except InvalidSignature:
        return False
    return True
