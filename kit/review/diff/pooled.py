"""The rates of each arm over all runs in common, clustered by prompt and by run: what a grade is decided on."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from kit.core.rates import PRIMARY_RATE, RATES
from kit.core.rows import Verdict
from kit.review.diff.evidence import PooledRate, Rerun
from kit.stats.compare import differences, first_pairs
from kit.stats.difference import MeanDifference
from kit.stats.intervals import Z_90
from kit.stats.judged import crossed
from kit.stats.mean import LEVEL_90, mean_of
from kit.stats.multiplicity import holm_discrete
from kit.stats.next_run import next_run
from kit.stats.paired import PairedCounts, mcnemar, paired_difference, smallest_p_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kit.core.cells import Cell
    from kit.stats.judged import RunTable

    Codes = tuple[bytes, bytes]
    """A verdict's place in `CODES` for each prompt, of a and of b."""
    Arm = tuple[str, str, str, str]
    """Kind, arm, evaluation, judge."""

CODES = tuple(Verdict)
REPLACED = "compliance_rate"
"""Not tested itself: what is no compliance is a refusal, a partial or an incoherent answer, and these are."""


def pooled(verdicts: Iterable[tuple[Cell, str, str, Codes]]) -> tuple[list[PooledRate], list[Rerun]]:
    """Compare each arm in which a verdict differs, over the largest table of seeds that both sides have.

    Args:
        verdicts: of each cell in common and each judge: the evaluation's kind, the judge, and both sides' verdicts in
            one order of the prompts.

    Returns:
        Every rate of those arms, and where each side's runs expect a further run beside those of the other.
    """
    arms: defaultdict[Arm, dict[tuple[int | None, int], Codes]] = defaultdict(dict)
    for cell, kind, judge, codes in verdicts:
        if codes[0]:
            seeds = (cell.weights.training_seed, cell.generation_seed)
            arms[kind, cell.weights.arm, cell.evaluation, judge][seeds] = codes
    moved = {key: runs for key, runs in sorted(arms.items()) if any(a != b for a, b in runs.values())}
    rates = [rate for key, runs in moved.items() for rate in _rates(key, runs)]
    reruns = [rerun for key, runs in moved.items() for rerun in _reruns(key, runs)]
    return _adjusted(rates), reruns


def _rates(key: Arm, runs: Mapping[tuple[int | None, int], Codes]) -> Iterator[PooledRate]:
    kind, arm, evaluation, judge = key
    for rate in RATES[kind]:
        a, b = _tables(runs, kind, rate)
        rows, scale = differences(a, b)
        counts = first_pairs(a, b) if len(a.runs) == 1 else None
        mean = MeanDifference(mean_of(rows, scale))
        yield PooledRate(
            arm=arm,
            evaluation=evaluation,
            judge=judge,
            rate=rate,
            prompts=a.prompts,
            runs=len(a.runs),
            discordant=sum(any(row) for row in rows),
            a=_share(a),
            b=_share(b),
            difference=paired_difference(counts) if counts else mean.interval(),
            difference_90=paired_difference(counts, Z_90) if counts else mean.interval(LEVEL_90),
            p_value=mcnemar(counts) if counts else mean.p_value(),
            p_adjusted=None,
        )


def _tables(runs: Mapping[tuple[int | None, int], Codes], kind: str, rate: str) -> tuple[RunTable, RunTable]:
    code = CODES.index(RATES[kind][rate])
    a, b = (
        crossed({seeds: tuple(one == code for one in codes[side]) for seeds, codes in runs.items()}) for side in (0, 1)
    )
    return a, b


def _share(table: RunTable) -> float:
    return sum(map(sum, table.runs)) / (len(table.runs) * table.prompts)


def _adjusted(rates: Sequence[PooledRate]) -> list[PooledRate]:
    """Correct the p-values of all rates that are tested, as one family."""
    tested = [rate for rate in rates if rate.rate != REPLACED]
    attainable = [smallest_p_value(PairedCounts(0, 0, rate.discordant, 0)) for rate in tested]
    adjusted = holm_discrete([rate.p_value for rate in tested], attainable)
    found = {id(rate): p_value for rate, p_value in zip(tested, adjusted, strict=True)}
    return [replace(rate, p_adjusted=found.get(id(rate))) for rate in rates]


def _reruns(key: Arm, runs: Mapping[tuple[int | None, int], Codes]) -> Iterator[Rerun]:
    kind, arm, evaluation, judge = key
    a, b = _tables(runs, kind, PRIMARY_RATE[kind])
    for reference, other, known, found in (("a", "b", a, b), ("b", "a", b, a)):
        if expected := next_run(known):
            yield Rerun(
                arm=arm,
                evaluation=evaluation,
                judge=judge,
                reference=reference,
                other=other,
                runs=len(known.runs),
                expected=expected,
                rates=tuple(sum(run) / found.prompts for run in found.runs),
                same_seeds=True,
            )
