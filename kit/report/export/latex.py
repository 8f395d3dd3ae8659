"""The files for a paper in LaTeX, together."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from kit.report.export import methods, numbers, table
from kit.report.results import Results

if TYPE_CHECKING:
    from kit.bundle.contents import Contents
    from kit.core.canonical import Json

_REFERENCES = "references.bib"


def latex_files(contents: Contents, metrics: dict[str, Json], results_digest: str, prefix: str) -> dict[str, str]:
    """Return each file's text by its name: the same for the same arguments, on any machine and at any time.

    Args:
        contents: a bundle's rows and records; all of its text is taken for hostile.
        metrics: what `kit.stats.metrics.compute` made of these contents.
        results_digest: the line that a rerun of the bundle would print.
        prefix: begins the name of every command, letters only; papers about several bundles have one for each.
    """
    results = Results(contents.manifest, metrics)
    return {
        "numbers.tex": numbers.render(contents, results, results_digest, prefix),
        "table.tex": table.render(results, results_digest, prefix),
        "methods.tex": methods.render(contents, results, results_digest),
        _REFERENCES: files("kit.report.export").joinpath(_REFERENCES).read_text("utf-8"),
    }
