"""Hostile archives, written without the kit."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def entry(name: bytes, data: bytes = b"", *, size: int | None = None, method: int = 0, **lies: int) -> bytes:
    """Return a local header and what follows it; `lies` are `flags`, `crc`, `name_length`, `extra_length`."""
    told = len(data) if size is None else size
    extra = b"" if told < 0xFFFFFFFF else struct.pack("<2H2Q", 1, 16, told, told)
    short = min(told, 0xFFFFFFFF)
    crc = lies.get("crc", zlib.crc32(data))
    lengths = lies.get("name_length", len(name)), lies.get("extra_length", len(extra))
    version = 45 if extra else 20
    header = struct.pack(
        "<4s5H3I2H", b"PK\3\4", version, lies.get("flags", 0), method, 0, 33, crc, short, short, *lengths
    )
    return header + name + extra + data


def archive(*entries: bytes, before: bytes = b"", names: tuple[bytes, ...] | None = None) -> bytes:
    """Return a whole zip of entries; `names` are what its directory calls them."""
    body, directory = before, b""
    for number, one in enumerate(entries):
        fields = struct.unpack_from("<5H3I2H", one, 4)
        name = names[number] if names else one[30 : 30 + fields[8]]
        central = (3 << 8 | 20, *fields[:8], len(name), 0, 0, 0, 0, 0o100644 << 16, len(body))
        directory += struct.pack("<4s6H3I5H2I", b"PK\1\2", *central) + name
        body += one
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, len(entries), len(entries), len(directory), len(body), 0)
    return body + directory + end


def packed(method: int, *files: tuple[str, bytes], mode: int = 0o100644) -> bytes:
    """Return a zip as the standard library writes it."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as target:
        for name, data in files:
            info = zipfile.ZipInfo(name)
            info.compress_type, info.create_system, info.external_attr = method, 3, mode << 16
            target.writestr(info, data)
    return stream.getvalue()


def overlapping() -> bytes:
    """Return entries that share one compressed content (Fifield 2019, "A better zip bomb"), told by the directory."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = entry(b"a", packer.compress(bytes(1 << 20)) + packer.flush(), method=8)
    return archive(bomb, bomb, bomb, names=(b"a", b"b", b"c"))


def tarred() -> bytes:
    """Return a tar that climbs out."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as target:
        target.addfile(tarfile.TarInfo("../../climbed"))
    return stream.getvalue()


NAMES = {
    "climbs out": b"../climbed",
    "climbs out at the end": b"a/../../climbed",
    "absolute": b"/tmp/climbed",
    "drive": b"C:\\climbed",
    "backslash": b"..\\climbed",
    "NUL": b"a\0b",
    "line feed": b"a\nintact, signed by SHA256:x, whom you named",
    "escape": b"\x1b[2Ja",
    "no name": b"",
    "folder": b"a/",
    "itself": b"./a",
    "two slashes": b"a//b",
    "ends in a dot": b"a.",
    "space": b"a ",
    "stream": b"a:b",
    "not ASCII": "\u00e9".encode(),
    "bidirectional": "\u202egnp.exe".encode(),
    "not UTF-8": b"\xff\xfe",
    "too long": b"x" * 60_000,
    "too deep": b"/".join([b"d"] * 40),
    "home": b"~/a",
}

ARCHIVES: dict[str, Callable[[bytes], bytes]] = {
    **{f"name: {label}": lambda _good, name=name: archive(entry(name, b"x")) for label, name in NAMES.items()},  # type: ignore[misc]
    "empty": lambda _good: b"",
    "gzip": lambda _good: gzip.compress(b"x", mtime=0),
    "tar": lambda _good: tarred(),
    "7z": lambda _good: b"7z\xbc\xaf\x27\x1c" + bytes(26),
    "header alone": lambda _good: b"PK\3\4",
    "directory alone": lambda _good: archive(),
    "directory that promises": lambda _good: struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 65535, 65535, 0, 0, 0),
    "no directory": lambda _good: entry(b"a"),
    "same name twice": lambda _good: archive(entry(b"a", b"1"), entry(b"a", b"2")),
    "names that differ in case": lambda _good: archive(entry(b"A", b"1"), entry(b"a", b"2")),
    "file and folder": lambda _good: archive(entry(b"a", b"1"), entry(b"a/b", b"2")),
    "another name in the directory": lambda _good: archive(entry(b"a"), names=(b"b",)),
    "longer than it is": lambda _good: archive(entry(b"a", b"abc", size=100)),
    "shorter than it is": lambda _good: archive(entry(b"a", b"abc", size=1)),
    "wrong checksum": lambda _good: archive(entry(b"a", b"abc", crc=1)),
    "four gigabytes told": lambda _good: archive(entry(b"a", size=0xFFFFFFFE)),
    "2^62 bytes told": lambda _good: entry(b"a", size=1 << 62),
    "2^64 bytes told": lambda _good: entry(b"a", size=(1 << 64) - 1),
    "length of a name": lambda _good: entry(b"a", name_length=65535),
    "length of an extra field": lambda _good: entry(b"a", extra_length=65535),
    "encrypted": lambda _good: archive(entry(b"a", b"x" * 12, flags=1)),
    "data descriptor": lambda _good: archive(entry(b"a", b"x", flags=8)),
    "UTF-8 flag": lambda _good: archive(entry(b"a", b"x", flags=0x800)),
    "unknown method": lambda _good: archive(entry(b"a", b"x", method=99)),
    "deflated bomb": lambda _good: packed(8, ("manifest.json", bytes(50 << 20))),
    "bomb in a zip": lambda _good: packed(0, ("manifest.json", packed(8, ("x", bytes(50 << 20))))),
    "overlapping": lambda _good: overlapping(),
    "link": lambda _good: packed(0, ("a", b"/etc/passwd"), mode=0o120777),
    "device": lambda _good: packed(0, ("a", b""), mode=0o020666),
    "a script before": lambda good: b"#!/bin/sh\n" + good,
    "a byte behind": lambda good: good + b"\n",
    "comment": lambda good: good[:-2] + b"\1\0x",
    "several disks": lambda good: good[:-18] + b"\1\0\1\0" + good[-14:],
    "twice": lambda good: good + good,
    "half": lambda good: good[: len(good) // 2],
    "more entries than a bundle has files": lambda _good: (
        entry(b"a") + b"".join(entry(b"b%06d" % n) for n in range(120_000))
    ),
}
"""By what is wrong; each is made of a bundle's own zip or of nothing."""


def write(folder: Path, good: Path) -> list[tuple[str, Path]]:
    """Write every archive, and return it with what is wrong with it."""
    written = []
    for number, (label, build) in enumerate(ARCHIVES.items()):
        path = folder / f"{number:02}.zip"
        path.write_bytes(build(good.read_bytes()))
        written.append((label, path))
    return written
