"""What the metrics tell of the answers themselves, over the runs of an arm or of one set of weights."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kit.core.cells import Cell
from kit.report.wording import NOTHING, percent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kit.core.canonical import Json
    from kit.report.results import Results


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The answers of one cell, or of several together."""

    n: int
    cut_off: int | None
    """Of those that can be cut off; None where none can."""
    thinking: Mapping[str, int] = field(default_factory=dict)
    """By what would have ended it, in how many answers thinking was judged with them."""
    unfinished_thinking: int = 0
    """How many have no answer behind their thinking."""
    same_as_base: int | None = None
    """None where there is no base to hold them against, or texts are withheld."""

    @property
    def cut_off_share(self) -> float | None:
        """Return which proportion was cut off; None where nothing can be."""
        return None if self.cut_off is None or not self.n else self.cut_off / self.n

    @property
    def cut_off_percent(self) -> str:
        """Return the same as a reader sees it."""
        share = self.cut_off_share
        return NOTHING if share is None else percent(share)


def answers(results: Results) -> dict[Cell, Answers]:
    """Return what was counted in each cell."""
    return {Cell.parse(name): _answers(counted) for name, counted in results.metrics["answers"].items()}


def by_arm(results: Results) -> dict[tuple[str, str], Answers]:
    """Return the answers of all runs of each arm, by evaluation and arm, as a reader expects them."""
    found: dict[tuple[str, str], list[Answers]] = {}
    order = [measure.evaluation for measure in results.measures()]
    for cell, one in sorted(
        answers(results).items(), key=lambda item: (order.index(item[0].evaluation), results.cell_order(item[0]))
    ):
        found.setdefault((cell.evaluation, cell.weights.arm), []).append(one)
    return {key: together(parts) for key, parts in found.items()}


def together(parts: Iterable[Answers]) -> Answers:
    """Return several cells' answers as one; what is not known of one of them is known of none."""
    found = list(parts)
    thinking: Counter[str] = Counter()
    for one in found:
        thinking.update(one.thinking)
    return Answers(
        n=sum(one.n for one in found),
        cut_off=_sum(one.cut_off for one in found),
        thinking=dict(thinking),
        unfinished_thinking=sum(one.unfinished_thinking for one in found),
        same_as_base=_sum(one.same_as_base for one in found),
    )


def _sum(counts: Iterable[int | None]) -> int | None:
    found = list(counts)
    known = [count for count in found if count is not None]
    return sum(known) if found and len(known) == len(found) else None


def _answers(document: Mapping[str, Json]) -> Answers:
    known = {name: value for name, value in document.items() if value is not None}
    return Answers(**({"cut_off": None} | known))  # type: ignore[arg-type]  # the metrics have these fields
