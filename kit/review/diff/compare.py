"""Comparing two bundles, given their rows: linear in the rows, and blind to which side is the original."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.review.diff.cells import CellPair, compare_cell
from kit.review.diff.environment_changes import environment_changes
from kit.review.diff.evidence import Change, Compared, Evidence, Influence
from kit.review.diff.grade import Grade, decide
from kit.review.diff.manifest_changes import Scope, manifest_changes
from kit.review.diff.notes import notes
from kit.review.diff.pooled import pooled
from kit.review.diff.processes import each
from kit.review.diff.prompts import asked_differently, prompt_changes, shared_prompts
from kit.review.diff.rates import compare_rates
from kit.review.diff.reruns import reruns
from kit.review.diff.training import partings, training_changes
from kit.review.diff.withheld import comparable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kit.bundle.contents import Contents
    from kit.core.cells import Cell
    from kit.review.redact.commitment import RedactionKey

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
    processes: int = 1,
) -> Comparison:
    """Compare two bundles.

    Args:
        a: the first, usually the original.
        b: the second, usually the rerun.
        results_digests: those of a and b.
        margin: the largest difference of a rate that still counts as the same, as a proportion; without one, the
            smaller of those in the manifests' `expect`, else `DEFAULT_MARGIN`.
        key: the one with which either was redacted, to compare texts that one of them withholds.
        processes: how many may read rows at a time.

    Raises:
        CheckFailed: the key is not the one with which they were redacted, or rows are malformed.
        OperationalError: a process was ended.
    """
    form = comparable(a, b, key)
    a, b = form.a, form.b
    pairs = _pairs(a, b, form.compared)
    # The largest first, so that no process works alone for long at the end.
    found = each(compare_cell, sorted(pairs, key=lambda pair: -len(pair.categories)), processes)
    cells = sorted((one for one in found if one.in_common), key=lambda one: str(one.texts.cell))
    scope = _scope(a, b)
    texts = tuple(one.texts for one in cells)
    parted = partings(a.training, b.training)
    changes = _ranked(
        [
            *form.changes,
            *asked_differently((one.texts.cell, one.asked) for one in cells),
            *environment_changes(a, b),
            *manifest_changes(a.manifest, b.manifest, scope),
            *training_changes([one for one in parted if one.weights.arm in scope.arms]),
        ]
    )
    rates, further = pooled(
        (one.texts.cell, one.kind, judge, codes) for one in cells for judge, codes in one.verdicts.items()
    )
    evidence = Evidence(
        results_digests=results_digests,
        margin=_margin(a, b) if margin is None else margin,
        changes=changes,
        notes=tuple(notes(changes, texts, parted, a.training.keys() & b.training.keys())),
        prompts=tuple(prompt_changes(a.prompts, b.prompts, scope.evaluations)),
        training=tuple(parted),
        texts=texts,
        flips=tuple(flip for one in cells for flip in one.flips),
        pooled=tuple(rates),
        rates=tuple(compare_rates({(one.texts.cell, *key): n for one in cells for key, n in one.counts.items()})),
        reruns=(*reruns(a, b, _asking_the_same(a, b)), *further),
        only_a=tuple(sorted(set(a.completions) - set(b.completions), key=str)),
        only_b=tuple(sorted(set(b.completions) - set(a.completions), key=str)),
    )
    return Comparison(*decide(evidence), evidence)


def _pairs(a: Contents, b: Contents, compared: Mapping[str, Compared]) -> list[CellPair]:
    """Return what there is to be read: every cell of either side."""
    shared = {name: shared_prompts(a.prompts[name], b.prompts[name]) for name in compared}
    categories = {name: {prompt.id: prompt.category for prompt in prompts} for name, prompts in shared.items()}
    return [
        _pair(cell, a, b, categories.get(cell.evaluation, {}), compared.get(cell.evaluation, Compared.TOKENS))
        for cell in {**a.completions, **b.completions}
    ]


def _pair(cell: Cell, a: Contents, b: Contents, categories: Mapping[str, str], compared: Compared) -> CellPair:
    sides = [side for side in (a, b) if cell in side.completions]
    judges = sorted({judge for side in sides for judge in side.manifest.judges})
    verdicts = {
        judge: [side.verdicts[cell, judge] for side in sides if (cell, judge) in side.verdicts] for judge in judges
    }
    answers = [side.judging[cell, judge] for side in sides for judge in judges if (cell, judge) in side.judging]
    return CellPair(
        cell=cell,
        kinds=tuple(side.manifest.evaluations[cell.evaluation].kind for side in sides),
        compared=compared,
        can_be_cut_off=all(side.can_be_cut_off(cell) for side in sides),
        categories=categories if len(sides) == 2 else {},
        completions=tuple(side.completions[cell] for side in sides),
        judged={judge: (rows[0], rows[1]) for judge, rows in verdicts.items() if len(rows) == 2},
        margins=(a.margins.get(cell, ()), b.margins.get(cell, ())),
        others=[*answers, *(rows[0] for rows in verdicts.values() if len(rows) == 1)],
    )


def _scope(a: Contents, b: Contents) -> Scope:
    judged = a.verdicts.keys() & b.verdicts.keys()
    cells = a.completions.keys() & b.completions.keys()
    return Scope(
        arms=frozenset(cell.weights.arm for cell in cells),
        evaluations=frozenset(cell.evaluation for cell in cells),
        judges=frozenset(judge for _, judge in judged),
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
