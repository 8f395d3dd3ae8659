"""The Sigstore bundle v0.3 (github.com/sigstore/protobuf-specs): the form that cosign and `@sigstore/verify` read.

It holds the DSSE envelope and nothing of its own, so it is written from the envelope and compared, never read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.bundle.signing.public_key import fingerprint
from kit.core.canonical import canonical_json, parse_json

if TYPE_CHECKING:
    from kit.core.canonical import Json

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"


def sigstore_bundle(envelope: bytes, public_key: bytes) -> bytes:
    """Return the Sigstore bundle of an envelope, as RFC 8785 JSON; the hint is the fingerprint of the key."""
    material: dict[str, Json] = {"publicKey": {"hint": fingerprint(public_key)}}
    document: dict[str, Json] = {
        "dsseEnvelope": parse_json(envelope, "envelope"),
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": material,
    }
    return canonical_json(document)
