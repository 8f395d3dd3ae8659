"""Which file system a path is on, and whether that goes when the container goes."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MOUNTINFO = Path("/proc/self/mountinfo")
_ESCAPE = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of mountinfo: the parts that tell where something comes from (proc_pid_mountinfo(5))."""

    root: str
    """The folder of the file system that is seen; `/` unless a part of it was mounted."""
    point: str
    """The folder that it is seen at."""
    file_system: str


def parse_mounts(text: str) -> list[Mount]:
    """Return the mounts in the order in which they were made; a line of another form is passed over."""
    found = []
    for line in text.splitlines():
        place, _, source = line.partition(" - ")
        fields, kind = place.split(" "), source.partition(" ")[0]
        if len(fields) >= 6 and kind:
            found.append(Mount(_unescaped(fields[3]), _unescaped(fields[4]), kind))
    return found


def mount_of(path: Path, mounts: Sequence[Mount]) -> Mount | None:
    """Return the mount that an absolute path without links is on: the deepest, and of two at one place the later."""
    above = [mount for mount in mounts if path.is_relative_to(mount.point)]
    return max(reversed(above), key=lambda mount: len(Path(mount.point).parts), default=None)


def outlives_container(path: Path) -> bool:
    """Tell whether what is written to a path in a container is still there when the container has gone.

    It is not in the container's root, nor in memory. A folder of a file system in memory that the host lends is the
    host's, and stays. The path need not exist. Without the kernel's list of mounts, nothing is known to go.
    """
    try:
        mounts = parse_mounts(os.fsdecode(MOUNTINFO.read_bytes()))
    except OSError:
        return True
    mount = mount_of(path.resolve(), mounts)
    in_memory = mount is not None and mount.file_system in ("tmpfs", "ramfs") and mount.root == "/"
    return mount is None or not (mount.point == "/" or in_memory)


def _unescaped(field: str) -> str:
    """Undo how the kernel writes space, tab, line feed and backslash."""
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), field)
