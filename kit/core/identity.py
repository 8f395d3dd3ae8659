"""Which kit this is: its version and the digest of its own files.

A version alone does not tell two working copies apart. It stands in the record, so that a reader knows what ran; no key
and no check of numbers depends on it, but for one: what says that this very kit wrote it must come out of it again.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from kit.core.digests import file_digest, json_digest
from kit.core.version import __version__

if TYPE_CHECKING:
    from kit.core.canonical import Json

PACKAGE = Path(__file__).parents[1]
"""The folder of the kit's own files."""
_SUFFIXES = frozenset({".bib", ".css", ".j2", ".json", ".py"})


@cache
def kit_identity() -> dict[str, Json]:
    """Return the `kit` part of `record/run.json`: `version`, and `source`, the digest of the package's files."""
    files: dict[str, Json] = {
        path.relative_to(PACKAGE).as_posix(): file_digest(path)
        for path in sorted([*PACKAGE.rglob("*"), *(PACKAGE / "schemas").glob("*")])
        if path.suffix in _SUFFIXES and "__pycache__" not in path.parts
    }
    return {"version": __version__, "source": json_digest(files)}
