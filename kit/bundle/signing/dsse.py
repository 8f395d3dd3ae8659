"""DSSE, the Dead Simple Signing Envelope, version 1.0.2 (github.com/secure-systems-lab/dsse).

As with SSHSIG, an envelope that is read is written again and compared: there is one spelling.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from kit.bundle.signing.public_key import fingerprint, is_signature
from kit.core import fields
from kit.core.canonical import canonical_json, parse_json
from kit.core.errors import CheckFailed

if TYPE_CHECKING:
    from kit.bundle.signing.interface import Signer
    from kit.core.canonical import Json

PAYLOAD_TYPE = "application/vnd.in-toto+json"


def pre_authentication_encoding(payload: bytes) -> bytes:
    """Return the bytes that are signed: type and payload, each with its length."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)


def sign(payload: bytes, signer: Signer) -> bytes:
    """Return the envelope of a payload, as RFC 8785 JSON; the key id is the key's fingerprint."""
    return _envelope(payload, fingerprint(signer.public_key), signer.sign(pre_authentication_encoding(payload)))


def unverified_payload(envelope: bytes) -> bytes:
    """Return what an envelope says, for one that names its own key: nothing of it may be used before `verify`.

    Raises:
        ValueError: it is not an envelope.
    """
    return _parse(envelope)[0]


def verify(envelope: bytes, public_key: bytes) -> bytes:
    """Return the payload of an envelope that a key signed.

    Raises:
        ValueError: it is not such an envelope, or not signed with this key.
    """
    payload, signature = _parse(envelope)
    if _envelope(payload, fingerprint(public_key), signature) != envelope:
        raise ValueError("is not the envelope that this key signed")
    if not is_signature(public_key, signature, pre_authentication_encoding(payload)):
        raise ValueError("is not signed with the key of the other signature")
    return payload


def _envelope(payload: bytes, key_id: str, signature: bytes) -> bytes:
    document: dict[str, Json] = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{"keyid": key_id, "sig": base64.b64encode(signature).decode()}],
    }
    return canonical_json(document)


def _parse(envelope: bytes) -> tuple[bytes, bytes]:
    try:
        document = parse_json(envelope, "envelope")
        if not isinstance(document, dict):
            raise ValueError("is not a JSON object")  # noqa: TRY004 - the content is wrong, not the call
        signatures = document.get("signatures")
        first = signatures[0] if isinstance(signatures, list) and signatures else None
        if not isinstance(first, dict):
            raise ValueError("has no signature")  # noqa: TRY004
        return (_base64(document, "payload"), _base64(first, "sig"))
    except CheckFailed as error:
        raise ValueError(error.problems[0].what) from error


def _base64(document: dict[str, Json], key: str) -> bytes:
    try:
        return base64.b64decode(fields.text(document, key), validate=True)
    except ValueError as error:
        raise ValueError(f"{key!r} is not base64") from error
