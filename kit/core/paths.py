"""Paths that a manifest or a bundle names, resolved so that they cannot leave their folder."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from kit.core.errors import CheckFailed, OperationalError

if TYPE_CHECKING:
    from typing import BinaryIO


MAX_LEVELS = 64
"""Folders within folders that are looked into; a model's and a data set's files lie two deep."""
TEMPLATES = "additional_chat_templates"
"""Folder of the chat templates that a model has beside its own (transformers' `CHAT_TEMPLATE_DIR`)."""
_SHOWN = 60


NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
"""Opens no link; Windows has no such flag, and whoever opens looks at the name first."""
AT_ONCE = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
"""Opens for reading without waiting for whoever is to write into a pipe; Windows has none among its files."""


class UnsafePathError(ValueError):
    """A path is absolute, climbs out, passes a link that does, or is no regular file."""


def inside(root: Path, *parts: str) -> Path:
    """Return the path below `root`, refusing everything that could lead out of it.

    A symbolic link is followed only when its target stays inside `root`.

    Raises:
        UnsafePathError: the path is absolute, contains `..`, or leads out of `root` or nowhere through links.
    """
    relative = PurePosixPath(*parts) if parts else PurePosixPath()
    for part in parts:
        if PurePosixPath(part).is_absolute() or "\\" in part or "\0" in part:
            raise UnsafePathError(f"{part!r} is not a relative path with forward slashes")
    if ".." in relative.parts:
        raise UnsafePathError(f"'{relative}' contains '..'")
    path = root / relative
    try:
        stays = path.resolve().is_relative_to(root.resolve())
    except RuntimeError as error:
        raise UnsafePathError(f"'{relative}' is a link that leads back to itself") from error
    if not stays:
        raise UnsafePathError(f"'{relative}' is a link that leaves the folder")
    return path


def open_at_once(path: Path) -> BinaryIO:
    """Open what a user named for reading, and wait for nobody: a pipe that no one writes to is empty.

    Raises:
        OSError: it cannot be read.
    """
    descriptor = os.open(path, AT_ONCE)
    if hasattr(os, "O_NONBLOCK"):
        os.set_blocking(descriptor, True)  # what somebody does write, as in `<(…)`, is waited for
    return os.fdopen(descriptor, "rb")


def read_at_most(path: Path, limit: int, remedy: str) -> bytes:
    """Return the bytes of a file.

    Args:
        path: the file.
        limit: in bytes.
        remedy: what to do about a larger file.

    Raises:
        OperationalError: it cannot be read.
        CheckFailed: it is larger.
    """
    try:
        with open_at_once(path) as stream:
            data = stream.read(limit + 1)
    except OSError as error:
        raise OperationalError.of(
            path, f"cannot be read ({error.strerror})", "check the name and the permissions"
        ) from error
    if len(data) > limit:
        raise CheckFailed.of(path, f"is larger than {limit} bytes", remedy)
    return data


def names_in(folder: Path) -> list[str]:
    """Return the names of what lies in a folder, sorted; of a folder within it, the names with a slash behind.

    Only in folders of templates, whose files loaders read too, is looked further. Hidden files are left out, as is what
    cannot be written down; a link is a name like any other, and whoever opens it looks where it leads.

    Raises:
        OSError: the folder cannot be read.
    """
    names: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or not _is_text(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                inner = names_in(folder / entry.name) if entry.name == TEMPLATES else []
                names += [f"{entry.name}/{name}" for name in inner] or [f"{entry.name}/"]
            else:
                names.append(entry.name)
    return sorted(names)


def regular_files(folder: Path) -> list[str]:
    """Return the names of all files below a folder, with forward slashes, sorted.

    Hidden files are left out: version control and download caches keep theirs there.

    Raises:
        UnsafePathError: there is something else than regular files and folders, or a name that is not text.
        OSError: the folder cannot be read.
    """
    names: list[str] = []
    folders = [""] if folder.is_dir() else []
    while folders:
        prefix = folders.pop()
        with os.scandir(folder / prefix) as entries:
            for entry in entries:
                name = f"{prefix}{entry.name}"
                if entry.name.startswith("."):
                    continue
                if not _is_text(name):
                    raise UnsafePathError(f"{name!a} is a name that is not UTF-8")
                if entry.is_symlink():
                    inside(folder, name)
                if entry.is_dir(follow_symlinks=False):
                    if name.count("/") >= MAX_LEVELS:
                        raise UnsafePathError(f"{name[:_SHOWN]!r}… lies deeper than {MAX_LEVELS} levels")
                    folders.append(f"{name}/")
                elif entry.is_file():
                    names.append(name)
                elif not entry.is_symlink():
                    raise UnsafePathError(f"{name!r} is neither a file nor a folder")
    return sorted(names)


def _is_text(name: str) -> bool:
    """Tell whether a name can be written down: on POSIX it is any bytes, in JSON it is text."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
