"""A minimal paper: text, a font, metadata, an attachment of its author's, and whatever a test does to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pikepdf
from pikepdf import Array, Dictionary, Name, Stream, String

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

METADATA = b'<?xpacket begin=""?><x:xmpmeta xmlns:x="adobe:ns:meta/">A naive title</x:xmpmeta><?xpacket end="w"?>'
SLIDES = b"slides of the talk\n" * 20


def write_paper(path: Path, change: Callable[[pikepdf.Pdf], Any] | None = None, **saving: Any) -> Path:
    """Write a paper of one page; `change` is done to it before it is saved with the options `saving`."""
    with pikepdf.new() as pdf:
        font = Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica)
        page = pdf.add_blank_page()
        page.obj.Resources = Dictionary(Font=Dictionary(F1=pdf.make_indirect(font)))
        page.obj.Contents = Stream(pdf, b"BT /F1 24 Tf 72 720 Td (Refusal was 74.7 %.) Tj ET")
        pdf.Root.Metadata = Stream(pdf, METADATA, Type=Name.Metadata, Subtype=Name.XML)
        pdf.trailer.Info = pdf.make_indirect(Dictionary(Title=String("A paper")))
        with_files(("slides.txt", SLIDES))(pdf)
        if change:
            change(pdf)
        pdf.save(path, **{"deterministic_id": True, "fix_metadata_version": False} | saving)
    return path


def with_files(*contents: tuple[str, bytes], **fields: Any) -> Callable[[pikepdf.Pdf], None]:
    """Return a change that attaches files as any program could: names, contents, and fields of their specification."""

    def change(pdf: pikepdf.Pdf) -> None:
        leaves = []
        for name, data in contents:
            stream = Stream(pdf, data, Type=Name.EmbeddedFile)
            leaf = {"/F": String(name), "/UF": String(name), "/EF": Dictionary(F=stream), **fields}
            leaves += [String(name), pdf.make_indirect(Dictionary(leaf))]
        pdf.Root.Names = Dictionary(EmbeddedFiles=Dictionary(Names=Array(leaves)))

    return change


def with_compressed(name: str, data: bytes, *filters: Name) -> Callable[[pikepdf.Pdf], None]:
    """Return a change that attaches a stream whose bytes and filters are given as they are."""

    def change(pdf: pikepdf.Pdf) -> None:
        with_files((name, b""))(pdf)
        pdf.Root.Names.EmbeddedFiles.Names[1].EF.F.write(data, filter=Array(filters), type_check=False)

    return change
