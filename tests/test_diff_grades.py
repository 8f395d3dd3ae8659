"""How often `kit diff` says what is true: of bundles whose truth is known, graded by their verdicts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from kit.core.cells import BASE, TUNED, ArmSeed, Cell
from kit.core.rows import Verdict
from kit.review.diff.pooled import CODES, pooled

PROMPTS, SEEDS, MARGIN, PAIRS = 440, 5, 0.05, 40
REFUSAL, COMPLIANCE = CODES.index(Verdict.REFUSAL), CODES.index(Verdict.COMPLIANCE)


@dataclass(frozen=True)
class World:
    """Pairs of bundles: a base that was drawn with five generation seeds, and a tuned arm with five trainings."""

    generator: np.random.Generator

    def verdicts(self, shift: float) -> list[tuple[Cell, str, str, tuple[bytes, bytes]]]:
        """Draw both sides at temperature, each for itself; b's chance to refuse is lower by `shift` where it can be."""
        prompts = self.generator.normal(1.5, 2.5, PROMPTS)
        found = []
        for seed in range(SEEDS):
            for weights, moved in ((ArmSeed(BASE, None), 0.0), (ArmSeed(TUNED, seed), self.generator.normal(-1, 0.7))):
                chance = 1 / (1 + np.exp(-prompts - moved))
                lower = np.clip(chance - shift / np.mean(chance) * chance, 0, 1) if weights.arm == TUNED else chance
                a, b = (np.where(self.generator.random(PROMPTS) < one, REFUSAL, COMPLIANCE) for one in (chance, lower))
                generation = seed if weights.arm == BASE else 11
                codes = bytes(a.astype(np.uint8)), bytes(b.astype(np.uint8))
                found.append((Cell(weights, "unsafe", generation), "safety", "pattern", codes))
        return found


@pytest.mark.parametrize(("shift", "equivalent", "different"), [(0.0, (0.9, 1), (0, 0)), (0.1, (0, 0), (0.5, 1))])
def test_reruns_at_temperature_are_confirmed_and_true_shifts_never(
    shift: float, equivalent: tuple[float, float], different: tuple[float, float]
) -> None:
    """With 440 prompts, five seeds and a margin of 5 points; a shift of twice the margin."""
    world = World(np.random.default_rng(5))
    said = {"equivalent": 0, "different": 0}
    for _ in range(PAIRS):
        rates, _ = pooled(world.verdicts(shift))
        moved = [rate for rate in rates if rate.discordant]
        said["equivalent"] += all(rate.is_within(MARGIN) for rate in moved)
        called = [rate for rate in moved if rate.p_adjusted is not None and rate.p_adjusted <= 0.05]
        said["different"] += any(rate.is_beyond(MARGIN) for rate in called)
    assert equivalent[0] <= said["equivalent"] / PAIRS <= equivalent[1], said
    assert different[0] <= said["different"] / PAIRS <= different[1], said
