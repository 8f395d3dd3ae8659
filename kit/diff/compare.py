"""Comparing two bundles, given their rows: linear in the rows, and blind to which side is the original."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.diff.environment_changes import environment_changes
from kit.diff.evidence import Change, Evidence, Influence
from kit.diff.grade import Grade, decide
from kit.diff.manifest_changes import Scope, manifest_changes
from kit.diff.prompts import asked_differently, prompt_changes, shared_prompts
from kit.diff.rates import compare_rates, count_rates
from kit.diff.reruns import reruns
from kit.diff.rows import compare_texts, flips, paired_verdicts
from kit.diff.training import partings
from kit.diff.withheld import comparable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kit.bundle.contents import Contents
    from kit.cells import Cell
    from kit.diff.evidence import CellTexts, Compared, Flip, RateComparison
    from kit.diff.rates import Key
    from kit.measure.paired import PairedCounts
    from kit.redact.commitment import RedactionKey
    from kit.rows import Prompt

DEFAULT_MARGIN = 0.05
"""Where no manifest states one: what a 95 % interval of a 440-prompt benchmark leaves open at a rate of one half."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two bundles side by side."""

    grade: Grade
    reason: str
    """One sentence: why this grade."""
    evidence: Evidence

    @property
    def same_environment(self) -> bool:
        """Whether both ran with the same software on the same hardware."""
        return all(change.place != "environment" for change in self.evidence.changes)

    def attainable(self, wanted: Grade) -> Grade:
        """Return the wanted grade, or the strongest that can be told of texts that are withheld."""
        unknown = any(texts.unknown for texts in self.evidence.texts)
        return Grade.VERDICTS if unknown and wanted.is_at_least(Grade.VERDICTS) else wanted

    def agrees(self, wanted: Grade = Grade.EQUIVALENT) -> bool:
        """Tell whether the grade is the wanted one or stronger."""
        return self.grade.is_at_least(wanted)


def compare(
    a: Contents,
    b: Contents,
    *,
    results_digests: tuple[str, str],
    margin: float | None = None,
    key: RedactionKey | None = None,
) -> Comparison:
    """Compare two bundles.

    Args:
        a: the first, usually the original.
        b: the second, usually the rerun.
        results_digests: those of a and b.
        margin: the largest difference of a rate that still counts as the same, as a proportion; without one, the
            smaller of those in the manifests' `expect`, else `DEFAULT_MARGIN`.
        key: the one with which either was redacted, to compare texts that one of them withholds.

    Raises:
        Finding: the key is not the one with which they were redacted.
    """
    form = comparable(a, b, key)
    a, b = form.a, form.b
    cells = sorted(set(a.completions) & set(b.completions), key=str)
    scope = _scope(a, b, cells)
    shared = {name: shared_prompts(a.prompts[name], b.prompts[name]) for name in scope.evaluations}
    texts = {cell: _texts(cell, a, b, shared, form.compared[cell.evaluation]) for cell in cells}
    flipped, rates = _verdicts(a, b, texts, shared)
    evidence = Evidence(
        results_digests=results_digests,
        margin=_margin(a, b) if margin is None else margin,
        changes=_ranked(
            [
                *form.changes,
                *asked_differently(a.completions, b.completions, cells),
                *environment_changes(a, b),
                *manifest_changes(a.manifest, b.manifest, scope),
            ]
        ),
        prompts=tuple(prompt_changes(a.prompts, b.prompts, scope.evaluations)),
        training=tuple(partings(a.training, b.training)),
        texts=tuple(texts.values()),
        flips=tuple(flipped),
        rates=tuple(rates),
        reruns=tuple(reruns(a, b, _asking_the_same(a, b))),
        only_a=tuple(sorted(set(a.completions) - set(b.completions), key=str)),
        only_b=tuple(sorted(set(b.completions) - set(a.completions), key=str)),
    )
    return Comparison(*decide(evidence), evidence)


def _scope(a: Contents, b: Contents, cells: Sequence[Cell]) -> Scope:
    return Scope(
        arms=frozenset(cell.weights.arm for cell in cells),
        evaluations=frozenset(cell.evaluation for cell in cells),
        judges=frozenset(judge for _, judge in _judged(a, b)),
    )


def _asking_the_same(a: Contents, b: Contents) -> set[str]:
    """Return the evaluations with the same prompts, judged as the same kind of thing."""
    kinds = [{name: one.kind for name, one in side.manifest.evaluations.items()} for side in (a, b)]
    common = kinds[0].items() & kinds[1].items()
    return {name for name, _ in common if a.prompts[name] == b.prompts[name]}


def _margin(a: Contents, b: Contents) -> float:
    stated = [one.manifest.expect.margin for one in (a, b) if one.manifest.expect]
    return min(stated, default=DEFAULT_MARGIN)


def _ranked(changes: Sequence[Change]) -> tuple[Change, ...]:
    order = list(Influence)
    return tuple(sorted(changes, key=lambda change: order.index(change.influence)))


def _texts(cell: Cell, a: Contents, b: Contents, shared: Mapping[str, list[Prompt]], compared: Compared) -> CellTexts:
    return compare_texts(cell, shared[cell.evaluation], a.completions[cell], b.completions[cell], compared)


def _verdicts(
    a: Contents, b: Contents, texts: Mapping[Cell, CellTexts], shared: Mapping[str, list[Prompt]]
) -> tuple[list[Flip], list[RateComparison]]:
    flipped: list[Flip] = []
    counts: dict[Key, PairedCounts] = {}
    for cell, judge in _judged(a, b):
        pairs = paired_verdicts(shared[cell.evaluation], a.verdicts[cell, judge], b.verdicts[cell, judge])
        flipped += flips(texts[cell], judge, pairs)
        kinds = {one.manifest.evaluations[cell.evaluation].kind for one in (a, b)}
        if len(kinds) == 1:  # of two kinds there is no common rate, and the grade says why
            counts.update({(cell, judge, rate): table for rate, table in count_rates(kinds.pop(), pairs).items()})
    return flipped, compare_rates(counts)


def _judged(a: Contents, b: Contents) -> list[tuple[Cell, str]]:
    return sorted(set(a.verdicts) & set(b.verdicts), key=lambda key: (str(key[0]), key[1]))
