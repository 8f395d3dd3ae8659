"""The lock that an environment was installed from, held against what is installed."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kit.spec.environment.packages import normalized

if TYPE_CHECKING:
    from collections.abc import Mapping

LOCK = Path("share", "kit", "lock.txt")
"""Below the environment's prefix: put there by whoever installed it."""
_PIN = re.compile(r"^([\w.-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)
_OURS = "kit"
"""Installed beside the lock, which does not list it."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """A package that is not as the lock says; None where a side does not have it."""

    package: str
    locked: str | None
    installed: str | None

    def __str__(self) -> str:
        """Say it in a few words."""
        if self.locked is None:
            return f"{self.package} {self.installed} is installed and not in the lock"
        state = "missing" if self.installed is None else f"{self.installed}"
        return f"{self.package} is {state}, the lock has {self.locked}"


def lock_file() -> Path | None:
    """Return the lock of this environment; None where nobody left one."""
    path = Path(sys.prefix) / LOCK
    return path if path.is_file() else None


def deviations(lock: str, installed: Mapping[str, str]) -> list[Deviation]:
    """Return how the installed packages deviate from a lock.

    Args:
        lock: text of a requirements file with a `NAME==VERSION` for every package.
        installed: normalized name → version.
    """
    locked = {normalized(name): version for name, version in _PIN.findall(lock)}
    return [
        Deviation(name, locked.get(name), installed.get(name))
        for name in sorted({*locked, *installed} - {_OURS})
        if locked.get(name) != installed.get(name)
    ]
