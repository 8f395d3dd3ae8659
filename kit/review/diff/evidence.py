"""What two bundles were found to share and not to share; side a is the first named, side b the second.

Flat tables, so that a grade, a text, a JSON document or a report can each be a plain walk over them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kit.core.canonical import Json
    from kit.core.cells import ArmSeed, Cell
    from kit.core.rows import Verdict
    from kit.stats.intervals import Interval
    from kit.stats.paired import PairedCounts


class Influence(StrEnum):
    """What a change can do to the results of the cells in common, strongest first."""

    EXPERIMENT = "experiment"
    """It makes another experiment of it."""
    LIKELY = "likely"
    POSSIBLE = "possible"
    UNLIKELY = "unlikely"
    NONE = "none"
    """A label, or it touches no cell in common."""


class Compared(StrEnum):
    """By which means the texts of a cell were compared."""

    TOKENS = "tokens"
    COMMITMENTS = "commitments"
    """Both sides are withheld, or made so, under one key."""
    LENGTHS = "lengths"
    """A text is withheld and there is no key: texts of the same length may be the same or not."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing beside the results that differs; None where a side does not have it."""

    place: str
    """`prompts`, `self-test`, `environment`, `manifest` or `training`."""
    path: str
    """Within the place, such as `$.model.dtype` or `packages.torch`."""
    a: Json
    b: Json
    influence: Influence
    explains: str
    """What this can explain."""


@dataclass(frozen=True, slots=True)
class PromptChange:
    """An evaluation of the same name that asks something else."""

    evaluation: str
    only_a: tuple[str, ...]
    """Ids of prompts."""
    only_b: tuple[str, ...]
    altered: tuple[str, ...]
    """The same id with another text, category or answer."""


@dataclass(frozen=True, slots=True)
class Parting:
    """The first thing in which two trainings of the same name differ."""

    weights: ArmSeed
    stage: str
    """A field of `payload/training/*.json`."""
    index: int | None
    """The first entry that differs, where the stage is a list."""
    a: Json
    b: Json


class Divergence(NamedTuple):
    """The first token in which two completions differ; None on the side that had already ended.

    All is None where the texts are withheld, and only that they differ is known.
    """

    position: int | None
    a: int | None
    b: int | None
    margins: tuple[int | None, int | None] = (None, None)
    """How sure each side was of its token, in thousandths of a nat; None where not recorded."""


class Asked(NamedTuple):
    """Requests of one cell whose prompts reached the model as other tokens on both sides."""

    requests: int
    first: tuple[str, str, bool] | None
    """Of the first: the digest of its tokens on both sides, and whether the template is another."""


@dataclass(frozen=True, slots=True)
class CellTexts:
    """The completions of one cell in common."""

    cell: Cell
    n: int
    """Prompts that both sides asked."""
    divergences: Mapping[str, Divergence]
    """By prompt id, for the completions whose tokens differ."""
    compared: Compared
    cut_off: tuple[int, int] | None
    """How many of them ended at `max_tokens`, on each side; None where none can be (`Contents.can_be_cut_off`)."""

    @property
    def cut_off_shares(self) -> tuple[float, float] | None:
        """Which proportion of them that is."""
        return (self.cut_off[0] / self.n, self.cut_off[1] / self.n) if self.cut_off and self.n else None

    @property
    def median_lead(self) -> float | None:
        """How close the closer side's token was to the likeliest other, where two completions parted.

        In nats; None where it is not recorded.
        """
        known = [[abs(margin) for margin in one.margins if margin is not None] for one in self.divergences.values()]
        return median(map(min, filter(None, known))) / 1000 if any(known) else None

    @property
    def unknown(self) -> int:
        """How many completions may be the same or not."""
        return self.n - len(self.divergences) if self.compared is Compared.LENGTHS else 0


@dataclass(frozen=True, slots=True)
class Flip:
    """A prompt on whose completion the same judge said something else."""

    cell: Cell
    judge: str
    prompt_id: str
    category: str
    a: Verdict
    b: Verdict
    divergence: Divergence | None
    """None where no difference of tokens is known: the judge alone has changed its mind, or the texts are withheld."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PooledRate:
    """One rate of one arm by one judge, over all runs in common: what the grade is decided on."""

    arm: str
    evaluation: str
    judge: str
    rate: str
    prompts: int
    runs: int
    discordant: int
    """Prompts on which the two sides have it in another number of runs."""
    a: float
    b: float
    difference: Interval
    """b - a, 95 %."""
    difference_90: Interval
    """b - a, 90 %: inside the margin, it is two one-sided tests at 5 %."""
    p_value: float
    p_adjusted: float | None
    """The same after Holm over the comparisons of the two bundles; None where another rate is tested in its place."""

    def is_within(self, margin: float) -> bool:
        """Tell whether the difference is shown to be smaller than a margin (Schuirmann 1987, at 5 %)."""
        return -margin < self.difference_90.low and self.difference_90.high < margin

    def is_beyond(self, margin: float) -> bool:
        """Tell whether it is shown to be larger."""
        return self.difference.high < -margin or self.difference.low > margin


@dataclass(frozen=True, slots=True, kw_only=True)
class RateComparison:
    """One rate of one cell by one judge, on both sides, paired by prompt: evidence, on which no grade rests."""

    cell: Cell
    judge: str
    rate: str
    counts: PairedCounts
    """First is a, second is b."""
    a: Interval
    b: Interval
    difference: Interval
    """b - a, 95 %."""
    p_value: float
    """Exact McNemar, not corrected for the number of cells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rerun:
    """Runs of one side, and where the other's runs expect a further one."""

    arm: str
    evaluation: str
    judge: str
    reference: str
    """Whose runs tell what to expect: `a` or `b`."""
    other: str
    runs: int
    """How many they are."""
    expected: Interval
    """Of a single further run: 95 %."""
    rates: tuple[float, ...]
    """What the other side's runs gave, in the order of their seeds."""
    same_seeds: bool
    """Whether both sides have them. On other hardware a seed is another draw."""

    @property
    def within(self) -> int:
        """How many of them lie where they are expected."""
        return sum(self.expected.low <= rate <= self.expected.high for rate in self.rates)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything from which a comparison's grade is decided."""

    results_digests: tuple[str, str]
    margin: float
    """Largest difference of a rate that still counts as the same, as a proportion."""
    changes: tuple[Change, ...]
    """What most likely explains a difference comes first."""
    notes: tuple[str, ...]
    """What follows from which cells differ, and what is not known: sentences without a full stop."""
    prompts: tuple[PromptChange, ...]
    training: tuple[Parting, ...]
    texts: tuple[CellTexts, ...]
    """One for each cell in common."""
    flips: tuple[Flip, ...]
    pooled: tuple[PooledRate, ...]
    """Of the arms in which a verdict differs."""
    rates: tuple[RateComparison, ...]
    reruns: tuple[Rerun, ...]
    only_a: tuple[Cell, ...]
    only_b: tuple[Cell, ...]
