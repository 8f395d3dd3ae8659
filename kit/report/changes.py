"""Can the difference be believed: each arm against the one that it changes, over all runs, and run by run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.report.figures import Figure, difference_strip
from kit.report.paired import PairedRow, paired_row
from kit.report.wording import NOTHING, p_value, points, points_range, unsigned_points

if TYPE_CHECKING:
    from kit.report.result_types import Change
    from kit.report.results import Results


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One arm against another; differences in percentage points."""

    arm: str
    reference: str
    difference: str
    interval: str
    p_value: str
    within: str
    """Whether the difference lies within the stated margin."""
    detectable: str
    runs_needed: str
    prompts_needed: str
    figure: Figure


@dataclass(frozen=True, slots=True)
class Changes:
    """The comparisons of one measure."""

    heading: str
    verdict: str
    margin: str
    """The stated margin in percentage points; empty where none is."""
    wanted: str
    """The difference that the design is asked to see, in percentage points."""
    rows: tuple[ChangeRow, ...]
    runs: tuple[PairedRow, ...]


def changes(results: Results) -> list[Changes]:
    """Return the comparisons, measure by measure."""
    found = []
    for measure in results.measures():
        rows = results.changes(measure)
        if rows:
            runs = tuple(map(paired_row, results.comparisons(measure)))
            wanted = next((unsigned_points(row.power.wanted) for row in rows if row.power), "")
            margin = "" if rows[0].margin is None else unsigned_points(rows[0].margin)
            found.append(
                Changes(measure.heading, measure.verdict.value, margin, wanted, tuple(map(_change_row, rows)), runs)
            )
    return found


def _change_row(change: Change) -> ChangeRow:
    power = change.power
    return ChangeRow(
        arm=change.arm,
        reference=change.reference,
        difference=points(change.difference.estimate),
        interval=points_range(change.difference),
        p_value=p_value(change.p_value_holm),
        within=NOTHING if change.equivalent is None else "yes" if change.equivalent else "not shown",
        detectable=unsigned_points(power.detectable) if power else NOTHING,
        runs_needed=_needed(power.training_runs_needed) if power else NOTHING,
        prompts_needed=_needed(power.prompts_needed) if power else NOTHING,
        figure=difference_strip(change.difference),
    )


def _needed(number: int | None) -> str:
    return "out of reach" if number is None else f"{number:,}"
