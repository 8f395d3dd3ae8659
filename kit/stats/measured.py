"""What the numbers are computed from, read once for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.core.rates import PRIMARY_RATE
from kit.stats.judged import judged_cells, run_tables

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kit.bundle.contents import Contents
    from kit.stats.judged import JudgedCell, RunTable

    Tables = Mapping[tuple[str, str, str], RunTable]


@dataclass(frozen=True, slots=True)
class Measured:
    """A bundle's rows, and the two forms in which statistics want them."""

    contents: Contents
    judged: Sequence[JudgedCell]
    """What each judge said of each cell, in one order."""
    tables: Tables
    """By evaluation, judge and arm: the verdicts that the primary rate counts, prompts by runs."""

    @classmethod
    def of(cls, contents: Contents) -> Measured:
        """Read a bundle's verdicts.

        Raises:
            CheckFailed: a verdict does not belong to its kind of evaluation.
        """
        judged = judged_cells(contents)
        return cls(contents, judged, dict(sorted(run_tables(judged).items())))

    def rate_of(self, evaluation: str) -> str:
        """Return the name of the rate that an evaluation is about."""
        return PRIMARY_RATE[self.contents.manifest.evaluations[evaluation].kind]
