"""The only module that knows PDF, through pikepdf and its qpdf (ISO 32000-2, 7.11.4 and 14.13: embedded, associated).

Nothing here is imported by the kit's own process: `kit.bundle.papers.child` is where a stranger's PDF is read.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pikepdf
from pikepdf.settings import set_qpdf_limits

from kit.bundle.papers.attachment import MAX_BYTES, MEDIA_TYPES, Attachment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

MAX_INFLATED_BYTES = 64 << 20
"""Of one stream that qpdf itself has to inflate, such as a compressed cross-reference table."""
MAX_SPECIFICATIONS = 10_000
"""Attachments, and nodes of the tree of their names, that are looked at."""
_DATE = "D:19800101000000Z"
"""As the files of a bundle's zip: the same bytes at any time. PDF/A-3 wants a date."""
_ATTACH_AGAIN = "`kit attach` replaces its own"
_REPAIR = "`qpdf PAPER.pdf REPAIRED.pdf` may repair it: look at the result first"
_MESSAGE_CHARACTERS = 200
_ON_SIGNATURES = 1
"""Bit of `/SigFlags`: the document holds a signature (ISO 32000-2, table 225)."""


class PdfError(Exception):
    """A PDF that is not worked on: what is wrong with it, and the remedy."""

    def __init__(self, what: str, remedy: str = "") -> None:
        """Keep both."""
        super().__init__(what)
        self.what, self.remedy = what, remedy


def limit_memory() -> None:
    """Keep qpdf from inflating a bomb. For the whole process, and for good."""
    set_qpdf_limits(
        flate_max_memory=MAX_INFLATED_BYTES,
        run_length_max_memory=MAX_INFLATED_BYTES,
        png_max_memory=MAX_INFLATED_BYTES,
        tiff_max_memory=MAX_INFLATED_BYTES,
        max_stream_filters=2,
    )


def attachments(paper: Path) -> list[Attachment]:
    """Return what of the kit's a PDF carries, in the order of `MEDIA_TYPES`.

    Raises:
        PdfError: the PDF is broken or encrypted, or carries two different attachments of one name.
    """
    found: dict[str, Attachment] = {}
    with _opened(paper) as pdf:
        for number, specification in enumerate(_specifications(pdf)):
            if number >= MAX_SPECIFICATIONS:
                raise PdfError(f"holds more than {MAX_SPECIFICATIONS} attachments")
            one = _attachment(specification)
            if one and found.setdefault(one.name, one) != one:
                raise PdfError(f"holds several attachments called {one.name}, which differ", _ATTACH_AGAIN)
    return [found[name] for name in MEDIA_TYPES if name in found]


def embed(paper: Path, out: Path, own: Sequence[Attachment]) -> None:
    """Write a PDF with these attachments in place of those of the kit that it has; the rest stays as it is.

    Raises:
        PdfError: the PDF is broken, encrypted, or signed.
    """
    with _opened(paper) as pdf:
        _require_whole(pdf, paper)
        if _is_signed(pdf):
            raise PdfError("is digitally signed, and would no longer be", "attach first, and sign afterwards")
        _remove_own(pdf)
        for one in own:
            specification = pikepdf.AttachedFileSpec(
                pdf,
                one.data,
                description=one.description,
                filename=one.name,
                mime_type=MEDIA_TYPES[one.name],
                creation_date=_DATE,
                mod_date=_DATE,
            )
            specification.relationship = pikepdf.Name.Data
            pdf.attachments[one.name] = specification
        with out.open("wb") as stream:
            pdf.save(
                stream,
                deterministic_id=True,
                linearize=pdf.is_linearized,
                fix_metadata_version=False,
                stream_decode_level=pikepdf.StreamDecodeLevel.none,
            )


@contextmanager
def _opened(paper: Path) -> Iterator[pikepdf.Pdf]:
    try:
        with pikepdf.open(paper, attempt_recovery=False, inherit_page_attributes=False) as pdf:
            if pdf.is_encrypted:
                raise PdfError("is encrypted", "take the protection off first: `qpdf --decrypt`")
            yield pdf
    except pikepdf.PasswordError as error:
        raise PdfError("is encrypted", "take the protection off first: `qpdf --decrypt`") from error
    except (pikepdf.PikepdfError, ValueError, TypeError) as error:
        raise PdfError(f"is broken ({_short(error, paper)})", _REPAIR) from error


