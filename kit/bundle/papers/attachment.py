"""What the kit puts into a PDF: files by fixed names, each with its SHA-256 in the description that readers show.

The names begin with `kit-`, so that they meet no attachment of somebody else's, and are the only ones that are ever
written to disk: a name that a PDF brings along cannot lead anywhere.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.core import fields

if TYPE_CHECKING:
    from kit.core.canonical import Json

MANIFEST = "kit-manifest.json"
STATEMENT = "kit-statement.dsse.json"
PUBLIC_KEY = "kit-public-key.pem"
MEDIA_TYPES = {
    MANIFEST: "application/json",
    STATEMENT: "application/vnd.dsse.envelope.v1+json",
    PUBLIC_KEY: "application/x-pem-file",
}
"""By name, in the order in which they are attached."""
MAX_BYTES = 16 << 20
"""Largest attachment; the statement of a bundle of 30,000 files fits."""

_TITLES = {
    MANIFEST: "Manifest of the experiment",
    STATEMENT: "Signed statement on the results",
    PUBLIC_KEY: "Key that the statement is signed with",
}


@dataclass(frozen=True, slots=True)
class Attachment:
    """One file in a PDF."""

    name: str
    description: str
    data: bytes

    def to_json(self) -> dict[str, Json]:
        """Return what the two processes tell each other."""
        return {"name": self.name, "description": self.description, "data": base64.b64encode(self.data).decode()}

    @classmethod
    def from_json(cls, document: dict[str, Json]) -> Attachment:
        """Read what `to_json` wrote."""
        data = base64.b64decode(fields.text(document, "data"), validate=True)
        return cls(fields.text(document, "name"), fields.text(document, "description"), data)


def attachment(name: str, data: bytes) -> Attachment:
    """Return some bytes as the attachment of a name that is the kit's."""
    from kit.core.digests import both_digests

    return Attachment(name, f"{_TITLES[name]}, sha256:{both_digests(data).sha256}", data)
