"""What of a model decides how much memory it takes: its config.json and the headers of its weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.core.lenient import read_lenient_json
from kit.spec.weights.headers import Tensor, tensors_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kit.core.canonical import Json
    from kit.spec.manifest.parts import Source
    from kit.spec.manifest.places import Places

CONFIG = "config.json"
_TEXT_PARTS = ("text_config", "llm_config", "language_config")
"""Where multimodal models (Gemma 3, Llama 4, …) keep the part that reads and writes text."""
_POSITIONS = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "max_sequence_length")
"""What configurations call the longest sequence, as vLLM looks for it (its `derive_max_model_len_and_key`)."""
_MOST_SCALED = 1 << 20
"""By which no sequence is stretched: a larger factor is no factor."""
_SCALED_ALREADY = ("default", "llama3", "longrope", "su", "yarn", "deepseek_yarn")
"""Kinds of RoPE whose longest sequence needs no multiplication (vLLM's `_get_and_verify_max_len`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A decoder's repeated part, in the numbers that activations and cache are made of."""

    hidden: int
    layers: int
    attention_layers: int
    """Those that keep keys and values; fewer than `layers` in hybrids with linear attention or state spaces."""
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    """Width of the feed-forward part that one token passes: of a mixture, all experts that it is routed to."""
    vocabulary: int
    latent: int | None = None
    """Numbers a token and layer in the cache with multi-head latent attention (DeepSeek-V2, arXiv 2405.04434)."""
    cache_is_bound: bool = False
    """Whether some layers look at a window only, so that the cache can be smaller than the formula says."""
    keeps_scores: bool = False
    """Whether attention cannot be fused for training, and keeps its scores (soft-capping, as Gemma 2 has it)."""

    @property
    def query(self) -> int:
        """Width of all heads together."""
        return self.heads * self.head_dim

    @property
    def key_value(self) -> int:
        """Width of all keys, or of all values, together."""
        return self.kv_heads * self.head_dim


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One model."""

    tensors: Mapping[str, Tensor]
    block: Block | None
    """None where config.json does not tell."""
    longest: int | None
    """The longest sequence that the model was made for, in tokens; None where nobody tells."""
    tied: bool = False


def read_shape(places: Places, source: Source) -> Shape:
    """Return the shape of a model whose files are there and as they were pinned.

    Raises:
        KitError: a file is not in its format.
    """
    config = read_lenient_json(places.file(source, CONFIG)) if CONFIG in source.files else {}
    return shape_of(config, tensors_of(places, source))


def shape_of(config: Mapping[str, Json], tensors: Mapping[str, Tensor]) -> Shape:
    """Return the shape that a configuration and tensors describe; what is absent or odd is left unknown."""
    inner = next((part for name in _TEXT_PARTS if isinstance(part := config.get(name), dict)), {})
    merged = {**config, **inner}
    return Shape(
        tensors=tensors,
        block=_block(merged),
        longest=_longest(merged),
        tied=merged.get("tie_word_embeddings") is True,
    )


def _block(config: Mapping[str, Json]) -> Block | None:
    hidden, vocabulary = _number(config, "hidden_size", "n_embd", "d_model"), _number(config, "vocab_size")
    layers, heads = _number(config, "num_hidden_layers", "n_layer"), _number(config, "num_attention_heads", "n_head")
    if not (hidden and layers and heads and vocabulary):
        return None
    lora_rank, rope = _number(config, "kv_lora_rank"), _number(config, "qk_rope_head_dim")
    kinds = config.get("layer_types")
    attention = [kind for kind in kinds if "attention" in str(kind)] if isinstance(kinds, list) else []
    attention = [kind for kind in attention if "linear" not in str(kind)]
    windowed = any("full" not in str(kind) for kind in attention)
    slides = bool(config.get("sliding_window")) and config.get("use_sliding_window") is not False
    return Block(
        hidden=hidden,
        layers=layers,
        attention_layers=len(attention) or layers,
        heads=heads,
        kv_heads=_number(config, "num_key_value_heads") or heads,
        head_dim=_number(config, "head_dim") or hidden // heads,
        intermediate=_intermediate(config, hidden),
        vocabulary=vocabulary,
        latent=lora_rank + rope if lora_rank and rope else None,
        cache_is_bound=windowed or slides or len(attention) not in (0, layers),
        keeps_scores=bool(config.get("attn_logit_softcapping")),
    )


def _intermediate(config: Mapping[str, Json], hidden: int) -> int:
    dense = _number(config, "intermediate_size", "n_inner", "ffn_dim") or 4 * hidden
    routed = _number(config, "num_experts_per_tok", "num_experts_per_token")
    if not routed:
        return dense
    expert = _number(config, "moe_intermediate_size") or dense
    shared = _number(config, "n_shared_experts") or 0
    return max(dense, expert * (routed + shared)) if "moe_intermediate_size" in config else expert * (routed + shared)


def _longest(config: Mapping[str, Json]) -> int | None:
    found = [number for name in _POSITIONS if (number := _number(config, name))]
    rope = config.get("rope_parameters") or config.get("rope_scaling")
    if not found:
        return None
    scaling = rope if isinstance(rope, dict) and "gemma3" not in str(config.get("model_type")) else {}
    kind, factor = str(scaling.get("rope_type", scaling.get("type", "default"))), scaling.get("factor")
    if kind in _SCALED_ALREADY or not isinstance(factor, int | float) or not 1 < factor < _MOST_SCALED:
        return min(found)
    return int(min(found) * factor)


def _number(config: Mapping[str, Json], *names: str) -> int | None:
    """Return the first of these fields that is a positive whole number."""
    values = (config.get(name) for name in names)
    return next((value for value in values if type(value) is int and value > 0), None)
