"""Which rows a training has seen, in the order in which it saw them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def seen(drawn: Sequence[int], rows: int, *, batch: int, processes: int, accumulated: int, steps: int) -> list[int]:
    """Return the rows of the steps that were done.

    What was drawn is more: a loader fetches batches before they are used. An epoch's last step has fewer batches where
    they do not come out even, and its last batch fewer rows; several processes fill theirs up from the beginning of the
    epoch (accelerate's `BatchSamplerShard`).

    Args:
        drawn: numbers of rows as the sampler gave them, epoch by epoch.
        rows: how many there are in an epoch.
        batch: rows of a process at a time.
        processes: that share each step.
        accumulated: batches of a process in a step.
        steps: of the optimizer.
    """
    found: list[int] = []
    width = batch * processes
    for start in range(0, len(drawn), rows):
        epoch = drawn[start : start + rows]
        size = -(-len(epoch) // width) * width if processes > 1 else len(epoch)
        filled = [epoch[place % len(epoch)] for place in range(size)]
        of_step = [filled[first : first + width * accumulated] for first in range(0, size, width * accumulated)]
        found += [row for step in of_step[:steps] for row in step]
        steps -= min(steps, len(of_step))
    return found
