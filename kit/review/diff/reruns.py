"""Runs of one side with seeds of their own, held against where the other side's runs expect a further one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kit.review.diff.evidence import Rerun
from kit.stats.judged import judged_cells, run_tables
from kit.stats.next_run import next_run

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from kit.bundle.contents import Contents
    from kit.stats.judged import RunTable


def reruns(a: Contents, b: Contents, evaluations: Collection[str]) -> list[Rerun]:
    """Return every arm of one side, on evaluations that ask the same, whose runs the other side does not have.

    A reproducer who takes other seeds can be held to this and to nothing narrower: the prediction interval of the runs
    that were published (`kit.stats.next_run`).
    """
    one_sided = a.verdicts.keys() ^ b.verdicts.keys()
    arms = {(cell.evaluation, judge, cell.weights.arm) for cell, judge in one_sided if cell.evaluation in evaluations}
    of_a, of_b = (_tables(contents, arms) for contents in (a, b))
    return [*_expected("a", "b", of_a, of_b), *_expected("b", "a", of_b, of_a)]


def _tables(contents: Contents, arms: Collection[tuple[str, str, str]]) -> dict[tuple[str, str, str], RunTable]:
    verdicts = {
        (cell, judge): rows
        for (cell, judge), rows in contents.verdicts.items()
        if (cell.evaluation, judge, cell.weights.arm) in arms
    }
    return run_tables(judged_cells(replace(contents, verdicts=verdicts)))


def _expected(
    reference: str,
    other: str,
    known: dict[tuple[str, str, str], RunTable],
    found: dict[tuple[str, str, str], RunTable],
) -> Iterator[Rerun]:
    for key in sorted(known.keys() & found.keys()):
        evaluation, judge, arm = key
        new = [seeds for seeds in found[key].seeds if seeds not in known[key].hits]
        expected = next_run(known[key])
        if expected is None or not new:
            continue
        yield Rerun(
            arm=arm,
            evaluation=evaluation,
            judge=judge,
            reference=reference,
            other=other,
            runs=len(known[key].runs),
            expected=expected,
            rates=tuple(sum(found[key].hits[seeds]) / found[key].prompts for seeds in new),
            same_seeds=False,
        )
