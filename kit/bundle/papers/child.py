"""The process in which a PDF is read and written: it may be a stranger's, so memory and time are limited.

Run by `kit.bundle.papers.process` as `python -m kit.bundle.papers.child PAPER [OUT]`. With OUT, the attachments to
embed come as JSON on stdin; without, those of the paper are answered on stdout.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kit.bundle.papers import pdf
from kit.bundle.papers.attachment import Attachment

if TYPE_CHECKING:
    from kit.core.canonical import Json

MAX_MEMORY_BYTES = 2 << 30
"""Address space: the paper itself is mapped, and what it inflates to comes on top."""
MAX_SECONDS = 60
"""Of processor time; a paper of 100 pages takes a tenth of a second."""


def main(arguments: list[str]) -> None:
    """Do what is asked; a refusal is an answer as well."""
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_AS, MAX_MEMORY_BYTES)
    _limit(resource.RLIMIT_CPU, MAX_SECONDS)
    pdf.limit_memory()
    paper, *out = map(Path, arguments)
    try:
        if out:
            pdf.embed(paper, out[0], [Attachment.from_json(one) for one in json.load(sys.stdin)])
        answer: dict[str, Json] = {"attachments": [one.to_json() for one in pdf.attachments(out[0] if out else paper)]}
    except pdf.PdfError as error:
        answer = {"refused": [error.what, error.remedy]}
    json.dump(answer, sys.stdout)


def _limit(which: int, value: int) -> None:
    _, hard = resource.getrlimit(which)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    try:
        resource.setrlimit(which, (value, value))
    except ValueError:
        # macOS knows the limit of memory and refuses to set it; qpdf's own limits are left.
        if sys.platform != "darwin":
            raise


if __name__ == "__main__":
    main(sys.argv[1:])
