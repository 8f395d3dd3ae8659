"""Several tests at once, so that the largest of many chance differences does not pass for a finding."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


LEVEL = 0.05
"""At which a difference is called one: in a family without any, the chance to call one is at most this."""


def holm_discrete(p_values: Sequence[float], attainable: Sequence[float]) -> list[float]:
    """Return the p-values adjusted within the family of those tests that could have reached `LEVEL` at all.

    A discrete test whose smallest attainable p-value is above the level cannot err there, so it need not be paid for:
    R. E. Tarone (1990), A modified Bonferroni method for discrete data, Biometrics 46:515-522. The others get 1.

    Args:
        p_values: one for each test.
        attainable: the smallest p-value that each test can give with the discordant pairs it has.
    """
    family = [index for index, smallest in enumerate(attainable) if smallest <= LEVEL]
    adjusted = [1.0] * len(p_values)
    for index, p_value in zip(family, holm([p_values[index] for index in family]), strict=True):
        adjusted[index] = p_value
    return adjusted


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the adjusted p-values, in the order given.

    S. Holm (1979), A simple sequentially rejective multiple test procedure, Scand J Stat 6:65-70. It needs no
    assumption about how the tests depend on each other, which tests on the same prompts do.
    """
    adjusted = [1.0] * len(p_values)
    running = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda index: p_values[index])):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted
