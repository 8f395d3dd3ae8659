"""Typed access to the fields of a JSON object that came from somewhere else.

A schema guards manifests; rows and records from a stranger's bundle have these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kit.core.canonical import Json

MAX_VERSION = 1_000_000


class FieldError(ValueError):
    """A field is missing or has another type; the caller knows the file and the line."""


def text(row: Mapping[str, Json], key: str) -> str:
    """Return a string field, or raise `FieldError`."""
    value = row.get(key)
    if not isinstance(value, str):
        raise FieldError(f"{key!r} is not a string")
    return value


def optional_text(row: Mapping[str, Json], key: str) -> str | None:
    """Return a field that is a string or null, or raise `FieldError`."""
    return None if key in row and row[key] is None else text(row, key)


def integer(row: Mapping[str, Json], key: str) -> int:
    """Return an integer field, or raise `FieldError`."""
    value = row.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise FieldError(f"{key!r} is not an integer")
    return value


def integers(row: Mapping[str, Json], key: str) -> tuple[int, ...]:
    """Return a field that is a list of integers, or raise `FieldError`."""
    value = row.get(key)
    if not isinstance(value, list) or not set(map(type, value)) <= {int}:
        raise FieldError(f"{key!r} is not a list of integers")
    return tuple(value)  # type: ignore[arg-type]  # each item was looked at


def natural(row: Mapping[str, Json], key: str) -> int:
    """Return an integer field that counts something, or raise `FieldError`."""
    value = integer(row, key)
    if value < 0:
        raise FieldError(f"{key!r} is less than 0")
    return value


def naturals(row: Mapping[str, Json], key: str) -> tuple[int, ...]:
    """Return a field that is a list of integers, none below 0, or raise `FieldError`."""
    values = integers(row, key)
    if min(values, default=0) < 0:
        raise FieldError(f"{key!r} holds numbers less than 0")
    return values


def mapping(row: Mapping[str, Json], key: str) -> dict[str, Json]:
    """Return a field that is an object, or raise `FieldError`."""
    value = row.get(key)
    if not isinstance(value, dict):
        raise FieldError(f"{key!r} is not an object")
    return value


def versions(row: Mapping[str, Json]) -> dict[str, int]:
    """Return an object that says a version of each of its keys and nothing else, or raise `FieldError`."""
    found = {name: one for name, one in row.items() if type(one) is int and 0 < one <= MAX_VERSION}
    if found.keys() != row.keys():
        raise FieldError("does not say versions alone")
    return found
