"""Digests of large files that were computed before, known again by what the file system says of the files.

A file is taken for the same as long as its device, inode, size, and the times of its last change, to content and to
inode, are. The last cannot be set back by `touch`, so content does not change unnoticed. What changed a moment ago is
not remembered: within one tick of the file system's clock it could change again (the "racy git" problem).
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from kit.core.canonical import read_json
from kit.core.digests import PREFIX, file_digest
from kit.core.errors import KitError, OperationalError

if TYPE_CHECKING:
    from collections.abc import Iterable

LARGE_BYTES = 16 << 20
"""Smaller files are hashed faster than they are looked up for."""
SETTLED_NANOSECONDS = 2_000_000_000
"""The coarsest clock of a file system that is in use (FAT): two seconds."""
MAX_ENTRIES = 4096
"""How many files are remembered; the oldest are forgotten."""
_THREADS = 8


@dataclass(slots=True)
class Digests:
    """Digests of files, large ones side by side, and remembered in a file if there is one."""

    memory: Path | None = None
    _known: dict[str, str] | None = field(default=None, init=False)

    def of(self, paths: Iterable[Path]) -> list[str]:
        """Return the digest of each file; hashing and reading release the interpreter.

        Raises:
            OperationalError: a file cannot be read.
        """
        known = self._recalled()
        with ThreadPoolExecutor(_THREADS) as pool:
            found = [*pool.map(self._digest, paths)]
        fresh = {key: digest for digest, key in found if key and known.get(key) != digest}
        if fresh:
            known |= fresh
            self._write(known)
        return [digest for digest, _ in found]

    def _digest(self, path: Path) -> tuple[str, str | None]:
        """Return the digest of a file, and the key to remember it by."""
        try:
            key = _key(path)
            if key and (known := self._recalled().get(key)):
                return known, None
            digest = file_digest(path)
            return digest, key if key and key == _key(path) else None
        except OSError as error:
            raise OperationalError.of(path, f"cannot be read ({error.strerror})", "check its permissions") from error

    def _recalled(self) -> dict[str, str]:
        if self._known is None:
            self._known = {}
            if self.memory and self.memory.is_file():
                with suppress(KitError):  # a memory that cannot be read is no memory
                    self._known = _entries(read_json(self.memory))
        return self._known

    def _write(self, known: dict[str, str]) -> None:
        """Write the memory whole or not at all; without one, everything is only slower."""
        if self.memory is None:
            return
        kept = dict([*known.items()][-MAX_ENTRIES:])
        with suppress(OSError):
            self.memory.parent.mkdir(parents=True, exist_ok=True)
            descriptor, scratch = tempfile.mkstemp(dir=self.memory.parent)
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                json.dump(kept, stream, indent=0)
            Path(scratch).replace(self.memory)


def _key(path: Path) -> str | None:
    """Return what a large, settled file is known again by."""
    state = path.stat()
    last = max(state.st_mtime_ns, state.st_ctime_ns)
    if state.st_size < LARGE_BYTES or time.time_ns() - last < SETTLED_NANOSECONDS:
        return None
    return " ".join(map(str, (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)))


def _entries(document: object) -> dict[str, str]:
    pairs = document.items() if isinstance(document, dict) else ()
    return {key: value for key, value in pairs if isinstance(value, str) and value.startswith(PREFIX)}
