"""TRL, with PEFT."""

from __future__ import annotations

from kit.spec.backends.interface import TrainerKind

TRAINER = TrainerKind(
    name="trl", packages=("torch", "transformers", "peft", "trl"), train="kit.run.backends.training.trl:train"
)
