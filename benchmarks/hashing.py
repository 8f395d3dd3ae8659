"""How fast files are pinned and checked, beside how fast this machine reads them.

    .venv/test/bin/python benchmarks/hashing.py [--folder FOLDER] [--files 4] [--mib 512] [--rounds 7]

Writes random files, reads each of them whole (as `cat` does, one after the other), then takes their digests as
`kit pin` and `kit check` do; in turn, so that a machine whose speed drifts slows both. The files are in the page cache,
which is the hard case: a disk is slower than memory, and hashing goes on while it reads. At last a second check, which
remembers.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from kit.core.digest_cache import SETTLED_NANOSECONDS, Digests
from kit.core.digests import CHUNK_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

MIB = 1 << 20
GB = 1_000_000_000


def written(folder: Path, files: int, mib: int) -> list[Path]:
    """Write files of random bytes."""
    paths = [folder / f"model-{number}.safetensors" for number in range(files)]
    for path in paths:
        with path.open("wb") as stream:
            for _ in range(mib):
                stream.write(os.urandom(MIB))
    return paths


def read(paths: list[Path], chunk_bytes: int) -> None:
    """Read files and do nothing with them."""
    chunk = bytearray(chunk_bytes)
    for path in paths:
        with path.open("rb", buffering=0) as stream:
            while stream.readinto(chunk):
                pass


def seconds(work: Callable[[], object]) -> float:
    """Return how long something takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    """Print speeds and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="on the disk to measure; a temporary one unless named")
    for name, default in (("--files", 4), ("--mib", 512), ("--rounds", 7)):
        parser.add_argument(name, type=int, default=default)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as scratch:
        paths = written(Path(scratch), given.files, given.mib)
        size = given.files * given.mib * MIB
        read(paths, MIB)
        reading, hashing, ratios = [], [], []
        for _ in range(given.rounds):
            # The faster of two sizes of reads, as what the machine can do.
            reading.append(min(seconds(lambda: read(paths, MIB)), seconds(lambda: read(paths, CHUNK_BYTES))))
            hashing.append(seconds(lambda: Digests().of(paths)))
            ratios.append(reading[-1] / hashing[-1])
        time.sleep(SETTLED_NANOSECONDS / GB)
        memory = Path(scratch) / "digests.json"
        first, second = (seconds(lambda: Digests(memory).of(paths)) for _ in range(2))
    for name, taken in (("read", reading), ("hashed", hashing)):
        print(f"{name:8} {size / statistics.median(taken) / GB:6.2f} GB/s (median of {given.rounds})")
    print(f"ratio    {statistics.median(ratios):6.0%} ({min(ratios):.0%} to {max(ratios):.0%})")
    print(f"again    {second * 1000:6.1f} ms, after {first:.2f} s")


if __name__ == "__main__":
    main()
