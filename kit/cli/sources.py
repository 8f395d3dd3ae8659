"""What a path that the user names is taken for, and the evidence that a paper carries."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kit.bundle.papers.evidence import Evidence


def is_bundle(source: Path) -> bool:
    """Tell whether a path is taken for a bundle, as a folder or as a zip."""
    return source.is_dir() or source.suffix == ".zip"


def is_paper(source: Path) -> bool:
    """Tell whether a path is taken for a PDF."""
    return source.suffix.lower() == ".pdf"


def paper_evidence(paper: Path, root: Path | None = None) -> Evidence:
    """Return what a PDF carries; the files that its manifest names lie in `root`, or here."""
    from kit.bundle.papers.evidence import of_attachments
    from kit.bundle.papers.process import attachments
    from kit.cli.environ import places

    return of_attachments(attachments(paper), paper, places(root or Path()))
