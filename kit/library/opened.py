"""A bundle's files, there for as long as somebody reads them."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from kit.bundle.archive import extract_zip, told_of
from kit.bundle.contents import open_contents
from kit.bundle.files import folder_results_digest

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


class OpenedBundle:
    """A bundle's own folder, or a private one that holds what its zip holds and goes with the last who holds this."""

    def __init__(self, path: Path) -> None:
        """Unpack a zip, and read all but the rows that answer.

        Raises:
            CheckFailed: it is not a bundle, or its manifest, records or prompts are malformed.
            OperationalError: it cannot be read, or there is no space.
        """
        self.path = path
        self.folder = path.absolute() if path.is_dir() else self._unpacked()  # wherever the user goes to later
        with self.telling():
            self.contents = open_contents(self.folder)

    def _unpacked(self) -> Path:
        private = Path(tempfile.mkdtemp(prefix="kit-"))
        weakref.finalize(self, _remove, private, os.getpid())
        folder = private / "bundle"
        with told_of(self.path, folder):
            extract_zip(self.path, folder)
        return folder

    def telling(self) -> AbstractContextManager[None]:
        """Tell problems with the bundle's name as it was given."""
        return told_of(self.path, self.folder)

    @cached_property
    def results_digest(self) -> str:
        """The digest of its payload."""
        with self.telling():
            return folder_results_digest(self.folder)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of its rows must know, in sentences."""
        redaction, incomplete = self.contents.redaction, self.contents.incomplete
        withheld = [
            f"the texts of {', '.join(one.withheld)} are withheld, and None: it was redacted from {one.original}"
            for one in [redaction]
            if one and one.withheld
        ]
        return (*withheld, *([incomplete] if incomplete else []))


def _remove(folder: Path, process: int) -> None:
    """Remove a private folder, unless this process is a copy of the one whose it is."""
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)
