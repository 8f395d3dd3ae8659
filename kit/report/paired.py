"""Before and after, prompt by prompt: one run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.report.figures import Figure, difference_strip
from kit.report.wording import p_value, points, points_range

if TYPE_CHECKING:
    from kit.report.result_types import Comparison


@dataclass(frozen=True, slots=True)
class PairedRow:
    """One run against the base's at the same generation seed."""

    weights: str
    generation_seed: int
    n: str
    difference: str
    interval: str
    p_value: str
    lost: str
    gained: str
    figure: Figure


def paired_row(comparison: Comparison) -> PairedRow:
    """Return a comparison as a reader sees it."""
    return PairedRow(
        weights=str(comparison.weights),
        generation_seed=comparison.generation_seed,
        n=f"{comparison.n:,}",
        difference=points(comparison.difference.estimate),
        interval=points_range(comparison.difference),
        p_value=p_value(comparison.p_value),
        lost=f"{comparison.only_reference:,}",
        gained=f"{comparison.only_weights:,}",
        figure=difference_strip(comparison.difference),
    )
