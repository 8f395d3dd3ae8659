"""How a bundle appears: put together beside its place, signed, zipped, and put there by one rename."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kit.bundle.archive import write_zip
from kit.bundle.signing.seal import seal
from kit.core.errors import OperationalError

if TYPE_CHECKING:
    from pathlib import Path

    from kit.bundle.signing.interface import Signer
    from kit.bundle.signing.seal import Sealed
    from kit.spec.manifest.load import LoadedManifest


def archive_of(folder: Path) -> Path:
    """Return where the zip of a bundle stands: beside its folder."""
    return folder.with_name(folder.name + ".zip")


def require_free(out: Path) -> None:
    """Make sure that a bundle can be written without overwriting anything.

    Raises:
        OperationalError: the folder or its zip exists, or the name is not one for a new folder.
    """
    if out.name in ("", ".."):
        raise OperationalError.of(out, "is not a name for a new folder", "choose another --out")
    # A run that was killed at its very end has left a finished zip beside its partial folder.
    ours = {archive_of(out)} if _partial(out).exists() else set()
    taken = [path for path in (out, archive_of(out)) if os.path.lexists(path) and path not in ours]
    if taken:
        raise OperationalError.of(taken[0], "exists already", "choose another --out, or remove it")


def fresh_partial(out: Path) -> Path:
    """Return the name of the folder in which a bundle is put together; what was left there is gone."""
    partial = _partial(out)
    shutil.rmtree(partial, ignore_errors=True)
    return partial


def publish(partial: Path, out: Path, signer: Signer, loaded: LoadedManifest) -> Sealed:
    """Sign a finished folder, in which this manifest was put, and write its zip; then it appears as `out`.

    Its folder comes last of all: whoever sees it sees it whole, however often the run was cut off.
    """
    sealed = seal(partial, signer, loaded)
    write_zip(partial, archive_of(out))
    os.replace(partial, out)  # noqa: PTH105 - the rename is the commit
    return sealed


def _partial(out: Path) -> Path:
    return out.with_name(out.name + ".partial")


def now() -> str:
    """Return the time as a record has it: UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
