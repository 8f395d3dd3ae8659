"""Whether a file is the one that the Hub lists.

This is for files that nobody has pinned yet; afterwards their xxh3_128 digests decide. The Hub lists git's own identity
of a file (SHA-1 over `blob SIZE`, a null byte and the content), and the SHA-256 of one that git LFS holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.core.digests import CHUNK_BYTES

if TYPE_CHECKING:
    from pathlib import Path

    from kit.spec.hub.interface import RepoFile


def is_as_listed(path: Path, listed: RepoFile) -> bool:
    """Tell whether a file's content is what the Hub lists; true where it lists no identity.

    Raises:
        OSError: the file cannot be read.
    """
    from cryptography.hazmat.primitives import hashes

    if listed.sha256:
        return _hash(path, hashes.SHA256(), b"") == listed.sha256
    if listed.git_sha1:
        head = b"blob %d\0" % path.stat().st_size
        return _hash(path, hashes.SHA1(), head) == listed.git_sha1  # noqa: S303 - what git computes
    return True


def _hash(path: Path, algorithm: object, head: bytes) -> str:
    from cryptography.hazmat.primitives import hashes

    assert isinstance(algorithm, hashes.HashAlgorithm)
    hasher = hashes.Hash(algorithm)
    hasher.update(head)
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            hasher.update(chunk)
    return hasher.finalize().hex()
