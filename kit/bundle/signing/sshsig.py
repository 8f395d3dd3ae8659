"""SSHSIG: the detached signatures of `ssh-keygen -Y` (OpenSSH, PROTOCOL.sshsig).

Only the one form that the kit writes is read: Ed25519, SHA-512, armoured as ssh-keygen does. What is read is written
again and compared, so no second spelling of a signature exists.
"""

from __future__ import annotations

import base64
import binascii
import textwrap
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes

from kit.bundle.signing.public_key import ALGORITHM, KEY_BYTES, SIGNATURE_BYTES, is_signature, ssh_blob, ssh_string

if TYPE_CHECKING:
    from kit.bundle.signing.interface import Signer

NAMESPACE = "kit-bundle"
_MAGIC = b"SSHSIG"
_HASH = b"sha512"
_BEGIN, _END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
_LINE = 70
_KEY_OFFSET = len(_MAGIC) + 4 + 4 + len(ssh_blob(bytes(KEY_BYTES))) - KEY_BYTES


def sign(message: bytes, signer: Signer) -> str:
    """Return the armoured signature of a message."""
    return _armoured(signer.public_key, signer.sign(_signed_data(message)))


def verify(message: bytes, armoured: bytes) -> bytes:
    """Return the public key that signed a message.

    Raises:
        ValueError: it is not such a signature, or not of this message.
    """
    public_key, signature = _parse(armoured)
    if not is_signature(public_key, signature, _signed_data(message)):
        raise ValueError("is not a signature of this content")
    return public_key


def is_one(armoured: bytes) -> bool:
    """Tell whether this is a signature in the one form that the kit writes, of whatever content."""
    try:
        _parse(armoured)
    except ValueError:
        return False
    return True


def _signed_data(message: bytes) -> bytes:
    digest = hashes.Hash(hashes.SHA512())
    digest.update(message)
    parts = (NAMESPACE.encode(), b"", _HASH, digest.finalize())
    return _MAGIC + b"".join(map(ssh_string, parts))


def _armoured(public_key: bytes, signature: bytes) -> str:
    parts = (
        ssh_blob(public_key),
        NAMESPACE.encode(),
        b"",
        _HASH,
        ssh_string(ALGORITHM) + ssh_string(signature),
    )
    blob = _MAGIC + (1).to_bytes(4, "big") + b"".join(map(ssh_string, parts))
    lines = textwrap.wrap(base64.b64encode(blob).decode(), _LINE)
    return "\n".join((_BEGIN, *lines, _END, ""))


def _parse(armoured: bytes) -> tuple[bytes, bytes]:
    try:
        lines = armoured.decode("ascii").splitlines()
        blob = base64.b64decode("".join(lines[1:-1]), validate=True)
    except (UnicodeDecodeError, binascii.Error) as error:
        raise ValueError("is not an SSH signature") from error
    public_key, signature = blob[_KEY_OFFSET : _KEY_OFFSET + KEY_BYTES], blob[-SIGNATURE_BYTES:]
    if _armoured(public_key, signature).encode() != armoured:
        raise ValueError(f"is not an SSH signature by an Ed25519 key in the namespace {NAMESPACE}")
    return public_key, signature
