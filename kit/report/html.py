"""The report as one HTML file that needs nothing else and cannot be made to run anything."""

from __future__ import annotations

from base64 import b64encode
from importlib.resources import files
from typing import TYPE_CHECKING

from kit.core.digests import both_digests
from kit.core.escaping import visible
from kit.report.page import build

if TYPE_CHECKING:
    from kit.bundle.contents import Contents
    from kit.core.canonical import Json

REPORT_VERSION = 1
"""Raised when a bundle of a release would get other bytes: `kit verify` writes the report again."""
_STYLE = "report.css"


def render(contents: Contents, metrics: dict[str, Json], *, results_digest: str) -> str:
    """Return the report: the same text for the same arguments, on any machine and at any time.

    Args:
        contents: a bundle's rows and records; all of its text is taken for hostile.
        metrics: what `kit.stats.metrics.compute` made of these contents.
        results_digest: the line that a rerun of the bundle would print.
    """
    return render_page("report.html.j2", build(contents, metrics, results_digest))


def render_page(template: str, page: object) -> str:
    """Return a page as one file: `page` is what the template prints, all of its text taken for hostile."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    style = files("kit.report").joinpath("templates", _STYLE).read_text("utf-8")
    environment = Environment(
        loader=PackageLoader("kit.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(page=page, style=style, style_source=_source(style))


def _source(style: str) -> str:
    """Return the style sheet as a Content Security Policy names it (CSP Level 3, section 2.3.1)."""
    return f"sha256-{b64encode(bytes.fromhex(both_digests(style.encode()).sha256)).decode()}"


def _finalize(value: object) -> object:
    """Show hidden characters in everything that is printed; `Markup` from a macro has been through here."""
    return visible(value) if type(value) is str else value
