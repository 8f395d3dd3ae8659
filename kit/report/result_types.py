"""What the report knows of runs, arms, differences and judges: the metrics as typed objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.core.rates import PRIMARY_RATE, RATES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kit.core.cells import ArmSeed, Cell
    from kit.core.rows import Verdict


@dataclass(frozen=True, slots=True)
class Rate:
    """A proportion, or a difference of two, with its 95 % interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Measure:
    """One rate that the report follows: of one evaluation, as one judge sees it."""

    evaluation: str
    judge: str
    kind: str
    expects: str
    only_judge: bool
    """Whether nobody else judges this evaluation."""

    @property
    def heading(self) -> str:
        """Return the title under which the measure stands everywhere."""
        title = f"{self.quantity.capitalize()} on “{self.evaluation}”"
        return title if self.only_judge else f"{title}, judge “{self.judge}”"

    @property
    def rate(self) -> str:
        """Return the name of the rate, as the metrics call it."""
        return PRIMARY_RATE[self.kind]

    @property
    def verdict(self) -> Verdict:
        """Return the verdict that the rate counts."""
        return RATES[self.kind][self.rate]

    @property
    def quantity(self) -> str:
        """Return the rate's name as a reader sees it."""
        return self.rate.replace("_", " ")


@dataclass(frozen=True, slots=True)
class CellResult:
    """What one judge found in one cell."""

    cell: Cell
    n: int
    counts: Mapping[str, int]
    rates: Mapping[str, Rate]
    categories: Mapping[str, Category]


@dataclass(frozen=True, slots=True)
class Category:
    """The verdicts on the prompts of one category in one cell."""

    n: int
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Repeats:
    """How one rate of one arm moved between its repeats."""

    arm: str
    repeats: int
    mean: float
    sd: float | None
    min: float
    max: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """One set of weights against the base, prompt by prompt."""

    weights: ArmSeed
    generation_seed: int
    n: int
    only_reference: int
    only_weights: int
    difference: Rate
    p_value: float


@dataclass(frozen=True, slots=True)
class Source:
    """What one source contributes to a rate, as a standard deviation; `rate_sd` is None where that cannot be told."""

    name: str
    rate_sd: Rate | None
    why: str


@dataclass(frozen=True, slots=True)
class Agreement:
    """How alike the runs of an arm answered."""

    flip_rate: float
    alpha: float | None
    never: float
    sometimes: float
    always: float


@dataclass(frozen=True, slots=True)
class ArmStudy:
    """What all runs of one arm say together."""

    arm: str
    prompts: int
    runs: int
    mean: Rate
    next_run: Rate | None
    agreement: Agreement | None
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Power:
    """What a comparison could have seen, and what a wanted difference needs."""

    detectable: float
    wanted: float
    training_runs_needed: int | None
    prompts_needed: int | None


@dataclass(frozen=True, slots=True)
class Change:
    """One arm against another over all their runs."""

    reference: str
    arm: str
    difference: Rate
    p_value: float
    p_value_holm: float
    margin: float | None
    """As the manifest's `expect` states it."""
    equivalent: bool | None
    """Whether the difference is shown to lie within it; None where none is stated."""
    power: Power | None


@dataclass(frozen=True, slots=True)
class Pooled:
    """The sources of an evaluation's movement over several arms or judges."""

    arms: tuple[str, ...]
    judges: tuple[str, ...]
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class JudgePair:
    """How two judges saw the same answers."""

    evaluation: str | None
    """None where it is over all evaluations that both judge."""
    first: str
    second: str
    answers: int
    agreeing: int
    kappa: Rate | None
    parted: tuple[tuple[str, int], ...]
    """Prompts on which they differ, and on how many of its answers."""


@dataclass(frozen=True, slots=True)
class Flag:
    """A cell in which too many answers were incoherent."""

    cell: Cell
    judge: str
    share: float
