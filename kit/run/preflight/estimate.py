"""What each arm and each judge of a manifest needs of a machine."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from msgspec import structs

from kit.core.cells import BASE
from kit.run.preflight.generation import MIB, cache_bytes, merging_parts, serving_parts
from kit.run.preflight.machine import process_part
from kit.run.preflight.need import Need
from kit.run.preflight.remedies import larger_device, serving_remedy, training_remedy
from kit.run.preflight.training import training_parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kit.run.preflight.lengths import Lengths
    from kit.run.preflight.machine import Machine
    from kit.spec.manifest.finetune import Finetune, Training
    from kit.spec.manifest.judge_model import JudgeModel
    from kit.spec.manifest.load import LoadedManifest
    from kit.spec.manifest.model import Manifest
    from kit.spec.manifest.parts import EngineLimits
    from kit.spec.weights.shape import Shape


@dataclass(frozen=True, slots=True)
class Estimate:
    """One need, and what to do where it is too much."""

    need: Need
    place: str
    """JSON path of what decides it."""
    remedy: str
    """Empty where it fits."""


def arm_estimates(
    loaded: LoadedManifest,
    shape: Shape,
    machine: Machine,
    asked: Mapping[str, Lengths],
    trained: Mapping[str, Lengths],
) -> list[Estimate]:
    """Return what the arms need; arms that need the same share one estimate.

    Args:
        loaded: a manifest whose files have been checked.
        shape: of its model.
        machine: where it is to run.
        asked: arm → lengths of all its prompts.
        trained: arm → lengths of the rows that it is trained on, of those that are.
    """
    found: dict[Estimate, list[str]] = defaultdict(list)
    for arm, manifest in loaded.arms.items():
        for estimate in _of_arm(arm, manifest, shape, machine, asked[arm], trained.get(arm)):
            found[estimate].append(arm)
    return [
        replace(estimate, need=replace(estimate.need, arms=tuple(arms)))
        for estimate, arms in sorted(found.items(), key=lambda item: _ORDER.index(item[0].need.step))
    ]


_ORDER = ("training", "merging", "asking")


def _of_arm(
    arm: str, manifest: Manifest, shape: Shape, machine: Machine, asked: Lengths, trained: Lengths | None
) -> Iterator[Estimate]:
    finetune = manifest.finetune if arm != BASE else None
    if finetune and trained:
        yield _training(shape, finetune, machine, trained)
    if finetune and finetune.method != "full" and finetune.serving == "merged":
        parts = merging_parts(shape, finetune.lora, manifest.model.dtype)
        need = Need("merging", (), (*parts, process_part(machine.memory)), machine.memory)
        remedy = f"set finetune.serving to adapter, or {larger_device(need)}" if need.is_near else ""
        yield Estimate(need, "$.finetune.serving", remedy)
    yield _serving("asking", "engine", shape, manifest.model.dtype, manifest.engine, machine, asked)


def _training(shape: Shape, finetune: Finetune, machine: Machine, rows: Lengths) -> Estimate:
    training = finetune.training
    assert training is not None
    device = machine.device

    def need(changed: Training) -> Need:
        length = changed.max_length if changed.packing else min(changed.max_length, rows.longest)
        of = structs.replace(finetune, training=changed)
        parts = training_parts(shape, of, length, on_accelerator=device.is_accelerator)
        parts = (*parts, process_part(device))
        # Processes without accelerators share one memory.
        shared = 1 if device.is_accelerator else changed.processes or 1
        parts = tuple(replace(part, size=part.size * shared) for part in parts)
        return Need("training", (), parts, device, rows.is_counted or changed.packing)

    now = need(training)
    return Estimate(
        now,
        "$.finetune.training",
        training_remedy(need, training, can_quantize=finetune.lora is not None) if now.is_near else "",
    )


def judge_estimate(name: str, judge: JudgeModel, shape: Shape, machine: Machine, asked: Lengths) -> Estimate:
    """Return what the model of a judge needs."""
    place = f"judges.{name}.engine"
    return _serving(f"judging by {name}", place, shape, judge.model.dtype, judge.engine, machine, asked)


def _serving(
    step: str, place: str, shape: Shape, dtype: str, limits: EngineLimits, machine: Machine, asked: Lengths
) -> Estimate:
    device = machine.device

    def need(changed: EngineLimits) -> Need:
        longest = min(asked.longest, changed.max_model_len)
        at_once, accelerated = len(asked.each), device.is_accelerator
        parts = serving_parts(shape, dtype, changed, longest=longest, at_once=at_once, on_accelerator=accelerated)
        return Need(step, (), (*parts, process_part(device)), device, asked.is_counted or accelerated)

    # One block more than a sequence takes is the least: 256 tokens are more than any block.
    least = (
        -(-cache_bytes(shape.block, dtype, limits) * (limits.max_model_len + 256) // MIB)
        if shape.block
        else limits.kv_cache_mib
    )
    heads = shape.block.heads if shape.block else 1
    now = need(limits)
    return Estimate(now, f"$.{place}", serving_remedy(need, limits, least, heads, place) if now.is_near else "")
