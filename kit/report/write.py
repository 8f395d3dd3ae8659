"""What follows from a bundle's rows, written into its folder: metrics, report, model cards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.bundle import layout
from kit.bundle.contents import load_contents
from kit.bundle.crate import CRATE_VERSION
from kit.bundle.files import folder_results_digest
from kit.core.canonical import canonical_json
from kit.report.html import REPORT_VERSION, render
from kit.report.model_card import CARDS_VERSION, model_cards
from kit.stats.metrics import compute

if TYPE_CHECKING:
    from pathlib import Path

    from kit.core.canonical import Json
    from kit.spec.manifest.load import LoadedManifest

REPORT, CARDS, CRATE = "report", "model_cards", "crate"
"""How `record/documents.json` calls what follows from a bundle's other files."""
DOCUMENTS = {REPORT: REPORT_VERSION, CARDS: CARDS_VERSION, CRATE: CRATE_VERSION}
"""The versions of them that this kit writes."""


def write_numbers(folder: Path, loaded: LoadedManifest | None = None) -> dict[str, Json]:
    """Write the metrics, the report and the model cards that the rows in a folder give, and return the metrics.

    Args:
        folder: of the bundle.
        loaded: the manifest that the caller has put there; another is read and validated.
    """
    write_document(folder / layout.DOCUMENTS, {**DOCUMENTS})
    contents = load_contents(folder, loaded)
    metrics = compute(contents)
    write_document(folder / layout.METRICS, metrics)
    digest = folder_results_digest(folder)
    report = render(contents, metrics, results_digest=digest)
    (folder / layout.REPORT).write_text(report, encoding="utf-8", newline="\n")
    for place, card in model_cards(folder, contents, metrics, digest).items():
        (folder / place).parent.mkdir(exist_ok=True)
        (folder / place).write_text(card, encoding="utf-8", newline="\n")
    return metrics


def write_document(path: Path, document: dict[str, Json]) -> None:
    """Write a JSON document in its one form, and the folder that it lies in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(canonical_json(document))
