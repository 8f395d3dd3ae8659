"""JSON from a manifest or a record as named values, one a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.report.wording import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kit.core.canonical import Json

Setting = tuple[str, str]
"""Name and value."""


def settings(document: Mapping[str, Json], prefix: str = "") -> Iterator[Setting]:
    """Yield the leaves of a document in its own order, nested names joined."""
    for key, value in document.items():
        name = prefix + key
        if isinstance(value, list) and any(isinstance(item, dict) for item in value):
            value = {str(number): item for number, item in enumerate(value, 1)}  # noqa: PLW2901 - the same value, named
        if isinstance(value, dict) and value:
            yield from settings(value, f"{name} · ")
        else:
            yield name, plain(value)
