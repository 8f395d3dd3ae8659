"""Which kit wrote a bundle, told where this one cannot read it: a later kit's files may hold what this one lacks."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from kit.bundle import layout
from kit.core.canonical import read_json
from kit.core.errors import CheckFailed, KitError, Problem
from kit.core.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MAX_SHOWN = 40
"""How many characters of what a bundle calls its kit's version a message shows."""


@contextmanager
def naming_another_kit(folder: Path) -> Iterator[None]:
    """Put before the problems of a bundle that another version of the kit wrote it, if it says so."""
    try:
        yield
    except CheckFailed as error:
        said = _version(folder)
        if said in ("", __version__):
            raise
        what = f"says that kit {said} wrote this bundle, and this is kit {__version__}"
        remedy = f"what follows may be what only the other knows: ask kit {said}"
        raise CheckFailed([Problem(f"{folder}/{layout.RUN}", what, remedy), *error.problems]) from error


def _version(folder: Path) -> str:
    """Return which version of the kit a record names; empty where it names none."""
    try:
        run = read_json(folder / layout.RUN)
    except KitError:
        return ""
    kit = run.get("kit") if isinstance(run, dict) else None
    version = kit.get("version") if isinstance(kit, dict) else None
    return version[:_MAX_SHOWN] if isinstance(version, str) else ""
