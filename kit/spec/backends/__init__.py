"""The engines and trainers that there are, and what each says of itself; nothing heavy is imported to know it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from kit.core.kinds import declared
from kit.spec.backends.interface import EngineKind, TrainerKind

if TYPE_CHECKING:
    from collections.abc import Mapping

TRAINER, ENGINE = "trl", "vllm"
"""What trains and what generates, unless a test puts something else in place."""


@cache
def engines() -> Mapping[str, EngineKind]:
    """Return every engine by its name."""
    return declared(__name__, "ENGINE", EngineKind)


@cache
def trainers() -> Mapping[str, TrainerKind]:
    """Return every trainer by its name."""
    return declared(__name__, "TRAINER", TrainerKind)
