"""JSON Pointer (RFC 6901): changing one value of a document."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kit.core.canonical import Json

_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
"""An array index, RFC 6901 section 4; nothing that is as long as a billion is in a manifest."""
_MAX_SHOWN = 80


class PointerError(ValueError):
    """The pointer leads nowhere."""


def patched(document: dict[str, Json], changes: Mapping[str, Json]) -> dict[str, Json]:
    """Return a copy of a document with each pointer's target replaced.

    Only what exists is replaced: a new name would be a typing error far more often than a wish. Pointers are followed
    in their sorted order, so that the canonical form of a manifest, which sorts keys, means the same.

    Raises:
        PointerError: a pointer leads nowhere.
    """
    result = copy.deepcopy(document)
    for pointer, value in sorted(changes.items()):
        *parents, last = [_unescape(token) for token in pointer.split("/")[1:]]
        target: Any = result
        for token in parents:
            target = _member(target, token, pointer)
        _member(target, last, pointer)
        target[int(last) if isinstance(target, list) else last] = copy.deepcopy(value)
    return result


def _member(target: Json, token: str, pointer: str) -> Json:
    if isinstance(target, dict) and token in target:
        return target[token]
    if isinstance(target, list) and _INDEX.fullmatch(token) and int(token) < len(target):
        return target[int(token)]
    if isinstance(target, dict):
        known = f"there are: {', '.join(target)}"
    else:
        known = f"there are {len(target)} items, counted from 0" if isinstance(target, list) else "it has no members"
    raise PointerError(f"{_shown(pointer)!r} leads nowhere: {_shown(token)!r} is not there ({known})")


def _shown(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 1]}…"


def _unescape(token: str) -> str:
    return token.replace("~1", "/").replace("~0", "~")
