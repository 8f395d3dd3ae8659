"""Digests of bytes and files.

xxh3_128 is the identity of data: fast, and enough to tell whether something changed by accident. It is not
collision-resistant, so whatever a signature covers also carries SHA-256 (docs/decisions/0002-digests.md).
"""

from __future__ import annotations

import mmap
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import xxhash

from kit.core.canonical import canonical_json

if TYPE_CHECKING:
    from io import FileIO
    from pathlib import Path

    from kit.core.canonical import Json

CHUNK_BYTES = 1 << 18
"""Read size: below 64 KiB xxhash keeps the interpreter lock, far above, data leaves the processor's cache."""

WINDOW_BYTES = 32 << 20
"""How much of a file is mapped at a time; a multiple of every page size and of `CHUNK_BYTES`."""

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
    with path.open("rb", buffering=0) as stream:
        while _hash_window(stream, hasher):
            pass
    return PREFIX + hasher.hexdigest()


def _hash_window(stream: FileIO, hasher: xxhash.xxh3_128) -> bool:
    """Hash the next part of a file, and tell whether there was any.

    What the system has in memory is hashed where it lies: copying it takes nearly as long as hashing. What must come
    from a disk is read, which reports a broken disk; touching a mapping of it would end the process.
    """
    start = stream.tell()
    if start % WINDOW_BYTES == 0 and _is_in_memory(stream.fileno(), start + WINDOW_BYTES - 1):
        with mmap.mmap(stream.fileno(), WINDOW_BYTES, access=mmap.ACCESS_READ, offset=start) as window:
            hasher.update(window)
        stream.seek(start + WINDOW_BYTES)
        return True
    chunk = memoryview(bytearray(CHUNK_BYTES))
    for _ in range(WINDOW_BYTES // CHUNK_BYTES):
        size = stream.readinto(chunk)
        if not size:
            return False
        hasher.update(chunk[:size])
    return True


def _is_in_memory(descriptor: int, offset: int) -> bool:
    """Tell whether the byte at an offset can be had without waiting for a disk; false where the system cannot say."""
    if not hasattr(os, "RWF_NOWAIT"):
        return False
    try:
        return os.preadv(descriptor, [bytearray(1)], offset, os.RWF_NOWAIT) == 1
    except OSError:
        return False


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
