"""The deterministic zip of a bundle, and reading one from a stranger.

There is one zip for a tree: entries stored and in the order of their names, dated 1980-01-01, mode 0644, without
comments, and nothing between them (PKWARE APPNOTE 6.3.10; ZIP64 fields only where a number needs them). So reading
is strict for free: whatever differs by a byte from what would be written is refused, which leaves no room for
duplicate names, links, overlaps, bombs, or data before, between or behind the entries.
"""

from __future__ import annotations

import os
import shutil
import struct
import tempfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from kit.bundle.files import MAX_FILES, MAX_NAME_BYTES, name_problems, open_file, size_problems, walk
from kit.core.digests import CHUNK_BYTES
from kit.core.errors import CheckFailed, KitError, OperationalError
from kit.core.paths import open_at_once

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END64 = struct.Struct("<4sQ2H2I4Q")
_END64_LOCATOR = struct.Struct("<4sIQI")
_END = struct.Struct("<4s4H2IH")
_LOCAL_SIGNATURE = b"PK\x03\x04"
_UNIX = 3
_FIRST_DAY = 0x21
"""1980-01-01 as MS-DOS writes dates; the time is midnight."""
_MODE = 0o100644 << 16
_MAX_16, _MAX_32 = 0xFFFF, 0xFFFFFFFF

_REPACKED = "unpack it yourself and name the folder, if it was only packed again"


@dataclass(frozen=True, slots=True)
class _Entry:
    """One file in a zip: its name, size in bytes, CRC-32, and where its local header begins."""

    name: str
    size: int
    crc32: int
    offset: int

    @property
    def is_large(self) -> bool:
        """Whether its size needs a ZIP64 field."""
        return self.size >= _MAX_32

    @property
    def end(self) -> int:
        """Where the next entry begins."""
        return self.offset + len(_local_header(self)) + self.size


def write_zip(folder: Path, path: Path) -> None:
    """Write the deterministic zip of a folder, whole or not at all.

    Raises:
        CheckFailed: the folder holds what a bundle cannot hold.
        OperationalError: there is no space, or no permission.
    """
    unfinished = path.with_name(f"{path.name}.unfinished")
    try:
        with unfinished.open("wb") as stream:
            stream.writelines(_zip_bytes(folder))
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise OperationalError.of(
            path, f"cannot be written ({error.strerror})", "check space and permissions"
        ) from error


@contextmanager
def open_bundle(path: Path) -> Iterator[Path]:
    """Give the folder of a bundle: itself, or what its zip holds, in a private folder that is removed afterwards.

    Problems inside a zip are told with the zip's name in front, as if it were a folder.

    Raises:
        CheckFailed: the zip is not one that the kit writes.
        OperationalError: there is no such file, or no space.
    """
    if path.is_dir():
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="kit-") as private:
        folder = Path(private) / "bundle"
        with told_of(path, folder):
            extract_zip(path, folder)
            yield folder


@contextmanager
def told_of(path: Path, folder: Path) -> Iterator[None]:
    """Tell of a zip, as its user named it, what is found wrong in the folder that it was unpacked into."""
    try:
        yield
    except KitError as error:
        problems = [replace(one, where=one.where.replace(str(folder), str(path), 1)) for one in error.problems]
        raise type(error)(problems) from error


def extract_zip(path: Path, folder: Path) -> None:
    """Write the files of a stranger's zip into a new folder.

    Raises:
        CheckFailed: the zip is not one that the kit writes.
        OperationalError: it cannot be read, or there is no space.
    """
    try:
        with open_at_once(path) as stream:
            entries = _read_entries(stream, path)
            _check_space(entries, folder.parent)
            for entry in entries:
                _extract(stream, entry, path, folder / entry.name)
    except OSError as error:
        remedy = "name a bundle's folder or its zip"
        raise OperationalError.of(error.filename or path, f"cannot be read ({error.strerror})", remedy) from error


def _zip_bytes(folder: Path) -> Iterator[bytes]:
    entries: list[_Entry] = []
    offset = 0
    for name, size in walk(folder).items():
        entry = _Entry(name, size, _crc32(folder / name), offset)
        yield _local_header(entry)
        yield from _chunks(folder / name)
        entries.append(entry)
        offset = entry.end
    yield _directory(entries)


def _chunks(path: Path) -> Iterator[bytes]:
    with open_file(path) as stream:
        while chunk := stream.read(CHUNK_BYTES):
            yield chunk


def _crc32(path: Path) -> int:
    value = 0
    for chunk in _chunks(path):
        value = zlib.crc32(chunk, value)
    return value


def _local_header(entry: _Entry) -> bytes:
    """APPNOTE 4.3.7, with the ZIP64 extended information of 4.5.3 where the size needs it."""
    extra = struct.pack("<2H2Q", 1, 16, entry.size, entry.size) if entry.is_large else b""
    size = min(entry.size, _MAX_32)
    version = 45 if entry.is_large else 20
    numbers = (version, 0, 0, 0, _FIRST_DAY, entry.crc32, size, size, len(entry.name), len(extra))
    return _LOCAL.pack(_LOCAL_SIGNATURE, *numbers) + entry.name.encode("ascii") + extra


