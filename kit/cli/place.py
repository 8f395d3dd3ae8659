"""Where a bundle goes, whether that can be written to, and whether it outlives the container."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from kit.core.errors import OperationalError
from kit.spec.environment.image import in_image
from kit.spec.environment.mounts import outlives_container

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kit.spec.manifest.load import LoadedManifest

BUNDLES = Path("bundles")
AS_YOU = '--user "$(id -u):$(id -g)"'
"""For `docker run`: what is written belongs to the user who typed the command."""


def bundle_place(loaded: LoadedManifest, out: Path | None, temporary: Path) -> Path:
    """Return a folder that is not there yet, below one that is and can be written to.

    Without `out` it is in `bundles`, or, where the container's file system cannot be written to, in the folder
    for temporary files.

    Raises:
        OperationalError: there is no such folder.
    """
    from kit.bundle.publish import require_free

    target = out or free_name(BUNDLES, loaded)
    require_free(target)
    try:
        _make_parent(target)
    except OperationalError:
        if out or not in_image() or outlives_container(target):
            raise
        target = free_name(temporary / BUNDLES, loaded)
        _make_parent(target)
    return target


def free_name(folder: Path, loaded: LoadedManifest) -> Path:
    """Return the first of `NAME-DIGEST`, `…-2`, … that no finished bundle has."""
    stem = f"{loaded.manifest.name}-{loaded.digest.rpartition(':')[2][:12]}"
    names = (folder / (stem if number == 1 else f"{stem}-{number}") for number in range(1, sys.maxsize))
    return next(path for path in names if not path.exists())


def work_folder(target: Path) -> Path:
    """Return where the finished steps of a bundle are kept while it is being made."""
    return target.with_name(target.name + ".work")


def passing_note(target: Path, out: Path | None) -> str | None:
    """Return what to tell a user whose bundle would go with the container; None where it stays."""
    if not in_image() or outlives_container(target):
        return None
    mount = f'docker run {AS_YOU} -v "$PWD/bundles:{BUNDLES.resolve()}" …'
    named = f" --out {BUNDLES / target.name}" if out else ""
    where = f"{target.parent.resolve()} is inside the container and goes with it"
    return f"{where}; to keep what is written: mkdir -p bundles; {mount}{named}"


def require_mounted(path: Path) -> None:
    """Make sure that a file of the user's can be read, which in a container was perhaps forgotten to be mounted.

    Raises:
        OperationalError: it is not in the container, or not for the user that the container runs as.
    """
    if not in_image():
        return
    mount = f'docker run {AS_YOU} -v "$PWD:{Path.cwd()}" …'
    if not path.exists():
        remedy = f"mount the folder that holds it, and name it relative to that: {mount}"
        raise OperationalError.of(path, "is not in the container", remedy)
    if not os.access(path, os.R_OK):
        what = f"may not be read by user {os.getuid()}, whom the container runs as"
        raise OperationalError.of(path, what, f"run it as you: {mount}")


def require_temporary_folder(variables: Mapping[str, str], *, for_kernels: bool) -> Path:
    """Return the folder for temporary files.

    Args:
        variables: of the process environment.
        for_kernels: whether the GPU's libraries compile and load kernels, which would fail in the middle of a run.

    Raises:
        OperationalError: none can be written to; or every folder that kernels could go to is mounted `noexec`.
    """
    from kit.run.backends.worker.home import can_hold_programs

    try:
        folder = tempfile.gettempdir()
    except FileNotFoundError as error:
        remedy = "docker run --tmpfs /tmp:exec …" if in_image() else "set TMPDIR to a folder of yours"
        raise OperationalError.of(
            "temporary files", "there is no folder for them that can be written to", remedy
        ) from error
    home = variables.get("HOME", "")
    if for_kernels and not can_hold_programs(home) and not can_hold_programs(folder):
        remedy = "docker run --tmpfs /tmp:exec …" if in_image() else "set TMPDIR to a folder that is not"
        raise OperationalError.of(
            folder, "is mounted noexec, and a GPU's kernels are compiled and loaded there", remedy
        )
    return Path(folder)


def _make_parent(target: Path) -> None:
    folder = target.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OperationalError.of(folder, f"cannot be made ({error.strerror})", _remedy(folder)) from error
    if not os.access(folder, os.W_OK):
        raise OperationalError.of(folder, "cannot be written to", _remedy(folder))


def _remedy(folder: Path) -> str:
    if not in_image():
        return "choose a folder of yours with --out"
    existing = next(path for path in (folder.resolve(), *folder.resolve().parents) if path.exists())
    if os.statvfs(existing).f_flag & os.ST_RDONLY:
        return f"{existing} is read-only: mount it without `:ro`, or choose a folder that is not with --out"
    owner = existing.stat().st_uid
    whose = f"{existing} belongs to user {owner}, and the container runs as user {os.getuid()}"
    if owner == 0:
        whose += " (Docker makes a folder that is missing as root: remove it, and make it yourself)"
    return f"{whose}; start it as you: docker run {AS_YOU} …"