def _short(message: object, paper: Path) -> str:
    """Return what qpdf says without the name of the file, and no more than a line of it."""
    return str(message).removeprefix(str(paper)).lstrip(":, ")[:_MESSAGE_CHARACTERS]


def _specifications(pdf: pikepdf.Pdf) -> Iterator[Any]:
    """Yield the file specifications of the catalogue: in the tree of names, and associated with the document."""
    names = pdf.Root.get("/Names")
    yield from _leaves(names.get("/EmbeddedFiles") if isinstance(names, pikepdf.Dictionary) else None)
    associated = pdf.Root.get("/AF")
    if isinstance(associated, pikepdf.Array):
        yield from associated


def _leaves(root: Any) -> Iterator[Any]:  # noqa: ANN401 - any object of a PDF
    """Yield the values of a name tree (ISO 32000-2, 7.9.6), which may be deep, shared, or a circle."""
    nodes, seen = [root], 0
    while nodes:
        node = nodes.pop()
        seen += 1
        if seen > MAX_SPECIFICATIONS:
            raise PdfError("holds a tree of attachments without end")
        if isinstance(node, pikepdf.Dictionary):
            names, children = node.get("/Names"), node.get("/Kids")
            yield from list(names)[1::2] if isinstance(names, pikepdf.Array) else ()
            nodes += children if isinstance(children, pikepdf.Array) else ()


def _attachment(specification: Any) -> Attachment | None:  # noqa: ANN401
    """Return what a file specification holds where it has one of the kit's names."""
    names = _names(specification)
    if not names & MEDIA_TYPES.keys():
        return None
    files = specification.get("/EF")
    streams = [files[key] for key in ("/F", "/UF") if key in files] if isinstance(files, pikepdf.Dictionary) else []
    if len(names) > 1 or not streams or not all(isinstance(one, pikepdf.Stream) for one in streams):
        raise PdfError(f"holds {min(names)}, which is no attached file, or has two names", _ATTACH_AGAIN)
    contents = {_content(one, min(names)) for one in streams}
    if len(contents) > 1:
        raise PdfError(f"holds {min(names)} with two contents", _ATTACH_AGAIN)
    return Attachment(min(names), str(specification.get("/Desc", "")), contents.pop())


def _names(specification: Any) -> set[str]:  # noqa: ANN401
    """Return the file name of a specification; readers differ in which of the two fields they go by."""
    if not isinstance(specification, pikepdf.Dictionary):
        return set()
    return {str(specification[key]) for key in ("/F", "/UF") if key in specification}


def _content(stream: pikepdf.Object, name: str) -> bytes:
    data = stream.read_bytes()
    if len(data) > MAX_BYTES:
        raise PdfError(f"holds {name}, which is larger than {MAX_BYTES} bytes")
    return data


def _remove_own(pdf: pikepdf.Pdf) -> None:
    """Take out what an earlier `kit attach` put in."""
    for key, specification in [*pdf.attachments.items()]:
        if key in MEDIA_TYPES or _names(specification.obj) & MEDIA_TYPES.keys():
            del pdf.attachments[key]
    associated = pdf.Root.get("/AF")
    if isinstance(associated, pikepdf.Array):
        others = [one for one in associated if not _names(one) & MEDIA_TYPES.keys()]
        if others:
            pdf.Root.AF = pikepdf.Array(others)
        else:
            del pdf.Root.AF


def _require_whole(pdf: pikepdf.Pdf, paper: Path) -> None:
    """Look at every object before anything is changed: qpdf would write nothing in place of one that it cannot read."""
    for _ in pdf.objects:
        pass
    if warnings := pdf.get_warnings():
        raise PdfError(f"is damaged ({_short(warnings[0], paper)})", _REPAIR)


def _is_signed(pdf: pikepdf.Pdf) -> bool:
    form = pdf.Root.get("/AcroForm")
    flags = form.get("/SigFlags", 0) if isinstance(form, pikepdf.Dictionary) else 0
    return "/Perms" in pdf.Root or bool(int(flags) & _ON_SIGNATURES)
