"""What every typed part of a manifest is: a struct that reads its JSON form and gives it back.

The schema guards the shape and tells people what is wrong; the structs give it names and types. A field without a
default is written always, null included. One that came later has a default, mostly None, and is written only where it
says something else: so a manifest that was pinned before there was such a field keeps its digest. Reports list settings
in the order of the fields, and are verified byte for byte: a new field stands last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, cast

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from kit.core.canonical import Json

    AnyJson: TypeAlias = Json
    Number: TypeAlias = float
else:
    AnyJson = Any  # msgspec reads no type that holds itself
    Number = int | float
"""A number in the one form that it has in a document: 1 stays 1, as in RFC 8785, and is no 1.0."""


class Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A part of a manifest; parts of one type are equal where all their fields are."""

    @classmethod
    def from_json(cls, document: Mapping[str, Json]) -> Self:
        """Return the part that a document is, which the schema has accepted; remarks are left out.

        Raises:
            msgspec.ValidationError: it is none, which the schema would have told.
        """
        return msgspec.convert(_without_comments(document), cls)

    def to_json(self) -> dict[str, Json]:
        """Return the document that `from_json` read, in its one form: without remarks, and without what is default."""
        return cast("dict[str, Json]", msgspec.json.decode(msgspec.json.encode(self)))


def _without_comments(value: Any) -> Any:  # noqa: ANN401 - a document has any shape
    """Drop what is only for readers, so that the types need not carry it."""
    if isinstance(value, dict):
        return {key: _without_comments(item) for key, item in value.items() if key not in ("$comment", "$schema")}
    return [_without_comments(item) for item in value] if isinstance(value, list) else value
