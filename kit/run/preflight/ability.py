"""What hardware and packages must be able to do: number formats, four bits, as many accelerators as are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.core.cells import BASE
from kit.core.errors import Problem, child_path
from kit.run.preflight.quantized import format_problems

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kit.run.preflight.machine import Machine
    from kit.spec.manifest.finetune import Training
    from kit.spec.manifest.load import LoadedManifest
    from kit.spec.manifest.parts import EngineLimits
    from kit.spec.weights.shape import Shape

HALF_CAPABILITY = 8.0
"""Compute capability from which NVIDIA's accelerators calculate in bfloat16 (CUDA C Programming Guide, "Compute
Capabilities"; vLLM refuses it below)."""
FOUR_BITS = "bitsandbytes"

Said = tuple[str, str, str]
"""What is wrong, what to do, and the place."""


def ability_problems(
    loaded: LoadedManifest, machine: Machine, packages: Mapping[str, str], capabilities: Sequence[float]
) -> list[Problem]:
    """Return what this machine cannot do for a manifest.

    Args:
        loaded: the manifest.
        machine: where it is to run.
        packages: installed here, name → version; nothing is said of them in an install that cannot run.
        capabilities: compute capabilities of the accelerators; empty where nobody knows.
    """
    found: list[Said] = []
    for arm, manifest in loaded.arms.items():
        training = manifest.finetune.training if manifest.finetune and arm != BASE else None
        if training:
            found += _training(training, machine, packages, capabilities)
        found += _dtype(manifest.model.dtype, capabilities, "$.model.dtype")
        found += _parallel(manifest.engine, machine, "$.engine")
    for name, judge in loaded.manifest.judges.items():
        if judge.asked:
            place = child_path("$.judges", name)
            found += _dtype(judge.asked.model.dtype, capabilities, f"{place}.model.dtype")
            found += _parallel(judge.asked.engine, machine, f"{place}.engine")
    found += format_problems(loaded, machine)
    return [Problem(str(loaded.path), *said) for said in dict.fromkeys(found)]


def _dtype(dtype: str, capabilities: Sequence[float], place: str) -> Iterator[Said]:
    if dtype == "bfloat16" and capabilities and min(capabilities) < HALF_CAPABILITY:
        what = f"an accelerator of compute capability {min(capabilities)} does not calculate in bfloat16 (8.0 does)"
        yield what, "set it to float16 or float32", place


def _training(
    training: Training, machine: Machine, packages: Mapping[str, str], capabilities: Sequence[float]
) -> Iterator[Said]:
    place = "$.finetune.training"
    yield from _dtype(training.dtype, capabilities, f"{place}.dtype")
    if training.dtype == "float16" and not machine.device.is_accelerator:
        yield "a processor does not train in float16", "set it to bfloat16 or float32", f"{place}.dtype"
    if training.quantization and "trl" in packages and FOUR_BITS not in packages:
        what = f"weights in four bits need {FOUR_BITS}, which is not installed here"
        yield what, f"install {FOUR_BITS} beside the lock, or make it null", f"{place}.quantization"
    count = training.processes or 1
    if machine.device.is_accelerator and count > machine.device.count:
        what = f"{count} processes need {count} accelerators, and there are {machine.device.count}"
        yield what, f"lower it to {machine.device.count}", f"{place}.processes"


def _parallel(limits: EngineLimits, machine: Machine, place: str) -> Iterator[Said]:
    there = machine.device.count if machine.device.is_accelerator else 0
    if limits.devices > max(1, there):
        what = (
            f"tensor_parallel_size × pipeline_parallel_size needs {limits.devices} accelerators, and there are {there}"
        )
        yield what, f"lower them to {max(1, there)} together", place


def division_problems(shape: Shape, limits: EngineLimits, place: str) -> Iterator[Said]:
    """Yield how a model cannot be divided between accelerators (vLLM's `verify_with_parallel_config`)."""
    size, block = limits.tensor_parallel_size or 1, shape.block
    if block is None:
        return
    if block.heads % size:
        what = f"{block.heads} attention heads cannot be divided by {size}"
        dividing = max(one for one in range(1, size) if block.heads % one == 0)
        yield what, f"lower it to {dividing}", f"{place}.tensor_parallel_size"
    if (limits.pipeline_parallel_size or 1) > block.layers:
        what = f"{block.layers} layers cannot be divided by {limits.pipeline_parallel_size}"
        yield what, f"lower it to {block.layers}", f"{place}.pipeline_parallel_size"


def batch_notes(training: Training, rows: int) -> Iterator[tuple[str, str, str]]:
    """Yield that the processes' last step is filled up with rows from the beginning, which accelerate does."""
    count, at_once = training.processes or 1, training.batch_size * (training.processes or 1)
    if count > 1 and rows % at_once and not training.packing:
        what = f"{rows} rows are no multiple of batch_size × processes ({at_once}): the last step sees some rows again"
        yield what, "choose a `rows.limit` that is, or other sizes", "$.finetune.training.processes"
