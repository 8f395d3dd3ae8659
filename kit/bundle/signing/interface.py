"""What a signer is: something that holds an Ed25519 key and signs with it."""

from __future__ import annotations

from typing import Protocol


class Signer(Protocol):
    """A key that signs; where it is kept is its own business."""

    @property
    def public_key(self) -> bytes:
        """The 32 bytes of the Ed25519 public key (RFC 8032 section 5.1.5)."""

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of the Ed25519 signature of a message."""
