"""What installed distributions offer: named `DISTRIBUTION/NAME`, found by entry point, imported when asked for.

Nothing is searched: a document names a distribution, and only that one is looked at. Whose code runs is decided by who
installs it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from typing import TypeVar

from kit.core.errors import OperationalError

FORM = r"^[a-z0-9]+(-[a-z0-9]+)*/[a-z0-9]+(-[a-z0-9]+)*$(?!\n)"
"""Of a name: the distribution's as PyPA's "Names and normalization" writes it, and its entry point's."""
Offered = TypeVar("Offered")


@dataclass(frozen=True, slots=True)
class Plugin:
    """Where something from outside comes from."""

    distribution: str
    version: str


def is_plugin(name: str) -> bool:
    """Tell whether a name is that of something from outside."""
    return re.fullmatch(FORM, name) is not None


@cache
def origin(name: str) -> Plugin | None:
    """Return which installed distribution a name belongs to; None where it is not installed."""
    try:
        found = distribution(name.partition("/")[0])
    except PackageNotFoundError:
        return None
    return Plugin(name.partition("/")[0], found.version)


@cache
def find_plugin(group: str, name: str, kind: type[Offered]) -> Offered | None:
    """Return what a distribution offers under a name; None where it is not installed, or offers no such thing.

    Args:
        group: of entry points, such as `kit.judges`.
        name: `DISTRIBUTION/NAME`.
        kind: what it must be an instance of.

    Raises:
        OperationalError: it is installed and cannot be imported, or is something else.
    """
    owner, _, own = name.partition("/")
    try:
        offered = distribution(owner).entry_points.select(group=group, name=own)
    except PackageNotFoundError:
        return None
    for entry in offered:
        try:
            found = entry.load()
        except (ImportError, AttributeError) as error:
            what = f"cannot be imported ({error})"
            raise OperationalError.of(f"plugin {name}", what, f"install {owner} anew, or another version") from error
        if not isinstance(found, kind):
            what = f"{entry.value} is no {kind.__name__}"
            raise OperationalError.of(f"plugin {name}", what, f"install a version of {owner} that fits this kit")
        return found
    return None
