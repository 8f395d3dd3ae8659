"""How PEFT names the tensors of an adapter, and what wrappers around a model make of the names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

PREFIX = "base_model.model."
"""Stands before the name that a module has in the base."""
LORA_A, LORA_B, EMBEDDING_A, EMBEDDING_B = "lora_A.weight", "lora_B.weight", "lora_embedding_A", "lora_embedding_B"
MAGNITUDES = ("lora_magnitude_vector", "lora_magnitude_vector.weight")
TOKENS = "token_adapter.trainable_tokens_delta"
WHOLE = ("base_layer.weight", "weight")
"""The base's own weights, or what takes their place."""
BIASES = ("base_layer.bias", "bias")
PARTS = (LORA_A, LORA_B, EMBEDDING_A, EMBEDDING_B, *MAGNITUDES, TOKENS, *WHOLE, *BIASES)
EMBEDDINGS = frozenset({"embed_tokens", "wte", "word_embeddings", "embed_in", "tok_embeddings"})
HEADS = frozenset({"lm_head", "embed_out", "output_layer"})
"""What the first and the last matrix of a language model are called; where the two are one, the head has no tensor."""
_WRAPPERS = frozenset({"_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"})
"""What torch.compile, FSDP and activation checkpointing put into names."""
_ENCLOSING = "language_model"
"""What a model of several modalities calls the part that is a language model of its own elsewhere."""


@dataclass(frozen=True, slots=True)
class Part:
    """One tensor of an adapter: of which module, and what it is there."""

    module: str
    part: str

    @property
    def last(self) -> str:
        """The last part of the module's name."""
        return self.module.rpartition(".")[2]

    @property
    def name(self) -> str:
        """The tensor's name, as PEFT saves it."""
        return f"{PREFIX}{self.module}.{self.part}"


def parse(name: str) -> Part | None:
    """Return what a tensor is; None for a name that is not one of a LoRA, or of whole weights beside it."""
    bare = name.removeprefix(PREFIX).replace(".default.weight", ".weight").removesuffix(".default")
    for part in PARTS:
        if bare.endswith(f".{part}"):
            return Part(bare.removesuffix(f".{part}"), part)
    return None


def found_in(part: Part, modules: Container[str]) -> Part | None:
    """Return the same tensor under the name that its module has among these; None where it has none."""
    return next((Part(name, part.part) for name in _candidates(part.module) if name in modules), None)


def renamed(names: Iterable[str], modules: Container[str]) -> dict[str, str]:
    """Return those names of an adapter's tensors that PEFT would not find among a model's modules → how it would."""
    found: dict[str, str] = {}
    for name in names:
        part = parse(name)
        known = found_in(part, modules) if part else None
        if known and known.name != name:
            found[name] = known.name
    return found


def _candidates(module: str) -> Iterator[str]:
    yield module
    parts = [one for one in module.split(".") if one not in _WRAPPERS]
    bare = ".".join(parts).removeprefix(PREFIX)  # a wrapper may stand before the prefix, too
    yield bare
    yield ".".join(one for one in bare.split(".") if one != _ENCLOSING)
