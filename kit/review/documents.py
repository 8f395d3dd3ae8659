"""The documents that follow from a bundle's other files, written again where this kit writes the same version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.bundle import layout
from kit.bundle.crate import crate_metadata
from kit.core.canonical import canonical_json
from kit.core.digests import both_digests
from kit.core.errors import Problem
from kit.report.html import render
from kit.report.model_card import model_cards
from kit.report.write import CARDS, CRATE, DOCUMENTS, REPORT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kit.bundle.contents import Contents
    from kit.bundle.signing.statement import Claim
    from kit.review.blocks import CheckedBlocks

_PLACES = {REPORT: str(layout.REPORT), CARDS: f"{layout.CARDS}/", CRATE: str(layout.CRATE)}


@dataclass(frozen=True, slots=True)
class CheckedDocuments:
    """What came of them."""

    problems: tuple[Problem, ...]
    not_recomputed: tuple[str, ...]
    """Which could not be written again, and why, in sentences."""


def check_documents(folder: Path, contents: Contents, blocks: CheckedBlocks, claim: Claim) -> CheckedDocuments:
    """Write report, model cards and research object again, and compare them with those that were signed."""
    problems: list[Problem] = []
    not_recomputed: list[str] = []
    checks = {REPORT: _report_problems, CARDS: _card_problems, CRATE: _crate_problems}
    for name, problems_of in checks.items():
        if why_not := _why_not(name, contents, blocks):
            not_recomputed.append(f"{_PLACES[name]}: {why_not}")
        else:
            problems += problems_of(folder, contents, blocks, claim)
    return CheckedDocuments(tuple(problems), tuple(not_recomputed))


def _why_not(name: str, contents: Contents, blocks: CheckedBlocks) -> str:
    """Return why a document cannot be written again; empty where it can."""
    said = contents.documents.get(name)
    if said is None:
        return "the bundle does not say which version wrote it"
    if said != DOCUMENTS[name]:
        return f"version {said} wrote it, and this kit writes version {DOCUMENTS[name]}"
    if name != CRATE and not blocks.are_current:
        return "it was written of numbers of which this kit has not all at the same version"
    return ""


def _report_problems(folder: Path, contents: Contents, blocks: CheckedBlocks, claim: Claim) -> Iterator[Problem]:
    """Yield that the report says something else than the rows; a bundle without one is no worse evidence."""
    signed = claim.files.get(str(layout.REPORT))
    if signed is None:
        return
    text = render(contents, blocks.current, results_digest=claim.results_digest)
    if both_digests(text.encode()) != signed:
        yield Problem(
            f"{folder}/{layout.REPORT}", "is not the report that the rows give", "`kit report` writes that one"
        )


def _card_problems(folder: Path, contents: Contents, blocks: CheckedBlocks, claim: Claim) -> Iterator[Problem]:
    """Yield that an adapter is described as something else than it is; a bundle without cards is no worse evidence."""
    written = model_cards(folder, contents, blocks.current, claim.results_digest)
    cards = {str(place): both_digests(text.encode()) for place, text in written.items()}
    for name, signed in claim.files.items():
        if name.startswith(f"{layout.CARDS}/") and signed != cards.get(name):
            yield Problem(f"{folder}/{name}", "is not the model card that the bundle's other files give")


def _crate_problems(folder: Path, contents: Contents, _blocks: CheckedBlocks, claim: Claim) -> Iterator[Problem]:
    """Yield that the bundle is described to archives as something else than it is."""
    if both_digests(canonical_json(crate_metadata(folder, contents.manifest))) != claim.files.get(str(layout.CRATE)):
        yield Problem(f"{folder}/{layout.CRATE}", "is not what the bundle's other files give")
