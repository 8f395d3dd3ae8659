"""The numbers that a paper prints, held against those of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kit.core.canonical import Json
    from kit.spec.manifest.model import Expect


@dataclass(frozen=True, slots=True)
class Expected:
    """One number of a paper beside the run's own."""

    name: str
    """`ARM/EVALUATION/JUDGE/RATE`."""
    printed: float
    found: float | None
    """The mean over seeds; None when the run has no such number."""
    is_met: bool
    """Whether the two differ by no more than the margin."""


def check_expected(expect: Expect, metrics: Mapping[str, Json]) -> list[Expected]:
    """Return every expected number beside the run's, in the order of their names."""
    arms = cast("dict[str, Any]", metrics["repeats"])
    held = []
    for name, printed in sorted(expect.numbers.items()):
        arm, evaluation, judge, rate = name.split("/")
        found = arms.get(arm, {}).get(evaluation, {}).get(judge, {}).get(rate, {}).get("mean")
        is_met = found is not None and abs(found - printed) <= expect.margin
        held.append(Expected(name, printed, found, is_met))
    return held
