"""What judges said of cells, and the tables that the statistics read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kit.core.errors import CheckFailed, Problem
from kit.core.rates import PRIMARY_RATE, RATES, VERDICTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from kit.bundle.contents import Contents
    from kit.core.cells import Cell
    from kit.core.rows import Verdict


@dataclass(frozen=True, slots=True)
class JudgedCell:
    """What one judge said of one cell, in the order of the prompts."""

    cell: Cell
    judge: str
    kind: str
    categories: tuple[str, ...]
    verdicts: tuple[Verdict, ...]

    @property
    def order(self) -> tuple[str, str, int, str, int]:
        """By evaluation, judge, generation seed and weights; seeds as numbers."""
        weights = self.cell.weights
        seed = -1 if weights.training_seed is None else weights.training_seed
        return self.cell.evaluation, self.judge, self.cell.generation_seed, weights.arm, seed


def judged_cells(contents: Contents) -> list[JudgedCell]:
    """Return every cell that was judged, in one order whatever the order of the rows' files.

    Raises:
        CheckFailed: a verdict does not belong to its kind of evaluation.
    """
    judged: list[JudgedCell] = []
    problems: list[Problem] = []
    for (cell, judge), rows in contents.verdicts.items():
        kind = contents.manifest.evaluations[cell.evaluation].kind
        categories = tuple(prompt.category for prompt in contents.prompts[cell.evaluation])
        verdicts = tuple(row.verdict for row in rows)
        judged.append(JudgedCell(cell, judge, kind, categories, verdicts))
        problems += verdict_problems(cell, judge, kind, set(verdicts))
    if problems:
        raise CheckFailed(problems)
    return sorted(judged, key=lambda one: one.order)


def verdict_problems(cell: Cell, judge: str, kind: str, verdicts: AbstractSet[Verdict]) -> Iterator[Problem]:
    """Yield the verdicts of one judge on one cell that do not belong to the kind of its evaluation."""
    for verdict in sorted(verdicts - set(VERDICTS[kind])):
        what = f"{verdict.value!r} is not a verdict on a {kind} evaluation"
        yield Problem(f"{cell}.{judge}", what, f"one of {', '.join(VERDICTS[kind])}")


@dataclass(frozen=True, slots=True)
class RunTable:
    """Whether each prompt had the verdict that counts, in every run of one arm: all seeds crossed with each other."""

    training: tuple[int | None, ...]
    """Seeds of the runs in the table: without those that lack a run, where the bundle says that some are missing."""
    generation: tuple[int, ...]
    hits: Mapping[tuple[int | None, int], tuple[bool, ...]]
    """By training and generation seed, in the order of the prompts."""

    @property
    def prompts(self) -> int:
        """How many prompts were asked."""
        return len(next(iter(self.hits.values())))

    @property
    def runs(self) -> list[tuple[bool, ...]]:
        """Every run's row of verdicts, generation seeds running fastest."""
        return [self.hits[seeds] for seeds in self.seeds]

    @property
    def seeds(self) -> list[tuple[int | None, int]]:
        """Every run's pair of seeds, generation seeds running fastest."""
        return [(training, generation) for training in self.training for generation in self.generation]

    def shared(self, other: RunTable) -> RunTable:
        """Return the table over the training seeds that the other has too; all, where one of them was not trained."""
        if None in (*self.training, *other.training):
            return self
        return replace(self, training=tuple(seed for seed in self.training if seed in other.training))

    def by_training(self) -> tuple[list[list[int]], int]:
        """Return in how many generations each prompt (rows) had it after each training (columns), and of how many."""
        columns = [
            [sum(one) for one in zip(*(self.hits[seed, other] for other in self.generation), strict=True)]
            for seed in self.training
        ]
        return [list(row) for row in zip(*columns, strict=True)], len(self.generation)


def run_tables(judged: Iterable[JudgedCell]) -> dict[tuple[str, str, str], RunTable]:
    """Return the table of each evaluation, judge and arm on the evaluation's primary rate, where prompts were asked."""
    hits: dict[tuple[str, str, str], dict[tuple[int | None, int], tuple[bool, ...]]] = {}
    for one in judged:
        if one.verdicts:
            wanted = RATES[one.kind][PRIMARY_RATE[one.kind]]
            place = hits.setdefault((one.cell.evaluation, one.judge, one.cell.weights.arm), {})
            seeds = (one.cell.weights.training_seed, one.cell.generation_seed)
            place[seeds] = tuple(verdict == wanted for verdict in one.verdicts)
    return {key: crossed(of_arm) for key, of_arm in hits.items()}


def crossed(hits: Mapping[tuple[int | None, int], tuple[bool, ...]]) -> RunTable:
    """Return the largest table in which no run is missing: every statistic here needs seeds that are crossed."""
    generation: dict[int | None, set[int]] = {}
    for training_seed, generation_seed in hits:
        generation.setdefault(training_seed, set()).add(generation_seed)
    tables = [
        ([seed for seed, found in generation.items() if found >= wanted], sorted(wanted))
        for wanted in generation.values()
    ]
    training, wanted = max(tables, key=lambda table: (len(table[0]) * len(table[1]), table[1]))
    return RunTable(tuple(sorted(training, key=lambda seed: -1 if seed is None else seed)), tuple(wanted), hits)
