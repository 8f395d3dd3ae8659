"""A receipt: a reviewer's signed statement that a bundle was run again, and how far the two agree.

It is in-toto's Simple Verification Result v0.2 (github.com/in-toto/attestation, spec/predicates/svr.md) in a DSSE
envelope. Its subject is the original's signed statement, so that standard clients match it by digest; what the standard
has no field for stands in fields that begin with `kit_`. What is read is written again and compared: one spelling.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from kit.bundle import layout
from kit.bundle.archive import open_bundle
from kit.bundle.contents import open_contents
from kit.bundle.files import digest_file
from kit.bundle.signing import dsse
from kit.bundle.signing.public_key import fingerprint, from_ssh_base64, ssh_line
from kit.bundle.signing.statement import STATEMENT_TYPE
from kit.core import fields
from kit.core.canonical import canonical_json, parse_json
from kit.core.errors import CheckFailed, OperationalError
from kit.core.paths import open_at_once
from kit.core.version import __version__
from kit.review.diff.compare import compare
from kit.review.diff.grade import Grade
from kit.review.verify import known_as, signer_problem, verify

if TYPE_CHECKING:
    from pathlib import Path

    from kit.bundle.signing.interface import Signer
    from kit.bundle.signing.signers import Signers
    from kit.core.canonical import Json
    from kit.review.verify import Verification

PREDICATE_TYPE = "https://in-toto.io/attestation/svr/v0.2"
VERIFIER = "https://kit.invalid/verifier/rerun/v1"
POLICY = "https://kit.invalid/policy/rerun/v1"
"""Both bundles verify, and the grade of their comparison is at least the one that the annotations name."""
REQUIRABLE = (Grade.BITWISE, Grade.TOKENS, Grade.VERDICTS, Grade.EQUIVALENT)
"""Grades that say that two bundles agree."""
VERIFIED, AGREES = "KIT_VERIFIED", "KIT_RERUN_AGREES"
MAX_BYTES = 1 << 16

_DIGEST = r"sha256:[0-9a-f]{64}"
_FINGERPRINT = r"SHA256:[A-Za-z0-9+/]{43}"
_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
_VERSION = r"[0-9A-Za-z.+-]{1,64}"
_NOT_ONE = "is not a receipt that the kit wrote"


@dataclass(frozen=True, slots=True)
class Party:
    """One of the two bundles."""

    results_digest: str
    statement_digest: str
    """Of `signatures/statement.dsse.json`."""
    fingerprint: str
    """Of the key that signed the bundle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a receipt says."""

    public_key: bytes
    """The reviewer's."""
    original: Party
    rerun: Party
    grade: Grade
    required: Grade
    margin: float
    """Largest difference of a rate that still counted as the same."""
    time: str
    """When, as the reviewer's clock had it: nobody vouches for it."""
    kit: str
    """Version of the kit that compared."""

    @property
    def agrees(self) -> bool:
        """Whether the grade is as strong as was required."""
        return self.grade.is_at_least(self.required)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedReceipt:
    """A receipt that is its signer's, and about the bundle in question."""

    receipt: Receipt
    signer_known: bool
    signer: str | None
    """What the user's own file calls the key's holder, if it does."""

    def sentence(self) -> str:
        """Return who says what."""
        receipt = self.receipt
        mine = fingerprint(receipt.public_key)
        also = ", who signed the original too" if mine == receipt.original.fingerprint else ""
        signed = f"; the rerun is signed by {receipt.rerun.fingerprint}" if mine != receipt.rerun.fingerprint else ""
        who = f"rerun by {mine}, {known_as(named=self.signer_known, holder=self.signer)}{also}"
        return f"{who}: grade {receipt.grade}, where at least {receipt.required} was required{signed}"


def make_receipt(
    a: Path, b: Path, signer: Signer, *, required: Grade, margin: float | None, time: str
) -> tuple[Receipt, bytes]:
    """Verify two bundles, compare them, and return what was found, and the same signed.

    Raises:
        CheckFailed: one of them does not verify, the second is the first's own run, or they cannot be compared.
        OperationalError: one of them cannot be read, or the signer cannot sign.
    """
    with open_bundle(a) as first, open_bundle(b) as second:
        verified = verify(first), verify(second)
        parties = tuple(map(_party, verified))
        same_record = digest_file(first / layout.RUN) == digest_file(second / layout.RUN)
        if same_record or _made_of(verified[0]) == _made_of(verified[1]):
            raise CheckFailed.of(second, "is the same run, not a rerun", "run it again: `kit reproduce BUNDLE`")
        digests = parties[0].results_digest, parties[1].results_digest
        found = compare(open_contents(first), open_contents(second), results_digests=digests, margin=margin)
    if found.grade is Grade.INCOMPARABLE:
        raise CheckFailed.of(b, found.reason, "there is nothing to sign: `kit diff` says more")
    receipt = Receipt(
        public_key=signer.public_key,
        original=parties[0],
        rerun=parties[1],
        grade=found.grade,
        required=required,
        margin=found.evidence.margin,
        time=time,
        kit=__version__,
    )
    return receipt, dsse.sign(canonical_json(_statement(receipt)), signer)


