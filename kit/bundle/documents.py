"""Which versions of its documents a bundle holds: `record/documents.json`.

Report, model cards and research object are functions of the other files, and each kit words them in its own way. What
another version wrote cannot be written again here, and is no lie for that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.core.fields import FieldError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kit.core.canonical import Json

_MAX_VERSION = 1_000_000


def read_documents(document: Mapping[str, Json]) -> dict[str, int]:
    """Return the version of each document, by its name; those that this kit does not know included.

    Raises:
        FieldError: it says something else than versions.
    """
    versions = {name: one for name, one in document.items() if type(one) is int and 0 < one <= _MAX_VERSION}
    if versions.keys() != document.keys():
        raise FieldError("does not say versions alone")
    return versions
