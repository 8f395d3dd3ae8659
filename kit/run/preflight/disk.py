"""How much disk a run writes to: adapters, models, merged copies, completions."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kit.run.preflight.training import number_bytes
from kit.run.preflight.weights import BYTES, lora_parameters, parameters, weights_bytes

if TYPE_CHECKING:
    from kit.core.canonical import Json
    from kit.spec.manifest.load import LoadedManifest
    from kit.spec.manifest.model import Manifest
    from kit.spec.weights.shape import Shape

MIB = 1 << 20
BASE_BYTES = 64 * MIB
"""Report, logs, verdicts and everything else that is small."""
COPIES = 3
"""Of what a bundle holds: in the store, in the folder, in the zip."""
TOKEN_BYTES = 16
"""Of a token in a completion's row: its number with a comma, and its text."""


@dataclass(frozen=True, slots=True)
class DiskUsage:
    """What one folder must hold."""

    folder: Path
    certain: int
    """In bytes: weights."""
    likely: int
    """In bytes: all of it, were every completion as long as it may be."""
    remedy: str

    @property
    def free(self) -> int:
        """In bytes."""
        return shutil.disk_usage(self.folder).free

    def to_json(self) -> dict[str, Json]:
        """Return the same for machines."""
        needed: dict[str, Json] = {"certain_bytes": self.certain, "bytes": self.likely}
        return {"folder": str(self.folder), **needed, "free_bytes": self.free}


def disk_usages(loaded: LoadedManifest, shape: Shape | None, workspace: Path, prompts: int) -> list[DiskUsage]:
    """Return what the folders of a run must hold.

    Args:
        loaded: a manifest whose files have been checked.
        shape: of its model; None for recorded answers.
        workspace: an existing folder on the disk that the run writes to.
        prompts: of all evaluations together.
    """
    weights = written_weights(loaded, shape) if shape else 0
    merged = weights_bytes(shape, loaded.manifest.model.dtype) if shape and merges(loaded) else 0
    written, temporary = BASE_BYTES + weights, Path(tempfile.gettempdir())
    free_some, larger = "free some, or choose another --out", "set TMPDIR to a larger folder"
    larger += "; in a container: docker run --tmpfs /tmp:exec,size=…"
    rows = COPIES * completion_bytes(loaded, prompts)
    if temporary.stat().st_dev == workspace.stat().st_dev:
        return [DiskUsage(workspace, written + merged, written + merged + rows, free_some)]
    return [DiskUsage(workspace, written, written + rows, free_some), DiskUsage(temporary, merged, merged, larger)]


def written_weights(loaded: LoadedManifest, shape: Shape) -> int:
    """Return the bytes of every training's weights: an adapter in each copy, a full model in the store alone."""
    seeds = len(loaded.manifest.seeds.training)
    different = {repr((one.finetune, one.data, one.model.template)): one for one in trained(loaded)}
    return seeds * sum(_one_training(shape, manifest) for manifest in different.values())


def _one_training(shape: Shape, manifest: Manifest) -> int:
    finetune = manifest.finetune
    assert finetune is not None
    assert finetune.training is not None
    if finetune.lora:
        return COPIES * lora_parameters(shape, finetune.lora) * BYTES["float32"]
    return parameters(shape) * number_bytes(finetune.training, None)


def completion_bytes(loaded: LoadedManifest, prompts: int) -> int:
    """Return the bytes of every completion, were each as long as it may be."""
    longest = max(one.generation.max_tokens for one in loaded.manifest.evaluations.values())
    sets = 1 + len(trained(loaded)) * max(1, len(loaded.manifest.seeds.training))
    return prompts * longest * TOKEN_BYTES * sets * len(loaded.manifest.seeds.generation)


def trained(loaded: LoadedManifest) -> list[Manifest]:
    """Return the manifests of the arms that are trained."""
    arms = (manifest for arm, manifest in loaded.arms.items() if arm != "base")
    return [manifest for manifest in arms if manifest.finetune and manifest.finetune.training]


def merges(loaded: LoadedManifest) -> bool:
    """Tell whether an adapter is merged into a temporary copy of the model."""
    tuned = [manifest.finetune for manifest in loaded.arms.values() if manifest.finetune]
    return any(finetune.serving == "merged" and finetune.method != "full" for finetune in tuned)
