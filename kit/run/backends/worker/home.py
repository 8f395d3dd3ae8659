"""What libraries take for granted of the user that they run as: a name, a home, a cache that can be written to."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PLACES = ("HOME", "XDG_CACHE_HOME")


@contextmanager
def sandbox_home(variables: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Give variables that a library can live with, whoever the user is.

    A container may run as any number, with no name in /etc/passwd, at which `getpass.getuser` fails, and with a home
    that cannot be written to; it then has a temporary one.
    """
    name = variables.get("LOGNAME") or variables.get("USER") or f"user{os.getuid()}"
    kept = {key: value for key, value in variables.items() if key not in _PLACES or can_hold_programs(value)}
    kept |= {"LOGNAME": name, "USER": name}
    if "HOME" in kept:
        yield kept
        return
    with tempfile.TemporaryDirectory(prefix="kit-home-", ignore_cleanup_errors=True) as home:
        yield kept | {"HOME": home}


def can_hold_programs(folder: str) -> bool:
    """Tell whether a folder is there, or can be made, and what is compiled into it can be loaded from it.

    Triton compiles a kernel and loads it from its cache, which fails on a file system that is mounted `noexec`.
    """
    if not folder.startswith("/"):
        return False
    existing = next(path for path in (Path(folder), *Path(folder).parents) if path.exists())
    is_noexec = bool(os.statvfs(existing).f_flag & os.ST_NOEXEC)
    return existing.is_dir() and os.access(existing, os.W_OK | os.X_OK) and not is_noexec
