"""Digests of bytes and files.

xxh3_128 is the identity of data: fast, and enough to tell whether something changed by accident. It is not
collision-resistant, so whatever a signature covers also carries SHA-256 (docs/decisions/0002-digests.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import xxhash

from kit.canonical import canonical_json

if TYPE_CHECKING:
    from pathlib import Path

    from kit.canonical import Json

CHUNK_BYTES = 1 << 18
"""Read size: below 64 KiB xxhash keeps the interpreter lock, far above, data leaves the processor's cache."""

PREFIX = "xxh3_128:"


def data_digest(data: bytes) -> str:
    """Return the identity of some bytes, as `xxh3_128:` and 32 hexadecimal digits."""
    return PREFIX + xxhash.xxh3_128_hexdigest(data)


def json_digest(value: Json) -> str:
    """Return the identity of a JSON value: the digest of its RFC 8785 form."""
    return data_digest(canonical_json(value))


def file_digest(path: Path) -> str:
    """Return the identity of a file's content.

    Raises:
        OSError: the file cannot be read.
    """
    hasher = xxhash.xxh3_128()
    chunk = memoryview(bytearray(CHUNK_BYTES))
    with path.open("rb", buffering=0) as stream:
        while size := stream.readinto(chunk):
            hasher.update(chunk[:size])
    return PREFIX + hasher.hexdigest()


@dataclass(frozen=True, slots=True)
class FileDigests:
    """A file's size in bytes and both of its digests."""

    size: int
    xxh3_128: str
    """With its `xxh3_128:` prefix."""
    sha256: str
    """64 hexadecimal digits, without a prefix, as `sha256sum` prints it."""


def both_digests(data: bytes) -> FileDigests:
    """Return size, xxh3_128 and SHA-256 of some bytes."""
    # Imported here: whoever only needs xxh3_128 should not pay for cryptography's start-up.
    from cryptography.hazmat.primitives import hashes

    hasher = hashes.Hash(hashes.SHA256())
    hasher.update(data)
    return FileDigests(len(data), data_digest(data), hasher.finalize().hex())
