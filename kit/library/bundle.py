"""A bundle as an object: what it says, whether that is so, and its rows as tables."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from kit.bundle import layout
from kit.bundle.signing.signers import read_signers
from kit.core.canonical import read_json
from kit.core.errors import CheckFailed, OperationalError
from kit.library.opened import OpenedBundle
from kit.library.rows import CompletionRow, PromptRow, VerdictRow, completion_rows, prompt_rows, verdict_rows
from kit.library.table import Table
from kit.review.verify import verify

if TYPE_CHECKING:
    from os import PathLike
    from pathlib import PurePosixPath

    from kit.core.canonical import Json
    from kit.review.verify import Verification


def load(path: str | PathLike[str]) -> Bundle:
    """Open a bundle: its folder, or its zip, which is unpacked into a private folder.

    It is untrusted input, whoever wrote it: names, sizes and JSON are bounded, no link is followed, and the payload
    holds what the manifest calls for and nothing else. Whether it is what its signer signed, and whether its numbers
    follow from its rows, only `Bundle.verify` tells.

    >>> bundle = kit.load("bundle.zip")
    >>> bundle.manifest["name"]
    'scripted'

    Raises:
        CheckFailed: it is not a bundle, or its manifest, records or prompts are malformed; all problems at once.
        OperationalError: it cannot be read, or there is no space to unpack it.
    """
    return Bundle(OpenedBundle(Path(path)))


class Bundle:
    """One bundle, opened by `kit.load`.

    What a zip was unpacked to is removed when nobody holds the bundle or one of its tables any more. `with` and `close`
    let go of it earlier: afterwards the bundle answers no more, and tables that were taken from it still do.

    >>> with kit.load("bundle.zip") as bundle:
    ...     completions = bundle.completions()
    >>> len(list(completions)) == len(completions) > 0
    True
    """

    def __init__(self, opened: OpenedBundle) -> None:
        """Take an opened bundle; users call `kit.load`."""
        self.path = opened.path
        """As it was given."""
        self._held: OpenedBundle | None = opened

    @property
    def opened(self) -> OpenedBundle:
        """The files, for the kit's own modules.

        Raises:
            OperationalError: the bundle was closed.
        """
        if self._held is None:
            what = "was closed, by its `with` or by `close`"
            raise OperationalError.of(self.path, what, "call `kit.load` again, or take what you need before it closes")
        return self._held

    def close(self) -> None:
        """Let go of the files; what a zip was unpacked to is removed as soon as no table needs it."""
        self._held = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        if self._held is None:
            return f"<Bundle {self.path}: closed>"
        contents = self._held.contents
        notes = "".join(f"; {note}" for note in self._held.notes)
        return f"<Bundle {self.path}: {contents.manifest.name}, {len(contents.completions)} cells{notes}>"

    @cached_property
    def manifest(self) -> dict[str, Json]:
        """The pinned manifest, as docs/manifest.md describes its fields."""
        return self._document(layout.MANIFEST)

    @cached_property
    def metrics(self) -> dict[str, Json]:
        """The numbers as the bundle states them, which docs/numbers.md explains; `verify` computes them again."""
        return self._document(layout.METRICS)

    @property
    def results_digest(self) -> str:
        """The digest of the payload as it lies there: `sha256:…`."""
        return self.opened.results_digest

    @property
    def withheld(self) -> tuple[str, ...]:
        """The evaluations whose texts are withheld; none of a bundle that was not redacted."""
        return self.opened.contents.withheld

    @property
    def incomplete(self) -> str:
        """What the run could not measure, in a sentence; empty where nothing is missing."""
        return self.opened.contents.incomplete

    def prompts(self) -> Table[PromptRow]:
        """Return the requests of all evaluations; a row is a `PromptRow`.

        >>> kit.load("bundle.zip").prompts().columns
        ('evaluation', 'prompt_id', 'category', 'text', 'answer', 'withheld')
        """
        prompts = self.opened.contents.prompts
        return Table("prompts", PromptRow, self.opened, prompt_rows, sum(map(len, prompts.values())))

    def completions(self) -> Table[CompletionRow]:
        """Return what every arm answered in every cell; a row is a `CompletionRow`.

        >>> for row in kit.load("bundle.zip").completions():
        ...     print(row.arm, row.prompt_id, row.finish_reason)
        ...     break
        base s-0 stop
        """
        contents = self.opened.contents
        length = sum(len(contents.prompts[cell.evaluation]) for cell in contents.completions)
        return Table("completions", CompletionRow, self.opened, completion_rows, length)

    def verdicts(self) -> Table[VerdictRow]:
        """Return what each judge said of every completion; a row is a `VerdictRow`.

        >>> {row.judge for row in kit.load("bundle.zip").verdicts() if row.evaluation == "sums"}
        {'exact'}
        """
        contents = self.opened.contents
        length = sum(len(contents.prompts[cell.evaluation]) for cell, _ in contents.verdicts)
        return Table("verdicts", VerdictRow, self.opened, verdict_rows, length)

    def verify(self, signer: str | PathLike[str] | None = None) -> Verification:
        """Check signatures and files, and compute every number again; return what was found if all is right.

        Without a signer nobody is trusted: anybody can sign anything with a key of their own.

        >>> found = kit.load("bundle.zip").verify()
        >>> found.signer_known
        False

        Args:
            signer: who should have signed: a fingerprint, a public key, or a file of public keys, as for `kit verify`.
                What is passed over in the file is a warning.

        Raises:
            CheckFailed: it was tampered with, its numbers do not follow from its rows, or another key signed it.
            OperationalError: the bundle was closed, or its folder or the signers' file cannot be read.
        """
        opened = self.opened
        signers = None if signer is None else read_signers(str(signer), datetime.now(UTC))
        for note in signers.notes if signers else ():
            warnings.warn(note, stacklevel=2)
        with opened.telling():
            return verify(opened.folder, signers)

    def _document(self, name: PurePosixPath) -> dict[str, Json]:
        with self.opened.telling():
            document = read_json(self.opened.folder / name)
            if not isinstance(document, dict):
                raise CheckFailed.of(self.opened.folder / name, "is not a JSON object")
            return document