def _central_header(entry: _Entry) -> bytes:
    """APPNOTE 4.3.12."""
    large = ([entry.size] * 2 if entry.is_large else []) + ([entry.offset] if entry.offset >= _MAX_32 else [])
    extra = struct.pack(f"<2H{len(large)}Q", 1, 8 * len(large), *large) if large else b""
    version = 45 if large else 20
    size, offset = min(entry.size, _MAX_32), min(entry.offset, _MAX_32)
    system = _UNIX << 8 | version
    numbers = (system, version, 0, 0, 0, _FIRST_DAY, entry.crc32, size, size, len(entry.name), len(extra))
    return _CENTRAL.pack(b"PK\x01\x02", *numbers, 0, 0, 0, _MODE, offset) + entry.name.encode("ascii") + extra


def _directory(entries: Sequence[_Entry]) -> bytes:
    """Return all that follows the last file: the central directory and its end records (APPNOTE 4.3.14 to 4.3.16)."""
    directory = b"".join(map(_central_header, entries))
    count, size, start = len(entries), len(directory), entries[-1].end if entries else 0
    end64 = b""
    if count >= _MAX_16 or size >= _MAX_32 or start >= _MAX_32:
        record = _END64.pack(b"PK\x06\x06", _END64.size - 12, _UNIX << 8 | 45, 45, 0, 0, count, count, size, start)
        end64 = record + _END64_LOCATOR.pack(b"PK\x06\x07", 0, start + size, 1)
    short_count = min(count, _MAX_16)
    end = _END.pack(b"PK\x05\x06", 0, 0, short_count, short_count, min(size, _MAX_32), min(start, _MAX_32), 0)
    return directory + end64 + end


def _read_entries(stream: BinaryIO, path: Path) -> list[_Entry]:
    """Read all headers; when this returns, only the files' bytes can still be wrong."""
    entries: list[_Entry] = []
    offset = 0
    while len(entries) <= MAX_FILES and (entry := _read_entry(stream, offset, path)):
        if entries and entry.name <= entries[-1].name:
            raise CheckFailed.of(f"{path}/{entry.name}", "occurs twice in the archive, or out of order", _REPACKED)
        entries.append(entry)
        offset = entry.end
    sizes = {entry.name: entry.size for entry in entries}
    if problems := [*name_problems(sizes, str(path)), *size_problems(sizes, str(path))]:
        raise CheckFailed(problems)
    stream.seek(offset)
    tail = _directory(entries)
    if not entries or stream.read(len(tail) + 1) != tail:
        raise CheckFailed.of(path, "does not end as a zip that the kit wrote, or holds other data as well", _REPACKED)
    return entries


def _read_entry(stream: BinaryIO, offset: int, path: Path) -> _Entry | None:
    """Read one local header, or nothing where there is none."""
    stream.seek(offset)
    header = stream.read(_LOCAL.size + MAX_NAME_BYTES + 20)
    if not header.startswith(_LOCAL_SIGNATURE) or len(header) < _LOCAL.size:
        return None
    fields = _LOCAL.unpack_from(header)
    crc32, size, name_length, extra_length = fields[6], fields[8], fields[9], fields[10]
    name = header[_LOCAL.size : _LOCAL.size + name_length].decode("ascii", "backslashreplace")
    if extra_length == 20 and size == _MAX_32 and len(header) >= _LOCAL.size + name_length + extra_length:
        (size,) = struct.unpack_from("<Q", header, _LOCAL.size + name_length + 4)
    entry = _Entry(name, size, crc32, offset)
    if problems := [*name_problems([name], str(path)), *size_problems({name: size}, str(path))]:
        raise CheckFailed(problems)
    if not header.startswith(_local_header(entry)):
        raise CheckFailed.of(f"{path}/{name}", "is not stored as the kit stores files", _REPACKED)
    return entry


def _check_space(entries: Sequence[_Entry], folder: Path) -> None:
    needed = sum(entry.size for entry in entries)
    if needed > shutil.disk_usage(folder).free:
        raise OperationalError.of(
            folder, f"has no space for {needed} bytes", "make space, or set TMPDIR to another disk"
        )


def _extract(stream: BinaryIO, entry: _Entry, path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    stream.seek(entry.end - entry.size)
    crc32, left = 0, entry.size
    with target.open("xb") as output:
        while left and (chunk := stream.read(min(left, CHUNK_BYTES))):
            output.write(chunk)
            crc32 = zlib.crc32(chunk, crc32)
            left -= len(chunk)
    if left or crc32 != entry.crc32:
        raise CheckFailed.of(f"{path}/{entry.name}", "does not have the checksum that the archive says", "get it again")
