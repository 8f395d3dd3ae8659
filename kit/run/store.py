"""Finished steps, stored by the key of everything that decides them.

A step is written into a scratch folder and moved into place by one rename, so a step is there whole or not at all,
whenever the process was killed. What is taken out again is compared with the digests that were noted when it went in.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, cast

from kit.core.canonical import Json, canonical_json, read_json
from kit.core.digests import PREFIX, file_digest, json_digest
from kit.core.errors import KitError, OperationalError
from kit.core.paths import UnsafePathError, regular_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NOTE = "step.json"
"""Beside a step's files: their digests, and what the run's record says of the step."""


class Store:
    """A folder of finished steps."""

    def __init__(self, root: Path) -> None:
        """Use a folder, which is made when something is written to it."""
        self.root = root

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other run out of this store.

        Raises:
            OperationalError: another run is using it, or it cannot be written to.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            stream = (self.root / "lock").open("w")
        except OSError as error:
            what = f"cannot be written to ({error.strerror})"
            raise OperationalError.of(self.root, what, "choose a folder of yours with --out or --store") from error
        with stream:
            try:
                with suppress(ImportError):  # on Windows, where nothing is run, and judging again works without
                    import fcntl

                    fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise OperationalError.of(
                    self.root, "another run is using it", "wait for it, or choose another --out"
                ) from error
            yield

    def folder(self, key: str) -> Path:
        """Return where the files of a finished step lie."""
        return self.root / "steps" / key.removeprefix(PREFIX)

    def note(self, key: str) -> dict[str, Json] | None:
        """Return what was noted of a finished step, or None when it is not there or not what was put in."""
        folder = self.folder(key)
        try:
            document = cast("dict[str, Any]", read_json(folder / _NOTE))
            files = {name: file_digest(folder / name) for name in regular_files(folder) if name != _NOTE}
            note: dict[str, Json] = document["note"]
            intact = document["files"] == files and document["digest"] == json_digest([document["files"], note])
        except (KitError, OSError, UnsafePathError, KeyError, TypeError):
            return None
        return note if intact else None

    def scratch(self, key: str) -> Path:
        """Return an empty folder to write a step into; what an earlier attempt left there is gone."""
        folder = self.root / "scratch" / key.removeprefix(PREFIX)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def commit(self, key: str, note: dict[str, Json]) -> None:
        """Move a step's scratch folder into place."""
        scratch, folder = self.root / "scratch" / key.removeprefix(PREFIX), self.folder(key)
        files: dict[str, Json] = {name: file_digest(scratch / name) for name in regular_files(scratch)}
        document: dict[str, Json] = {"files": files, "note": note, "digest": json_digest([files, note])}
        (scratch / _NOTE).write_bytes(canonical_json(document))
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(exist_ok=True)
        os.replace(scratch, folder)  # noqa: PTH105 - the rename is the commit

    def remove(self) -> None:
        """Delete the store with everything in it."""
        shutil.rmtree(self.root)
