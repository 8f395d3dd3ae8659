"""Kinds that own their facts: what the modules of a package declare, so that a new one is one new file."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Protocol, TypeVar


class Named(Protocol):
    """Something with the name by which a manifest chooses it."""

    @property
    def name(self) -> str:
        """The name."""


Kind = TypeVar("Kind", bound=Named)


def declared(package: str, attribute: str, kind: type[Kind]) -> dict[str, Kind]:
    """Return what the modules of a package declare under one name, by the names of the kinds, in their order.

    Args:
        package: such as `kit.spec.judges`; its modules are imported.
        attribute: what a module that is a kind calls its declaration, such as `KIND`.
        kind: what a declaration is an instance of.
    """
    modules = pkgutil.iter_modules(import_module(package).__path__, f"{package}.")
    found = (getattr(import_module(one.name), attribute, None) for one in modules)
    kinds = {one.name: one for one in found if isinstance(one, kind)}
    return dict(sorted(kinds.items()))
