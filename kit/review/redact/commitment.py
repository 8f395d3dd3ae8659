"""Salted commitments: what stands in place of a withheld text.

A commitment is HMAC-SHA256 (RFC 2104) of a value and its place in the bundle, under a 32-byte salt. The salt is itself
HMAC-SHA256 of the same under the master key. So the same value in the same record gives the same commitment under one
key, whichever run it comes from; equal values in different records give different ones; and a salt that is revealed
opens one field of one record with one value, and says nothing about another value in the same place of another run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kit.core.canonical import row_json

if TYPE_CHECKING:
    from kit.core.canonical import Json

PREFIX = "hmac-sha256:"
KEY_BYTES = 32
_KEY_ID_BYTES = 16


@dataclass(frozen=True, slots=True)
class Place:
    """One field of one record."""

    file: str
    """Path inside the bundle."""
    id: str
    """Of the prompt."""
    field: str


@dataclass(frozen=True, slots=True)
class RedactionKey:
    """The master key, from which every salt follows."""

    secret: bytes = field(repr=False)

    @property
    def id(self) -> str:
        """Return what tells keys apart and gives nothing of them away."""
        return _hmac(self.secret, _message("key", Place("", "", ""), None))[:_KEY_ID_BYTES].hex()

    def salt(self, place: Place, value: Json) -> bytes:
        """Return the salt of one value in one place."""
        return _hmac(self.secret, _message("salt", place, value))

    def commit(self, place: Place, value: Json) -> str:
        """Return the commitment to one value in one place."""
        return commitment(self.salt(place, value), place, value)


def commitment(salt: bytes, place: Place, value: Json) -> str:
    """Return the commitment that a salt gives, `hmac-sha256:` and 64 hexadecimal digits.

    Raises:
        ValueError: the salt has not 32 bytes; HMAC pads its keys, so that others could be written in two ways.
    """
    if len(salt) != KEY_BYTES:
        raise ValueError(f"the salt has not {KEY_BYTES} bytes")
    return PREFIX + _hmac(salt, _message("commitment", place, value)).hex()


def _message(purpose: str, place: Place, value: Json) -> bytes:
    """Return a message that no other purpose, place or value has."""
    return row_json(
        {"kit": f"redaction 1 {purpose}", "file": place.file, "id": place.id, "field": place.field, "value": value}
    )


def _hmac(key: bytes, message: bytes) -> bytes:
    # The standard library's hmac would bring hashlib in.
    from cryptography.hazmat.primitives import hashes, hmac

    mac = hmac.HMAC(key, hashes.SHA256())
    mac.update(message)
    return mac.finalize()
