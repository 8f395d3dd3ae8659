"""The tests' signer: a key that everybody knows, so that signatures repeat byte for byte."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


class FixedSigner:
    """Signs with the key whose 32 secret bytes all have one value. It proves nothing."""

    def __init__(self, value: int = 7) -> None:
        """Make the key; another value is another key."""
        self._key = Ed25519PrivateKey.from_private_bytes(bytes([value]) * 32)

    @property
    def public_key(self) -> bytes:
        """The 32 bytes of the public key."""
        return self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message."""
        return self._key.sign(message)