def check_receipt(path: Path, found: Verification, reviewers: Signers | None) -> CheckedReceipt:
    """Check that a receipt is its signer's and about a bundle that was verified.

    Raises:
        CheckFailed: it is malformed, changed, about another bundle, or by somebody whom `reviewers` does not name.
        OperationalError: it cannot be read.
    """
    try:
        receipt = read_receipt(_read(path))
    except ValueError as error:
        raise CheckFailed.of(path, str(error), "get it again from the reviewer") from error
    if receipt.original != _party(found):
        raise CheckFailed.of(path, "is about another bundle", f"it is about {receipt.original.results_digest}")
    mine = fingerprint(receipt.public_key)
    if problem := signer_problem(str(path), mine, reviewers):
        raise CheckFailed([problem])
    holder = reviewers.keys[mine] if reviewers else ""
    return CheckedReceipt(receipt=receipt, signer_known=reviewers is not None, signer=holder or None)


def read_receipt(envelope: bytes) -> Receipt:
    """Return what a receipt says, once its signature is checked with the key that it names.

    Raises:
        ValueError: it is not a receipt, or not as it was signed.
    """
    payload = dsse.unverified_payload(envelope)
    try:
        receipt = _receipt(parse_json(payload, "receipt"))
    except (CheckFailed, ValueError) as error:
        raise ValueError(_NOT_ONE) from error
    if canonical_json(_statement(receipt)) != payload:
        raise ValueError(_NOT_ONE)
    if contradiction := _contradiction(receipt):
        raise ValueError(f"contradicts itself: {contradiction}")
    dsse.verify(envelope, receipt.public_key)
    return receipt


def _contradiction(receipt: Receipt) -> str:
    """Return what no comparison of two bundles comes to, whoever signs it; empty where there is nothing of the kind."""
    original, rerun = receipt.original, receipt.rerun
    if original.statement_digest == rerun.statement_digest:
        return "the rerun is the original"
    if (original.results_digest == rerun.results_digest) != (receipt.grade is Grade.BITWISE):
        return f"the grade is {receipt.grade}, and the results digests say otherwise"
    if receipt.grade is Grade.INCOMPARABLE or receipt.required not in REQUIRABLE:
        return f"the grade is {receipt.grade}, where {receipt.required} was required"
    return ""


def _made_of(found: Verification) -> str:
    """Return the digest of the statement that the run itself was signed with: a redaction is no other run."""
    return found.redaction.statement if found.redaction else found.statement_digest


def _party(found: Verification) -> Party:
    return Party(found.results_digest, found.statement_digest, found.fingerprint)


def _statement(receipt: Receipt) -> dict[str, Json]:
    annotations: dict[str, Json] = {"grade": receipt.required, "margin": receipt.margin}
    verifier: dict[str, Json] = {
        "id": VERIFIER,
        "policies": [{"uri": POLICY, "annotations": annotations}],
        "kit_public_key": ssh_line(receipt.public_key),
        "kit_version": receipt.kit,
    }
    sha256 = receipt.original.statement_digest.removeprefix("sha256:")
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": str(layout.STATEMENT), "digest": {"sha256": sha256}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "verifier": verifier,
            "timeCreated": receipt.time,
            "properties": [VERIFIED, *([AGREES] if receipt.agrees else [])],
            "kit_grade": receipt.grade,
            "kit_original": _party_json(receipt.original),
            "kit_rerun": _party_json(receipt.rerun),
        },
    }


def _party_json(party: Party) -> dict[str, Json]:
    return {
        "results_digest": party.results_digest,
        "statement_digest": party.statement_digest,
        "fingerprint": party.fingerprint,
    }


def _receipt(document: Json) -> Receipt:
    """Read what a statement is written from; that it says nothing else is seen when it is written again."""
    predicate = fields.mapping(_object(document), "predicate")
    verifier = fields.mapping(predicate, "verifier")
    policies = verifier.get("policies")
    policy = _object(policies[0] if isinstance(policies, list) and policies else None)
    annotations = fields.mapping(policy, "annotations")
    margin = annotations.get("margin")
    if isinstance(margin, bool) or not isinstance(margin, int | float) or not 0 < margin <= 1:
        raise fields.FieldError("'margin' is not a difference of rates")
    return Receipt(
        public_key=from_ssh_base64(fields.text(verifier, "kit_public_key").rpartition(" ")[2]),
        original=_read_party(predicate, "kit_original"),
        rerun=_read_party(predicate, "kit_rerun"),
        grade=Grade(fields.text(predicate, "kit_grade")),
        required=Grade(fields.text(annotations, "grade")),
        margin=margin,
        time=_time(predicate, "timeCreated"),
        kit=_matching(verifier, "kit_version", _VERSION),
    )


def _read_party(predicate: dict[str, Json], key: str) -> Party:
    row = fields.mapping(predicate, key)
    results, statement = (_matching(row, name, _DIGEST) for name in ("results_digest", "statement_digest"))
    return Party(results, statement, _matching(row, "fingerprint", _FINGERPRINT))


def _matching(row: dict[str, Json], key: str, pattern: str) -> str:
    value = fields.text(row, key)
    if not re.fullmatch(pattern, value, re.ASCII):
        raise fields.FieldError(f"{key!r} has another form")
    return value


def _time(row: dict[str, Json], key: str) -> str:
    value = _matching(row, key, _TIME)
    datetime.fromisoformat(value)
    return value


def _object(value: Json) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise fields.FieldError("is not an object")
    return value


def _read(path: Path) -> bytes:
    try:
        with open_at_once(path) as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise OperationalError.of(
            path, f"cannot be read ({error.strerror})", "name a file that `kit receipt` wrote"
        ) from error
    if len(data) > MAX_BYTES:
        raise ValueError(f"is larger than {MAX_BYTES} bytes")
    return data
