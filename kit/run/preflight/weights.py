"""How many bytes weights take, and how many numbers an adapter of them has."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kit.spec.manifest.finetune import Lora
    from kit.spec.weights.headers import Tensor
    from kit.spec.weights.shape import Shape

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
"""Of a number in each dtype of a manifest."""
_NOT_LINEAR = ("embed", "wte", "wpe", "lm_head", ".experts.")
"""Embeddings, the output layer, and experts, which transformers 5 keeps together in one tensor."""


def weights_bytes(shape: Shape, dtype: str) -> int:
    """Return what a model takes when it is loaded in a dtype; numbers in quantized formats stay as they are."""
    return sum(
        tensor.numbers * BYTES[dtype] if tensor.is_float else tensor.stored_bytes for tensor in _loaded(shape).values()
    )


def parameters(shape: Shape) -> int:
    """Return how many numbers a model has."""
    return sum(tensor.numbers for tensor in _loaded(shape).values())


def largest_tensor(shape: Shape) -> int:
    """Return how many numbers its largest tensor has."""
    return max((tensor.numbers for tensor in _loaded(shape).values()), default=0)


def _loaded(shape: Shape) -> Mapping[str, Tensor]:
    """Return what is kept once loaded: a tied output layer is the embedding itself, whatever the file repeats."""
    if not shape.tied:
        return shape.tensors
    kept = {name: tensor for name, tensor in shape.tensors.items() if not name.endswith("lm_head.weight")}
    return kept if len(kept) > 0 else shape.tensors


def linear_layers(shape: Shape) -> dict[str, tuple[int, int]]:
    """Return the linear layers but the output layer: name of the module → numbers that come out and go in."""
    return {
        name.removesuffix(".weight"): (tensor.dims[0], tensor.dims[1])
        for name, tensor in shape.tensors.items()
        if name.endswith(".weight") and len(tensor.dims) == 2 and not any(word in name for word in _NOT_LINEAR)
    }


def adapted_layers(shape: Shape, lora: Lora) -> dict[str, tuple[int, int]]:
    """Return the linear layers that get an adapter, by PEFT's rule: the last part of a name, or all but the output."""
    layers = linear_layers(shape)
    if isinstance(lora.target_modules, str):
        return layers
    ends = lora.target_modules
    return {name: size for name, size in layers.items() if any(f".{name}".endswith(f".{end}") for end in ends)}


def lora_parameters(shape: Shape, lora: Lora) -> int:
    """Return how many numbers an adapter has: `r (in + out)` for each layer (Hu et al. 2021, arXiv 2106.09685)."""
    return sum(lora.rank * (out + into) for out, into in adapted_layers(shape, lora).values())
