"""Which files a bundle holds: the closed list, and the results digest that follows from it.

A bundle is a tree of regular files. Anything else (links, devices, empty folders), and any name that two file systems
would read differently, is refused before a byte is read.
"""

from __future__ import annotations

import os
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from io import FileIO
from typing import TYPE_CHECKING

import xxhash

from kit.bundle import layout
from kit.core.canonical import canonical_json
from kit.core.digests import CHUNK_BYTES, PREFIX, FileDigests, both_digests
from kit.core.errors import CheckFailed, OperationalError, Problem
from kit.core.paths import AT_ONCE, NO_FOLLOW

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from kit.core.canonical import Json

MAX_FILES = 100_000
MAX_FILE_BYTES = 16 << 30
MAX_TOTAL_BYTES = 64 << 30
MAX_NAME_BYTES = 240
"""Longest path inside a bundle; with a folder's own path it stays below what file systems take."""
MAX_LEVELS = 8
"""Deepest file; the layout has four levels."""

_NAME = re.compile(r"[A-Za-z0-9._@+=-]*[A-Za-z0-9_@+=-]")
"""A part of a path. It does not end with a dot: so neither `.` nor `..` is one, nor what Windows would rename."""
_THREADS = os.cpu_count() or 1


def name_problems(names: Iterable[str], where: str) -> Iterator[Problem]:
    """Yield what is wrong with paths inside a bundle, whether they come from a tree or from an archive."""
    seen: dict[str, str] = {}
    for name in names:
        place = _place(f"{where}/{name}")
        if not all(map(_NAME.fullmatch, name.split("/"))):
            yield Problem(place, "has a name that a bundle cannot hold", "use letters, digits and ._@+=-")
        elif len(name) > MAX_NAME_BYTES or name.count("/") >= MAX_LEVELS:
            yield Problem(place, "has a path that is too long or too deep")
        elif others := _collisions(name, seen):
            yield Problem(place, f"is the same as {others[0]} where case does not count, or lies inside that file")


def _collisions(name: str, seen: dict[str, str]) -> list[str]:
    """Return what cannot lie beside this path on every file system, and remember it and its folders."""
    folders = [name[:index] + "/" for index, character in enumerate(name) if character == "/"]
    others = {path: seen.setdefault(path.rstrip("/").casefold(), path) for path in (*folders, name)}
    return [other for path, other in others.items() if other != path]


def size_problems(sizes: Mapping[str, int], where: str) -> Iterator[Problem]:
    """Yield which limits a tree of files breaks."""
    if len(sizes) > MAX_FILES:
        yield Problem(where, f"holds more than {MAX_FILES} files")
    if sum(sizes.values()) > MAX_TOTAL_BYTES:
        yield Problem(where, f"holds more than {MAX_TOTAL_BYTES} bytes")
    for name, size in sizes.items():
        if size > MAX_FILE_BYTES:
            yield Problem(_place(f"{where}/{name}"), f"is larger than {MAX_FILE_BYTES} bytes")


def walk(folder: Path) -> dict[str, int]:
    """Return the size in bytes of every file below a folder, by its path inside, in the order of the paths.

    Raises:
        CheckFailed: it holds something that a bundle cannot hold.
        OperationalError: it is not a folder, or cannot be read.
    """
    sizes: dict[str, int] = {}
    problems: list[Problem] = []
    try:
        _walk(folder, "", sizes, problems)
    except OSError as error:
        raise OperationalError.of(
            error.filename, f"cannot be read ({error.strerror})", "name the folder of a bundle"
        ) from error
    problems += [*name_problems(sizes, str(folder)), *size_problems(sizes, str(folder))]
    if problems:
        raise CheckFailed(problems)
    return dict(sorted(sizes.items()))


def _walk(folder: Path, prefix: str, sizes: dict[str, int], problems: list[Problem]) -> None:
    entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    if not entries and prefix:
        problems.append(Problem(_place(folder), "is an empty folder", "a bundle holds files only: remove it"))
    for entry in entries:
        name = f"{prefix}{entry.name}"
        if entry.is_dir(follow_symlinks=False) and name.count("/") < MAX_LEVELS and len(sizes) <= MAX_FILES:
            _walk(folder / entry.name, f"{name}/", sizes, problems)
        elif entry.is_file(follow_symlinks=False):
            sizes[name] = entry.stat(follow_symlinks=False).st_size
        else:
            what = "is a link" if entry.is_symlink() else "is neither a file nor a folder, or lies too deep"
            problems.append(Problem(_place(folder / entry.name), what, "a bundle holds regular files only"))


def digest_files(folder: Path, names: Iterable[str]) -> dict[str, FileDigests]:
    """Read each file once, in threads, and return its size and digests.

    Raises:
        CheckFailed: a file is no longer a regular file.
        OperationalError: a file cannot be read.
    """
    names = list(names)
    with ThreadPoolExecutor(_THREADS) as pool:
        return dict(zip(names, pool.map(lambda name: digest_file(folder / name), names), strict=True))


def digest_file(path: Path) -> FileDigests:
    """Return the size and both digests of a regular file, in one pass and without following a link."""
    from cryptography.hazmat.primitives import hashes

    sha256, xxh3_128, size = hashes.Hash(hashes.SHA256()), xxhash.xxh3_128(), 0
    try:
        with open_file(path) as stream:
            while chunk := stream.read(CHUNK_BYTES):
                sha256.update(chunk)
                xxh3_128.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise OperationalError.of(path, f"cannot be read ({error.strerror})") from error
    return FileDigests(size, PREFIX + xxh3_128.hexdigest(), sha256.finalize().hex())


def open_file(path: Path) -> FileIO:
    """Open a regular file for reading, and nothing else: no link is followed and no pipe waited for.

    Raises:
        CheckFailed: it is not a regular file.
        OSError: it cannot be read.
    """
    named = None if NO_FOLLOW else path.lstat()
    stream = FileIO(os.open(path, AT_ONCE | NO_FOLLOW), "rb")
    opened = os.fstat(stream.fileno())
    is_same = named is None or (stat.S_ISREG(named.st_mode) and os.path.samestat(named, opened))
    if not (is_same and stat.S_ISREG(opened.st_mode)):
        stream.close()
        raise CheckFailed.of(path, "is not a regular file")
    return stream


def results_digest(files: Mapping[str, FileDigests]) -> str:
    """Return the results digest: SHA-256 of the RFC 8785 listing (path, size, SHA-256) of `payload/` alone."""
    listing: list[Json] = [
        {"path": name, "size": file.size, "sha256": file.sha256}
        for name, file in sorted(files.items())
        if name.startswith(f"{layout.PAYLOAD}/")
    ]
    return f"sha256:{both_digests(canonical_json(listing)).sha256}"


def folder_results_digest(folder: Path) -> str:
    """Return the results digest of a bundle's folder, signed or not."""
    return results_digest(digest_files(folder, [name for name in walk(folder) if name.startswith("payload/")]))


def _place(path: object) -> str:
    """Return where something lies, with no control character of a stranger's name in it."""
    text = str(path)
    return text if text.isprintable() else ascii(text)
