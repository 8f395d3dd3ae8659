"""The kit's own container image, seen from inside: what it was built from."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kit.core.canonical import read_json
from kit.core.errors import OperationalError
from kit.core.fields import FieldError, mapping, text

if TYPE_CHECKING:
    from collections.abc import Mapping

CONTENTS = Path("share", "kit", "image.json")
"""Below the environment's prefix: written when the image is built, and nowhere else."""
_DIGEST = re.compile(r"(?:[^\s@]+@)?sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class ImageContents:
    """What an image was built from, beside the locked packages of Python."""

    base: str
    """The image below it, with its digest."""
    lock: str
    """Name of the lock: `cpu` or `cuda`."""
    system_packages: Mapping[str, str]
    """Every package of the distribution, with its version."""


def in_image() -> bool:
    """Tell whether this is the kit's image: a `/.dockerenv` would not, which lies in virtual machines too."""
    return (Path(sys.prefix) / CONTENTS).is_file()


def image_contents() -> ImageContents | None:
    """Return what the image holds; None outside of one.

    Raises:
        KitError: its description cannot be read.
    """
    if not in_image():
        return None
    path = Path(sys.prefix) / CONTENTS
    document = read_json(path)
    if not isinstance(document, dict):
        raise OperationalError.of(path, "is not a JSON object", "build the image again")
    try:
        packages = mapping(document, "system_packages")
        versions = {name: text(packages, name) for name in sorted(packages)}
        return ImageContents(text(document, "base"), text(document, "lock"), versions)
    except FieldError as error:
        raise OperationalError.of(path, str(error), "build the image again") from error


def is_image_digest(value: str) -> bool:
    """Tell whether this is how Docker writes an image's digest: `sha256:…`, or `REPOSITORY@sha256:…`."""
    return _DIGEST.fullmatch(value) is not None
