"""How much memory it takes to merge an adapter, and to serve weights with vLLM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.run.preflight.need import Part
from kit.run.preflight.weights import BYTES, largest_tensor, lora_parameters, parameters, weights_bytes

if TYPE_CHECKING:
    from kit.spec.manifest.finetune import Lora
    from kit.spec.manifest.parts import EngineLimits
    from kit.spec.weights.shape import Block, Shape

MIB = 1 << 20
SAMPLING_BYTES = 4 + 4 + 4 + 8
"""Of a number of the logits while tokens are drawn: in fp32, as probabilities, and sorted with their places for top-p
(vLLM's `v1/sample/ops/topk_topp_sampler.py`)."""


def serving_parts(
    shape: Shape, dtype: str, limits: EngineLimits, *, longest: int, at_once: int, on_accelerator: bool
) -> tuple[Part, ...]:
    """Return what an engine takes on each device.

    Args:
        shape: the model.
        dtype: in which it computes.
        limits: the engine's.
        longest: tokens of the longest prompt.
        at_once: how many prompts there are.
        on_accelerator: there vLLM tries its largest batch before it starts; on a processor it does not.
    """
    parts = [
        Part("weights", weights_bytes(shape, dtype) // limits.devices, is_certain=True),
        Part("key-value cache", limits.kv_cache_mib * MIB, is_certain=True),
    ]
    if not on_accelerator:
        # oneDNN multiplies with a copy in an order of its own (vLLM's `dispatch_cpu_unquantized_gemm`). Of layers that
        # are nothing else the original goes; of an output layer that is the embedding too it stays, and beside both is
        # the copy that is being put in order.
        parts.append(Part("output layer packed for the processor", 2 * largest_tensor(shape) * BYTES[dtype]))
    if shape.block:
        sequences = limits.max_num_seqs if on_accelerator else min(limits.max_num_seqs, at_once)
        tokens = limits.max_num_batched_tokens
        tokens = tokens if on_accelerator else min(tokens, sequences * longest)
        # Tensor parallelism divides what a layer computes, and leaves the stream between layers whole.
        parts.append(Part("activations", tokens * token_bytes(shape.block, dtype, limits.tensor_parallel_size or 1)))
        parts.append(Part("logits", sequences * shape.block.vocabulary * (BYTES[dtype] + SAMPLING_BYTES)))
    return tuple(parts)


def token_bytes(block: Block, dtype: str, divided_by: int = 1) -> int:
    """Return what one token takes at the widest place of a layer: the stream beside it, and what goes in and out."""
    attention = 2 * block.query + 2 * block.key_value
    feed_forward = 3 * block.intermediate
    return BYTES[dtype] * (2 * block.hidden + max(attention, feed_forward) // divided_by)


def cache_bytes(block: Block, dtype: str, limits: EngineLimits | None = None) -> int:
    """Return what one token takes in the key-value cache: `2 · layers · kv_heads · head_dim` numbers.

    With tensor parallelism each accelerator has its share of the heads, one at least; with pipeline parallelism its
    share of the layers.

    With multi-head latent attention a layer keeps one latent vector. Where `block.cache_is_bound`, layers with a window
    keep less of a long sequence, and this is an upper bound.
    """
    size = (limits.tensor_parallel_size or 1) if limits else 1
    stages = (limits.pipeline_parallel_size or 1) if limits else 1
    numbers = block.latent or 2 * max(1, block.kv_heads // size) * block.head_dim
    return -(-block.attention_layers // stages) * numbers * BYTES[dtype]


def merging_parts(shape: Shape, lora: Lora | None, dtype: str) -> tuple[Part, ...]:
    """Return what merging takes of the machine's memory: everything in fp32, cast tensor by tensor, then written."""
    adapter = lora_parameters(shape, lora) * BYTES["float32"] if lora else 0
    return (
        Part("weights in fp32", weights_bytes(shape, "float32") + adapter, is_certain=True),
        Part("one tensor more", largest_tensor(shape) * (BYTES["float32"] + BYTES[dtype])),
    )


def flops_of_training(shape: Shape, tokens: int, *, is_full: bool) -> int:
    """Return the operations of training on so many tokens.

    Forward takes 2 a parameter and token, backward 4, of which 2 are for the weights' own gradients, which a frozen
    model does not need (Kaplan et al. 2020, arXiv 2001.08361, section 2.1).
    """
    return parameters(shape) * tokens * (6 if is_full else 4)
