"""Rows out of files. A format is one small file here or comes from outside, named in the manifest and never guessed."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from kit.core.errors import CheckFailed
from kit.core.kinds import declared
from kit.core.plugins import find_plugin, is_plugin
from kit.spec.data.interface import Format

if TYPE_CHECKING:
    from collections.abc import Mapping

PLUGINS = "kit.formats"
"""The entry points by which an installed distribution offers a `Format` (docs/extending.md)."""


@cache
def own_formats() -> Mapping[str, Format]:
    """Return the formats that the kit itself brings, by name; the schema's `format` lists the same, and `columns`."""
    return declared(__name__, "FORMAT", Format)


@cache
def find_format(name: str) -> Format:
    """Return the format that a manifest calls by this name.

    Raises:
        CheckFailed: it comes from outside, and is not installed.
        OperationalError: it is installed, and cannot be used.
    """
    if not is_plugin(name):
        return own_formats()[name]
    form = find_plugin(PLUGINS, name, Format)
    if form is None:
        owner, _, own = name.partition("/")
        what = f"the format {own!r} of the distribution {owner!r} is not installed"
        raise CheckFailed.of(f"format {name}", what, f"install {owner} beside the kit")
    named: Format = replace(form, name=name)
    return named
