"""Cells: the unit of measurement, and the names of their files."""

from __future__ import annotations

import re
from dataclasses import dataclass

NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
"""What arms, evaluations and judges may be called, so that their names can be file names everywhere."""
_SEED = "0|[1-9][0-9]*"
_CELL = re.compile(rf"({NAME.pattern})(?:@({_SEED}))?\.({NAME.pattern})@({_SEED})")

BASE = "base"
"""The arm that is not fine-tuned."""
TUNED = "tuned"
"""The fine-tuned arm as the manifest gives it; variations bear their own names."""


@dataclass(frozen=True, slots=True, order=True)
class ArmSeed:
    """One set of weights: an arm at a training seed (none for the base and for an adapter that exists)."""

    arm: str
    training_seed: int | None

    def __str__(self) -> str:
        """Return `ARM` or `ARM@SEED`."""
        return self.arm if self.training_seed is None else f"{self.arm}@{self.training_seed}"


@dataclass(frozen=True, slots=True)
class Cell:
    """One arm × training seed × evaluation × generation seed."""

    weights: ArmSeed
    evaluation: str
    generation_seed: int

    def __str__(self) -> str:
        """Return `ARM[@TRAINING_SEED].EVALUATION@GENERATION_SEED`, which is also the stem of its files."""
        return f"{self.weights}.{self.evaluation}@{self.generation_seed}"

    @classmethod
    def parse(cls, text: str) -> Cell:
        """Read what `str` wrote.

        Raises:
            ValueError: it is not the name of a cell.
        """
        match = _CELL.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not the name of a cell")
        arm, training_seed, evaluation, generation_seed = match.groups()
        weights = ArmSeed(arm, None if training_seed is None else int(training_seed))
        return cls(weights, evaluation, int(generation_seed))
