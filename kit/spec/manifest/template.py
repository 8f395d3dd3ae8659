"""The text of a judge's template, read from the one file that the manifest names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.core.errors import CheckFailed, Problem
from kit.core.paths import read_at_most
from kit.spec.judges.template import template_problems

if TYPE_CHECKING:
    from kit.spec.manifest.parts import Source
    from kit.spec.manifest.places import Places

MAX_BYTES = 1 << 20
"""Longest template that is read; a rubric is a page."""


def read_template(places: Places, source: Source) -> str:
    """Return the template of a judge.

    Raises:
        CheckFailed: it is not UTF-8 text, far too long, or has no place for the completion or one that is not known.
        OperationalError: it cannot be read.
    """
    (name,) = source.files
    path = places.file(source, name)
    data = read_at_most(path, MAX_BYTES, "a template is a page of text")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise CheckFailed.of(path, f"byte {error.start} is not UTF-8", "save the file as UTF-8") from error
    if problems := [Problem(str(path), *problem) for problem in template_problems(text)]:
        raise CheckFailed(problems)
    return text
