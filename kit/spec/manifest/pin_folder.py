"""Pinning a source in a folder: which of the files that lie there are named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.core.errors import KitError, Problem
from kit.core.lenient import read_lenient_json
from kit.core.paths import names_in, regular_files
from kit.spec.checkpoint.files import INDEX, WEIGHTS, Choice, adapter_files, model_files
from kit.spec.checkpoint.loadable import weight_map

if TYPE_CHECKING:
    from collections.abc import Collection

    from kit.core.canonical import Json
    from kit.spec.manifest.files import NamedFiles
    from kit.spec.manifest.parts import Document
    from kit.spec.manifest.places import Places


def fill_in(places: Places, named: NamedFiles, part: Document, where: str, filled: dict[str, Json]) -> list[Problem]:
    """Name the files of a folder, their digests still to come; return what is wrong with it.

    Raises:
        UnsafePathError: it lies outside of the manifest's folder, or, if every file is meant, one of them does.
    """
    try:
        folder = places.folder(named.source)
        if not named.is_model:
            part["files"] = dict.fromkeys(regular_files(folder))
            return []
        present = names_in(folder)
    except OSError:
        present = []
    if not present:
        what = f"{named.source.name} is not a folder with files"
        return [Problem(where, what, "check the name", f"{named.place}.path")]
    choice = chosen(named, present, _shards(places, named, present))
    part["files"] = dict.fromkeys(choice.names)
    filled[f"{named.place}.files"] = choice.told()
    return []


def chosen(named: NamedFiles, present: Collection[str], shards: Collection[str] = ()) -> Choice:
    """Choose the files of a model or an adapter; arguments as `model_files`."""
    return adapter_files(present) if named.is_adapter else model_files(present, shards)


def _shards(places: Places, named: NamedFiles, present: Collection[str]) -> set[str]:
    """Return the files that the index of a model names; none where it has none, or one that cannot be read."""
    if INDEX not in present or WEIGHTS in present:
        return set()
    try:
        return set(weight_map(read_lenient_json(places.file(named.source, INDEX))).values())
    except KitError:  # which is told once the files are named
        return set()
