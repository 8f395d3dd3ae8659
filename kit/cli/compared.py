"""Two bundles on disk, compared."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kit.bundle.archive import open_bundle
from kit.bundle.contents import open_contents
from kit.bundle.files import folder_results_digest, walk
from kit.review.diff.compare import compare
from kit.review.diff.html import render

if TYPE_CHECKING:
    from pathlib import Path

    from kit.review.diff.compare import Comparison
    from kit.review.redact.commitment import RedactionKey


_LARGE = 64 << 20
"""Bytes of two bundles from which on a second process is worth its start."""
_MAX_PROCESSES = 4
"""Each needs some 100 MiB."""


def compare_bundles(a: Path, b: Path, margin: float | None = None, key: RedactionKey | None = None) -> Comparison:
    """Read two bundles and compare them; their signatures are `kit verify`'s business.

    Raises:
        CheckFailed: a bundle is malformed, or was redacted with another key.
        OperationalError: a bundle cannot be read.
    """
    return compare_and_render(a, b, margin, key)[0]


def compare_and_render(
    a: Path, b: Path, margin: float | None = None, key: RedactionKey | None = None, *, html: bool = False
) -> tuple[Comparison, str]:
    """Compare two bundles, and write the page if it is wanted.

    Raises:
        CheckFailed: a bundle is malformed, or was redacted with another key.
        OperationalError: a bundle cannot be read.
    """
    with open_bundle(a) as first, open_bundle(b) as second:
        left, right = open_contents(first), open_contents(second)
        digests = folder_results_digest(first), folder_results_digest(second)
        processes = _processes(sum(sum(walk(folder).values()) for folder in (first, second)))
        comparison = compare(left, right, results_digests=digests, margin=margin, key=key, processes=processes)
        return comparison, render(comparison, left, right) if html else ""


def _processes(size: int) -> int:
    return min(os.cpu_count() or 1, _MAX_PROCESSES) if size >= _LARGE else 1
