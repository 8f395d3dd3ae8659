"""What to lower so that a step fits, and to what value: each suggestion was estimated and would fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from kit.run.preflight.need import GIB, NEAR
from kit.spec.manifest.finetune import Quantization

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from kit.run.preflight.need import Need
    from kit.spec.manifest.finetune import Training
    from kit.spec.manifest.parts import EngineLimits

MIB = 1 << 20
SHOWN = 2
"""How many ways out are named."""
BATCH = "lower finetune.training.batch_size from {} to {} and raise gradient_accumulation_steps from {} to {}"
SAME = " (the same effective batch)"
CHECKPOINTING = "set finetune.training.gradient_checkpointing"
HALF = "set finetune.training.dtype to bfloat16"
FOUR_BITS = 'set finetune.training.quantization to {"kind": "nf4"}'
LENGTH = "lower finetune.training.max_length from {} to {}"


def training_remedy(need: Callable[[Training], Need], training: Training, *, can_quantize: bool) -> str:
    """Return what to change of a training that does not fit.

    Args:
        need: what a training with these values would need.
        training: the one that does not fit.
        can_quantize: whether its weights are frozen, so that they could be kept in four bits.
    """
    found = [
        next((said for said, changed in group if _fits(need(changed))), "")
        for group in _changes(training, can_quantize=can_quantize)
    ]
    return ", or ".join([*filter(None, found)][:SHOWN]) or larger_device(need(_smallest(training)))


def _changes(training: Training, *, can_quantize: bool) -> Iterator[Iterable[tuple[str, Training]]]:
    """Yield kinds of change, those that leave the result nearest to what it was first; of each the mildest first."""
    lighter = replace(training, gradient_checkpointing=True)
    half = replace(lighter, dtype="bfloat16")
    if not training.gradient_checkpointing:
        yield [(CHECKPOINTING, lighter)]
    yield _smaller_batches(training, "")
    if not training.gradient_checkpointing:
        yield _smaller_batches(lighter, f", and {CHECKPOINTING}")
    if can_quantize and training.quantization is None:
        small = replace(lighter, quantization=Quantization(kind="nf4", double=True))
        yield [(f"{FOUR_BITS}, and {CHECKPOINTING}", small)]
    lengths = [length for length in (2048, 1024, 512, 256) if length < training.max_length]
    yield [(LENGTH.format(training.max_length, one), replace(training, max_length=one)) for one in lengths]
    if training.dtype == "float32":
        yield [(HALF, replace(training, dtype="bfloat16")), (f"{HALF}, and {CHECKPOINTING}", half)]
        yield _smaller_batches(half, f", {HALF}, and {CHECKPOINTING}")


def _smaller_batches(training: Training, more: str) -> Iterator[tuple[str, Training]]:
    """Yield batches of the same effect, the largest first."""
    batch, steps = training.batch_size, training.gradient_accumulation_steps
    for smaller in range(batch // 2, 0, -1):
        if batch % smaller == 0:
            more_steps = steps * batch // smaller
            said = BATCH.format(batch, smaller, steps, more_steps) + SAME + more
            yield said, replace(training, batch_size=smaller, gradient_accumulation_steps=more_steps)


def _smallest(training: Training) -> Training:
    return replace(training, batch_size=1, gradient_checkpointing=True)


def serving_remedy(
    need: Callable[[EngineLimits], Need], limits: EngineLimits, cache_mib: int, heads: int, place: str
) -> str:
    """Return what to change of an engine that does not fit.

    Args:
        need: what an engine with these limits would need.
        limits: those that do not fit.
        cache_mib: the least cache that holds one sequence of `max_model_len`.
        heads: of the model's attention, which tensor parallelism must divide.
        place: where they stand in the manifest, such as `engine`.
    """
    over = need(limits).size - int(NEAR * need(limits).device.size)
    smaller = limits.kv_cache_mib - -(-over // MIB)
    changes = [
        (
            f"lower {place}.kv_cache_mib from {limits.kv_cache_mib} to {smaller}",
            replace(limits, kv_cache_mib=smaller),
            smaller >= max(1, cache_mib),
        ),
        (
            f"lower {place}.max_num_batched_tokens from {limits.max_num_batched_tokens} to {limits.max_model_len}",
            replace(limits, max_num_batched_tokens=limits.max_model_len),
            limits.max_model_len < limits.max_num_batched_tokens,
        ),
    ]
    size = limits.tensor_parallel_size or 1
    changes += [
        (
            f"raise {place}.tensor_parallel_size from {size} to {more}",
            replace(limits, tensor_parallel_size=more),
            more > size and heads % more == 0,
        )
        for more in range(need(limits).device.count, 1, -1)
    ]
    found = [said for said, changed, is_possible in changes if is_possible and _fits(need(changed))]
    least = replace(limits, kv_cache_mib=max(1, cache_mib), max_num_batched_tokens=limits.max_model_len)
    return ", or ".join(found) or larger_device(need(least))


def larger_device(least: Need) -> str:
    """Return how large a device must be for what cannot be lowered further."""
    gib = -(-int(least.size / NEAR) // GIB)
    return f"use a device with at least {gib} GiB" if least.device.is_accelerator else f"free {gib} GiB of memory"


def _fits(need: Need) -> bool:
    return not need.is_near
