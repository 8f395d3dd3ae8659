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
from kit.bundle.signing.integrity import check_integrity
from kit.core.digests import json_digest
from kit.core.errors import CheckFailed, Problem
from kit.core.identity import kit_identity
from kit.core.version import __version__
from kit.review.documents import check_documents
from kit.review.recompute import check_arithmetic

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from kit.bundle.contents import Contents
    from kit.bundle.redaction import Redaction
    from kit.bundle.signing.signers import Signers
    from kit.core.canonical import Json
    from kit.review.blocks import BlockCheck

_MAX_VERSION_SHOWN = 40
"""How many characters of what a bundle calls its kit's version a message shows."""


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
    blocks: tuple[BlockCheck, ...]
    """What came of each block of `payload/metrics.json`."""
    not_recomputed: tuple[str, ...]
    """What could not be computed again, and why, in sentences; what it says is the signer's word alone."""
    written_by: Json
    """Which kit put the numbers and the report together, as the bundle says."""
    incomplete: str
    """What the run could not measure, in a sentence; empty where nothing is missing."""
    redaction: Redaction | None
    """Of which bundle this one says that it is a redaction; None for a whole bundle."""

    def caveats(self) -> tuple[str, ...]:
        """Return a line for each thing that was not computed again, and one that says what that means."""
        if not self.not_recomputed:
            return ()
        kit = self.written_by if isinstance(self.written_by, dict) else {}
        version = str(kit.get("version"))[:_MAX_VERSION_SHOWN]
        by = "" if version == __version__ else f" (it says that kit {version} wrote it; this is kit {__version__})"
        meaning = f"what was not recomputed is the signer's word alone{by}"
        remedy = "`kit report` computes this kit's numbers from the rows"
        return (*(f"not recomputed: {sentence}" for sentence in self.not_recomputed), f"{meaning}; {remedy}")

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
        blocks = recomputed.blocks
        documents = check_documents(folder, contents, blocks, intact.claim)
        versioned = [f"the block `{one.name}`: {one.why_not}" for one in blocks.blocks if not one.recomputed]
        versioned += documents.not_recomputed
        problems = [*([stranger] if stranger else []), *recomputed.problems, *documents.problems]
        problems += _of_this_kit(folder, contents, versioned)
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
            numbers=blocks.numbers,
            verdicts=recomputed.verdicts,
            blocks=blocks.blocks,
            not_recomputed=(*versioned, *recomputed.not_recomputed),
            written_by=contents.completed_by,
            incomplete=contents.incomplete,
            redaction=contents.redaction,
        )


def _of_this_kit(folder: Path, contents: Contents, not_recomputed: Iterable[str]) -> Iterator[Problem]:
    """Yield what this very kit cannot compute again, where a bundle says that this very kit wrote it."""
    if contents.completed_by == kit_identity():
        for sentence in not_recomputed:
            yield Problem(str(folder), f"says that this very kit wrote it, which is not so of {sentence}")


def signer_problem(where: str, fingerprint: str | None, signers: Signers | None) -> Problem | None:
    """Return that something is signed by nobody whom the user named, if they named anybody."""
    if signers is None or fingerprint in signers.keys:
        return None
    if fingerprint is None:
        return Problem(where, "carries no signature", "a manifest alone is nobody's statement")
    reason = signers.passed_over.get(fingerprint)
    not_named = f"whose key does not count: {reason}" if reason else "which is not a key that you named"
    return Problem(where, f"is signed by {fingerprint}, {not_named}", "ask the author for their key's fingerprint")
