"""Which weights and which cells a manifest calls for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.core.cells import BASE, ArmSeed, Cell

if TYPE_CHECKING:
    from kit.spec.manifest.load import LoadedManifest
    from kit.spec.manifest.model import Manifest


def weights_of(arm: str, manifest: Manifest) -> list[ArmSeed]:
    """Return the sets of weights of one arm: one a training seed where something is trained, else a single one."""
    trains = arm != BASE and manifest.finetune is not None and manifest.finetune.training is not None
    return [ArmSeed(arm, seed) for seed in manifest.seeds.training] if trains else [ArmSeed(arm, None)]


def planned_cells(loaded: LoadedManifest) -> list[Cell]:
    """Return every cell that a manifest calls for, in the order of their names."""
    return sorted(
        (
            Cell(weights, evaluation, seed)
            for arm, manifest in loaded.arms.items()
            for weights in weights_of(arm, manifest)
            for evaluation in manifest.evaluations
            for seed in manifest.seeds.generation
        ),
        key=str,
    )
