"""The metrics read into typed objects, in the order in which a reader meets them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kit.core.cells import BASE, TUNED, ArmSeed, Cell
from kit.report.result_types import (
    Agreement,
    ArmStudy,
    Category,
    CellResult,
    Change,
    Comparison,
    Flag,
    JudgePair,
    Measure,
    Pooled,
    Power,
    Rate,
    Repeats,
    Source,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kit.spec.manifest.model import Evaluation, Manifest

_EXPECTS_ORDER = ("refusal", "compliance", "answer")


@dataclass(frozen=True, slots=True)
class Results:
    """`kit.stats.metrics.compute`'s result, which has that function's shape."""

    manifest: Manifest
    metrics: Mapping[str, Any]

    def measures(self) -> list[Measure]:
        """Return every evaluation and judge: what ought to be refused first, capability last."""
        named = sorted(self.manifest.evaluations.items(), key=_reading_order)
        return [
            Measure(name, judge, each.kind, each.expects, only_judge=len(each.judges) == 1)
            for name, each in named
            for judge in each.judges
        ]

    def cells(self, measure: Measure) -> list[CellResult]:
        """Return the cells in which something was measured, arm by arm and seed by seed."""
        found = [
            _cell_result(Cell.parse(name), judges[measure.judge])
            for name, judges in self.metrics["rates"].items()
            if Cell.parse(name).evaluation == measure.evaluation and measure.judge in judges
        ]
        return sorted((result for result in found if result.n), key=lambda result: self.cell_order(result.cell))

    def repeats(self, measure: Measure) -> list[Repeats]:
        """Return how the measure's rate moved, arm by arm."""
        arms = self.metrics["repeats"]
        found = {arm: evaluations.get(measure.evaluation, {}) for arm, evaluations in arms.items()}
        return [
            Repeats(arm=arm, **found[arm][measure.judge][measure.rate])
            for arm in sorted(found, key=self.arm_order)
            if measure.rate in found[arm].get(measure.judge, {})
        ]

    def comparisons(self, measure: Measure) -> list[Comparison]:
        """Return the paired comparisons with the base, arm by arm and seed by seed."""
        wanted = (measure.evaluation, measure.judge, measure.rate)
        found = [
            _comparison(row)
            for row in self.metrics["run_differences"]
            if (row["evaluation"], row["judge"], row["rate"]) == wanted and row["n"]
        ]
        return sorted(found, key=lambda row: (self.weights_order(row.weights), row.generation_seed))

    def arms(self, measure: Measure) -> list[ArmStudy]:
        """Return what all runs of each arm say together, arm by arm."""
        agreement = {row["arm"]: row for row in self.metrics["agreement"] if _is_of(row, measure)}
        sources = {
            row["arms"][0]: row["sources"]
            for row in self.metrics["variance"]
            if _is_of_one(row) and (row["evaluation"], row["judges"][0]) == (measure.evaluation, measure.judge)
        }
        found = [
            _arm_study(row, agreement.get(row["arm"]), sources[row["arm"]])
            for row in self.metrics["means"]
            if _is_of(row, measure)
        ]
        return sorted(found, key=lambda one: self.arm_order(one.arm))

    def changes(self, measure: Measure) -> list[Change]:
        """Return the comparisons over all runs: the fine-tuned arm first, then the variations."""
        margin = self.manifest.expect.margin if self.manifest.expect else None
        found = [_change(row, margin) for row in self.metrics["differences"] if _is_of(row, measure)]
        return sorted(found, key=lambda one: self.arm_order(one.arm))

    def pooled(self, evaluation: str) -> Pooled | None:
        """Return the sources over all arms and judges of an evaluation, where more than seeds was varied."""
        for row in self.metrics["variance"]:
            if row["evaluation"] == evaluation and not _is_of_one(row):
                return Pooled(tuple(row["arms"]), tuple(row["judges"]), tuple(map(_source, row["sources"])))
        return None

    def judge_pairs(self) -> list[JudgePair]:
        """Return every two judges of an evaluation."""
        return [_judge_pair(row) for row in self.metrics["judge_agreement"]]

    def flags(self) -> list[Flag]:
        """Return the cells with too many incoherent answers, in the order of their names."""
        rows = [Flag(Cell.parse(row["cell"]), row["judge"], row["share"]) for row in self.metrics["flags"]]
        return sorted(rows, key=lambda flag: (str(flag.cell), flag.judge))

    def cell_order(self, cell: Cell) -> tuple[object, ...]:
        """Return a key that sorts cells as a reader expects them."""
        return (*self.weights_order(cell.weights), cell.evaluation, cell.generation_seed)

    def weights_order(self, weights: ArmSeed) -> tuple[tuple[int, str], int]:
        """Return a key that sorts by arm, then by training seed."""
        return self.arm_order(weights.arm), -1 if weights.training_seed is None else weights.training_seed

    def arm_order(self, arm: str) -> tuple[int, str]:
        """Return a key that sorts arms: base, tuned, then the variations as the manifest lists them."""
        known = [BASE, TUNED, *(variation.name for variation in self.manifest.variations)]
        return (known.index(arm) if arm in known else len(known), arm)


