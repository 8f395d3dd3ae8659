"""Two bundles compared, as `kit diff` compares them."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from kit.library.bundle import Bundle, load
from kit.review.diff.compare import compare
from kit.review.diff.document import to_json
from kit.review.diff.grade import Grade
from kit.review.diff.text import render
from kit.review.redact.key import read_redaction_key

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from os import PathLike

    from kit.core.canonical import Json
    from kit.review.diff import compare as compared


class Comparison:
    """How far two bundles agree; `print` shows what `kit diff` prints.

    >>> comparison = kit.diff("bundle.zip", "bundle.zip")
    >>> comparison.grade, comparison.agrees("tokens")
    ('bitwise', True)
    """

    def __init__(self, comparison: compared.Comparison) -> None:
        """Take what `kit.diff` found; users call that."""
        self._comparison = comparison

    def __repr__(self) -> str:
        return f"<Comparison {self.grade}: {self.reason}>"

    def __str__(self) -> str:
        return render(self._comparison)

    @property
    def grade(self) -> str:
        """From `bitwise` through `tokens`, `verdicts`, `equivalent` and others to `incomparable` (docs/diff.md)."""
        return self._comparison.grade.value

    @property
    def reason(self) -> str:
        """Why this grade, in a sentence."""
        return self._comparison.reason

    def agrees(self, wanted: str = "equivalent") -> bool:
        """Tell whether the grade is the wanted one or a stronger one.

        Raises:
            ValueError: that is not a grade.
        """
        return self._comparison.agrees(Grade(wanted))

    def to_json(self) -> dict[str, Json]:
        """Return what `kit diff --json` prints: everything, of which docs/diff.md lists the fields."""
        return to_json(self._comparison)


def diff(
    a: Bundle | str | PathLike[str],
    b: Bundle | str | PathLike[str],
    *,
    margin: float | None = None,
    key: str | PathLike[str] | None = None,
) -> Comparison:
    """Compare two bundles, in this process; signatures are `Bundle.verify`'s business.

    >>> kit.diff("bundle.zip", "bundle.zip").reason
    'the results are the same bytes'

    Args:
        a: the first, usually the original: its path, or the bundle.
        b: the second, usually the rerun.
        margin: the largest difference of a rate that is still the same, as a proportion; without one, the smaller of
            those in the manifests' `expect`, else 0.05.
        key: file of the redaction key, to compare texts that one of them withholds.

    Raises:
        CheckFailed: a bundle is malformed, or was redacted with another key.
        OperationalError: a bundle cannot be read, or was closed.
        ValueError: the margin is not a proportion above 0.
    """
    if margin is not None and not 0 < margin <= 1:
        raise ValueError(f"margin={margin}: a proportion above 0 and up to 1 is meant, 0.05 for five points")
    with _borrowed(a) as first, _borrowed(b) as second:
        left, right = first.opened, second.opened
        with left.telling(), right.telling():
            comparison = compare(
                left.contents,
                right.contents,
                results_digests=(left.results_digest, right.results_digest),
                margin=margin,
                key=read_redaction_key(Path(key)) if key is not None else None,
            )
    return Comparison(comparison)


def _borrowed(bundle: Bundle | str | PathLike[str]) -> AbstractContextManager[Bundle]:
    """Return a bundle to be closed after use, unless it is the user's."""
    return nullcontext(bundle) if isinstance(bundle, Bundle) else load(bundle)
