"""Installed packages, read from the names of their metadata folders.

Reading every METADATA file takes half a second in a full environment; the folder's name says the same
(PyPA, "Recording installed projects").
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

OURS = {"kit-repro": "kit"}
"""The kit itself stands in records and manifests by the name of its module, whatever PyPI calls it."""
_FOLDER = re.compile(r"(?P<name>.+?)-(?P<version>[^-]+)\.dist-info")


def normalized(name: str) -> str:
    """Return a project's name as PyPA's "Names and normalization" writes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed_packages(search_path: list[str] | None = None) -> dict[str, str]:
    """Return every installed package with its version; of two on the path, the first, which is the one imported."""
    found: dict[str, str] = {}
    for folder in map(Path, sys.path if search_path is None else search_path):
        if not folder.is_dir():
            continue
        for entry in sorted(folder.glob("*.dist-info")):
            if match := _FOLDER.fullmatch(entry.name):
                name = normalized(match["name"])
                found.setdefault(OURS.get(name, name), match["version"])
    return dict(sorted(found.items()))
