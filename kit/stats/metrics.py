"""Everything that `payload/metrics.json` says, in blocks with a version each (docs/numbers.md lists each number).

`kit verify` computes each block again at the version that the bundle says, on another machine, and expects the same
bytes: see `kit.stats.intervals` for what that forbids.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.stats import runs, study
from kit.stats.answers import answers
from kit.stats.measured import Measured

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kit.bundle.contents import Contents
    from kit.core.canonical import Json

VERSIONS = "versions"
"""The key of `payload/metrics.json` that is no block: it says which version each block has."""


@dataclass(frozen=True, slots=True)
class Block:
    """A part of the numbers that is computed, and can be changed, without the others."""

    name: str
    version: int
    """Raised when released rows would give another content: a number, a key or a meaning."""
    compute: Callable[[Measured], Json]


BLOCKS = (
    Block("rates", 1, runs.rates),
    Block("answers", 1, answers),
    Block("repeats", 1, runs.repeats),
    Block("run_differences", 1, runs.run_differences),
    Block("means", 2, study.means),
    Block("agreement", 1, study.run_agreement),
    Block("variance", 2, study.variance),
    Block("differences", 2, study.differences),
    Block("judge_agreement", 1, study.judge_agreement),
    Block("flags", 1, runs.flags),
)
"""Every block that this kit can compute; of several versions of one, the highest is written and the others verified."""


def current_versions() -> dict[str, int]:
    """Return the version of each block that this kit writes."""
    return {block.name: block.version for block in sorted(BLOCKS, key=lambda block: block.version)}


def compute(contents: Contents, versions: Mapping[str, int] | None = None) -> dict[str, Json]:
    """Return the document that stands in `payload/metrics.json`; its shape is in docs/numbers.md.

    Args:
        contents: the rows.
        versions: of each block that is wanted, one that `BLOCKS` has; None for those that this kit writes.

    Raises:
        CheckFailed: a verdict does not belong to its kind of evaluation.
    """
    wanted = current_versions() if versions is None else versions
    measured = Measured.of(contents)
    found = {block.name: block.compute(measured) for block in BLOCKS if wanted.get(block.name) == block.version}
    return {VERSIONS: {name: wanted[name] for name in found}, **found}
