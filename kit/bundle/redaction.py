"""What a redacted bundle says of itself: `record/redaction.json`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.core import fields
from kit.core.cells import NAME

if TYPE_CHECKING:
    from kit.core.canonical import Json

_FORMS = {
    "results_digest": re.compile(r"sha256:[0-9a-f]{64}"),
    "signed_by": re.compile(r"SHA256:[A-Za-z0-9+/]{43}|hmac-sha256:[0-9a-f]{64}"),
    "statement": re.compile(r"sha256:[0-9a-f]{64}"),
    "key": re.compile(r"[0-9a-f]{32}"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Redaction:
    """From which bundle it was made, and what was left out."""

    kit: dict[str, Json]
    """Which kit put it together."""
    original: str
    """The original's results digest."""
    signed_by: str
    """Fingerprint of the key that signed the original; in an anonymous bundle, a salted commitment to it."""
    statement: str
    """`sha256:` digest of the original's signed statement."""
    key: str
    """Tells redaction keys apart."""
    withheld: tuple[str, ...]
    """The evaluations whose texts are not there, in the order of their names."""
    adapters: bool
    """Whether the trained adapters and the losses of their training are there."""
    anonymous: bool
    """Whether what could name the authors was left out."""

    def to_json(self) -> dict[str, Json]:
        """Return the document as it stands in the bundle."""
        return {
            "kit": self.kit,
            "original": {"results_digest": self.original, "signed_by": self.signed_by, "statement": self.statement},
            "key": self.key,
            "withheld": list(self.withheld),
            "adapters": self.adapters,
            "anonymous": self.anonymous,
        }

    @classmethod
    def from_json(cls, document: dict[str, Json]) -> Redaction:
        """Read a document that `to_json` wrote.

        Raises:
            FieldError: it is not such a document.
        """
        original = fields.mapping(document, "original")
        for name, form in _FORMS.items():
            if not form.fullmatch(fields.text(document if name == "key" else original, name)):
                raise fields.FieldError(f"{name!r} has not the form that the kit writes")
        names = document.get("withheld")
        redaction = cls(
            kit=fields.mapping(document, "kit"),
            original=fields.text(original, "results_digest"),
            signed_by=fields.text(original, "signed_by"),
            statement=fields.text(original, "statement"),
            key=fields.text(document, "key"),
            withheld=tuple(sorted({str(one) for one in names if NAME.fullmatch(str(one))}))
            if isinstance(names, list)
            else (),
            adapters=document.get("adapters") is True,
            anonymous=document.get("anonymous") is True,
        )
        if redaction.to_json() != document:
            raise fields.FieldError("does not tell what was redacted")
        return redaction
