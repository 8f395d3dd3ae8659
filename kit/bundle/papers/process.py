"""The kit's side: has a PDF read or written in a process of its own, whose end, however it comes, is a refusal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, cast

from kit.bundle.papers.attachment import Attachment
from kit.core.errors import CheckFailed, OperationalError
from kit.core.identity import PACKAGE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from kit.core.canonical import Json

MAX_PAPER_BYTES = 512 << 20
_HEADER, _HEADER_WITHIN = b"%PDF-", 1024
"""Readers accept the header anywhere in the first kilobyte."""
_TIMEOUT_SECONDS = 300
"""For a child that waits; one that computes is stopped earlier."""
_NOT_A_PAPER = "a paper is not like this: get it again from its source"


def attachments(paper: Path) -> list[Attachment]:
    """Return what of the kit's a PDF carries; nothing where it carries nothing.

    Raises:
        CheckFailed: it is not a PDF, or not one that is worked on; or it carries something twice.
        OperationalError: it cannot be read, or pikepdf is not installed.
    """
    return _ask(paper)


def embed(paper: Path, out: Path, own: Sequence[Attachment]) -> None:
    """Write a PDF with these attachments, and make sure that they come out of it again.

    Raises:
        CheckFailed: it is not a PDF, or not one that is worked on.
        OperationalError: it cannot be read or written, or pikepdf is not installed.
    """
    unfinished = out.with_name(f"{out.name}.unfinished")
    try:
        if _ask(paper, unfinished, own) != list(own):
            raise CheckFailed.of(
                paper, "does not give back what is attached to it", "is it made by an unusual program?"
            )
        unfinished.replace(out)
    except OSError as error:
        raise OperationalError.of(
            out, f"cannot be written ({error.strerror})", "check space and permissions"
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)


def _ask(paper: Path, out: Path | None = None, own: Sequence[Attachment] = ()) -> list[Attachment]:
    _require_pdf(paper)
    if os.name != "posix":
        remedy = "attach and extract on Linux, on macOS or in WSL; `pdfdetach -saveall PAPER.pdf` takes files out"
        raise OperationalError.of(paper, "is not opened here: nothing bounds what a stranger's PDF takes", remedy)
    if find_spec("pikepdf") is None:
        install = f"python3 -m pip --python {sys.prefix} install --no-deps --require-hashes -r locks/papers.txt"
        remedy = f"{install}; to take files out, `pdfdetach -saveall PAPER.pdf` does as well"
        raise OperationalError.of("pikepdf", "is not installed, which reads and writes PDFs", remedy)
    command = [sys.executable, "-P", "-m", "kit.bundle.papers.child", str(paper), *([str(out)] if out else [])]
    request = json.dumps([one.to_json() for one in own]).encode()
    # Nothing of the user's environment can reach what is written.
    environment = {"PYTHONPATH": str(PACKAGE.parent)}
    try:
        child = subprocess.run(  # noqa: S603 - this very package, with this very interpreter
            command, input=request, capture_output=True, env=environment, timeout=_TIMEOUT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise CheckFailed.of(paper, "takes too long to read", _NOT_A_PAPER) from error
    if child.returncode != 0:
        last = child.stderr.decode(errors="replace").strip().rpartition("\n")[2] or f"signal {-child.returncode}"
        raise CheckFailed.of(paper, f"cannot be read within the limits of memory and time ({last})", _NOT_A_PAPER)
    answer = cast("dict[str, list[Json]]", json.loads(child.stdout))
    if "refused" in answer:
        raise CheckFailed.of(paper, *map(str, answer["refused"]))
    return [Attachment.from_json(cast("dict[str, Json]", one)) for one in answer["attachments"]]


def _require_pdf(paper: Path) -> None:
    try:
        size = paper.stat().st_size
        if not paper.is_file():
            raise OperationalError.of(paper, "is not a file", "name a PDF")
        with paper.open("rb") as stream:
            start = stream.read(_HEADER_WITHIN)
    except OSError as error:
        raise OperationalError.of(
            paper, f"cannot be read ({error.strerror})", "check the name and the permissions"
        ) from error
    if _HEADER not in start:
        raise CheckFailed.of(paper, "is not a PDF", "name the paper's PDF")
    if size > MAX_PAPER_BYTES:
        raise CheckFailed.of(paper, f"is larger than {MAX_PAPER_BYTES} bytes", "compress its figures")
