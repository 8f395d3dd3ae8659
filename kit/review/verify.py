"""Verification: first that nothing was changed since signing, then that the numbers follow from the rows.

The two answer different doubts. Integrity says that the bundle is what its signer signed. Arithmetic says that what
was signed is consistent: a signer can sign any number, but not one that its own rows contradict.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.bundle import layout
from kit.bundle.archive import open_bundle
from kit.bundle.contents import load_contents
from kit.bundle.crate import crate_metadata
from kit.bundle.signing.integrity import check_integrity
from kit.core.canonical import canonical_json
from kit.core.digests import both_digests, json_digest
from kit.core.errors import CheckFailed, Problem
from kit.core.identity import kit_identity
from kit.report.html import render
from kit.report.model_card import model_cards
from kit.review.recompute import check_arithmetic

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kit.bundle.contents import Contents
    from kit.bundle.redaction import Redaction
    from kit.bundle.signing.signers import Signers
    from kit.bundle.signing.statement import Claim
    from kit.core.canonical import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was found of a bundle in which everything is right."""

    results_digest: str
    statement_digest: str
    """SHA-256 of the signed statement: of this bundle as this key signed it."""
    fingerprint: str
    signer_known: bool
    """Whether the key is among those that were named; False where none was named."""
    signer: str | None
    """What the user's own file calls the key's holder, if it does."""
    files: int
    """Files whose size and digests were compared with the signed list."""
    numbers: int
    """Numbers in `payload/metrics.json` that were computed again."""
    verdicts: int
    """Verdicts that were given again by this kit's own judges."""
    unchecked: tuple[str, ...]
    """What could not be computed again, and why, in sentences."""
    incomplete: str
    """What the run could not measure, in a sentence; empty where nothing is missing."""
    redaction: Redaction | None
    """Of which bundle this one says that it is a redaction; None for a whole bundle."""

    def identity(self) -> str:
        """Return what can be said of the signer: whose key it is, a bundle cannot prove."""
        return f"intact, signed by {self.fingerprint}, {known_as(named=self.signer_known, holder=self.signer)}"


def known_as(*, named: bool, holder: str | None) -> str:
    """Return how the user knows the holder of a key, to stand behind its fingerprint."""
    if not named:
        return "whom you have not named"
    return f"whom you named ({holder})" if holder else "whom you named"


def verify(path: Path, signers: Signers | None = None) -> Verification:
    """Check a bundle's folder or zip; `signers` are the keys that may have signed it, if they were named.

    Raises:
        CheckFailed: it was tampered with, its numbers do not follow from its rows, or another key signed it. Problems
            of integrity stand alone: numbers in files that nobody signed are not worth computing.
        OperationalError: it cannot be read.
    """
    with open_bundle(path) as folder:
        intact = check_integrity(folder)
        contents = load_contents(folder)
        recomputed = check_arithmetic(folder, intact.claim.files, contents)
        stranger = signer_problem(f"{folder}/{layout.SUMS_SIGNATURE}", intact.fingerprint, signers)
        problems = [*([stranger] if stranger else []), *recomputed.problems]
        unchecked = list(recomputed.unchecked)
        if contents.completed_by == kit_identity():
            problems += _report_problems(folder, contents, recomputed.metrics, intact.claim)
            problems += _crate_problems(folder, intact.claim)
            problems += _card_problems(folder, recomputed.metrics, intact.claim)
        else:
            written = f"the report, {layout.CRATE} and {layout.CARDS}/"
            unchecked.append(f"{written}: another kit wrote them; `kit report` writes this one's report")
        if json_digest(contents.manifest.to_json()) != intact.claim.manifest_digest:
            problems.append(Problem(f"{folder}/{layout.STATEMENT}", "states another manifest's digest"))
        if problems:
            raise CheckFailed(problems)
        return Verification(
            results_digest=intact.claim.results_digest,
            statement_digest=intact.statement_digest,
            fingerprint=intact.fingerprint,
            signer_known=signers is not None,
            signer=(signers.keys[intact.fingerprint] or None) if signers else None,
            files=len(intact.claim.files),
            numbers=recomputed.numbers,
            verdicts=recomputed.verdicts,
            unchecked=tuple(unchecked),
            incomplete=contents.incomplete,
            redaction=contents.redaction,
        )


def _report_problems(folder: Path, contents: Contents, metrics: dict[str, Json], claim: Claim) -> Iterator[Problem]:
    """Yield that the report says something else than the rows; a bundle without one is no worse evidence."""
    signed = claim.files.get(str(layout.REPORT))
    if signed is None:
        return
    text = render(contents, metrics, results_digest=claim.results_digest)
    if both_digests(text.encode()) != signed:
        yield Problem(
            f"{folder}/{layout.REPORT}", "is not the report that the rows give", "`kit report` writes that one"
        )


def _crate_problems(folder: Path, claim: Claim) -> Iterator[Problem]:
    """Yield that the bundle is described to archives as something else than it is."""
    if both_digests(canonical_json(crate_metadata(folder))) != claim.files.get(str(layout.CRATE)):
        yield Problem(f"{folder}/{layout.CRATE}", "is not what the bundle's other files give")


def _card_problems(folder: Path, metrics: dict[str, Json], claim: Claim) -> Iterator[Problem]:
    """Yield that an adapter is described as something else than it is; a bundle without cards is no worse evidence."""
    written = model_cards(folder, metrics, claim.results_digest)
    cards = {str(place): both_digests(text.encode()) for place, text in written.items()}
    for name, signed in claim.files.items():
        if name.startswith(f"{layout.CARDS}/") and signed != cards.get(name):
            yield Problem(f"{folder}/{name}", "is not the model card that the bundle's other files give")


def signer_problem(where: str, fingerprint: str | None, signers: Signers | None) -> Problem | None:
    """Return that something is signed by nobody whom the user named, if they named anybody."""
    if signers is None or fingerprint in signers.keys:
        return None
    if fingerprint is None:
        return Problem(where, "carries no signature", "a manifest alone is nobody's statement")
    reason = signers.passed_over.get(fingerprint)
    not_named = f"whose key does not count: {reason}" if reason else "which is not a key that you named"
    return Problem(where, f"is signed by {fingerprint}, {not_named}", "ask the author for their key's fingerprint")