def _reading_order(named: tuple[str, Evaluation]) -> tuple[int, str]:
    name, evaluation = named
    return _EXPECTS_ORDER.index(evaluation.expects), name


def _cell_result(cell: Cell, document: Mapping[str, Any]) -> CellResult:
    return CellResult(
        cell=cell,
        n=document["n"],
        counts=document["counts"],
        rates={name: Rate(**rate) for name, rate in document["rates"].items()},
        categories={name: Category(**part) for name, part in document["categories"].items()},
    )


def _comparison(document: Mapping[str, Any]) -> Comparison:
    return Comparison(
        weights=_weights(document["weights"]),
        generation_seed=document["generation_seed"],
        n=document["n"],
        only_reference=document["only_reference"],
        only_weights=document["only_weights"],
        difference=Rate(**document["difference"]),
        p_value=document["p_value"],
    )


def _is_of(row: Mapping[str, Any], measure: Measure) -> bool:
    return (row["evaluation"], row["judge"]) == (measure.evaluation, measure.judge)


def _is_of_one(row: Mapping[str, Any]) -> bool:
    """Tell whether a split of the variance is of one arm as one judge sees it."""
    return len(row["arms"]) == len(row["judges"]) == 1


def _arm_study(
    document: Mapping[str, Any], agreement: Mapping[str, Any] | None, sources: Iterable[Mapping[str, Any]]
) -> ArmStudy:
    next_run = document["next_run"]
    return ArmStudy(
        arm=document["arm"],
        prompts=document["prompts"],
        runs=document["runs"],
        mean=Rate(**document["mean"]),
        next_run=Rate(**next_run) if next_run else None,
        agreement=_agreement(agreement) if agreement else None,
        sources=tuple(map(_source, sources)),
    )


def _agreement(document: Mapping[str, Any]) -> Agreement:
    return Agreement(**{name: document[name] for name in ("flip_rate", "alpha", "never", "sometimes", "always")})


def _source(document: Mapping[str, Any]) -> Source:
    rate = document["rate_sd"]
    return Source(document["source"].replace("_", " "), Rate(**rate) if rate else None, document["why"] or "")


def _change(document: Mapping[str, Any], margin: float | None) -> Change:
    power, narrow = document["power"], document["difference_90"]
    return Change(
        reference=document["reference"],
        arm=document["arm"],
        difference=Rate(**document["difference"]),
        p_value=document["p_value"],
        p_value_holm=document["p_value_holm"],
        margin=margin,
        equivalent=None if margin is None else -margin < narrow["low"] and narrow["high"] < margin,
        power=Power(**power) if power else None,
    )


def _judge_pair(document: Mapping[str, Any]) -> JudgePair:
    names = ("evaluation", "first", "second", "answers", "agreeing")
    return JudgePair(
        **{name: document[name] for name in names},
        kappa=Rate(**document["kappa"]) if document["kappa"] else None,
        parted=tuple((one["prompt_id"], one["answers"]) for one in document["parted"]),
    )


def _weights(text: str) -> ArmSeed:
    arm, _, seed = text.partition("@")
    return ArmSeed(arm, int(seed) if seed else None)
