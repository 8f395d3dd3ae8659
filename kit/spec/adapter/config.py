"""adapter_config.json, as PEFT writes it, and what in it the kit or vLLM cannot apply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kit.core.canonical import Json

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
LORA = "LORA"
MERGED = frozenset(
    {
        *(LORA, "ADALORA", "IA3", "LOHA", "LOKR", "OFT", "BOFT", "VERA", "LN_TUNING", "FOURIERFT", "HRA"),
        *("TRAINABLE_TOKENS", "RANDLORA", "SHIRA", "C3A", "MISS", "ROAD", "DELORA", "GRALORA", "WAVEFT", "HIRA"),
    }
)
"""Kinds whose merged weights were compared with PEFT's own forward (tests/test_adapter.py)."""
ENGINE_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""Ranks that vLLM reserves room for (its `MaxLoRARanks`)."""
_KNOWN = frozenset(
    {
        *("task_type", "peft_type", "auto_mapping", "peft_version", "base_model_name_or_path", "revision"),
        *("inference_mode", "r", "target_modules", "exclude_modules", "lora_alpha", "lora_dropout", "fan_in_fan_out"),
        *("bias", "use_rslora", "modules_to_save", "init_lora_weights", "layers_to_transform", "layers_pattern"),
        *("rank_pattern", "alpha_pattern", "megatron_config", "megatron_core", "trainable_token_indices"),
        *("loftq_config", "eva_config", "corda_config", "lora_ga_config", "use_dora", "qalora_group_size"),
        *("use_qalora", "layer_replication", "lora_bias", "target_parameters", "alora_invocation_tokens"),
        *("use_bdlora", "arrow_config", "kasa_config", "velora_config", "monteclora_config", "ensure_weight_tying"),
    }
)
"""Fields of a LoRA that PEFT 0.21 knows."""
_IGNORED = frozenset(
    {
        *("runtime_config", "ephemeral_gpu_offload", "enable_lora", "merge_weights"),
        *("lora_dtype", "lorap_lr_ratio", "lorap_emb_lr"),
    }
)
"""Fields that PEFT ignores and that decide nothing: ms-swift's say how fast parts are trained, the first LoRA's
`merge_weights` when they are added."""
_UNAPPLIED = {
    "layer_replication": "repeats layers of the base",
    "lora_bias": "adds a bias to each low-rank product",
    "alora_invocation_tokens": "acts only after certain tokens, so that it cannot be merged",
    "arrow_config": "chooses among several adapters for each token",
    "use_bdlora": "splits its matrices into blocks",
    "use_qalora": "pools its inputs",
    "kasa_config": "rescales its matrices",
    "monteclora_config": "draws its matrices at random",
    "megatron_config": "is made for Megatron's layers",
}
"""Fields of a LoRA that change what it computes, and that no way of serving applies."""
_PLAIN_STARTS = frozenset({"gaussian", "eva", "orthogonal", "mica", "lora_ga"})
"""Ways to draw the first weights that leave the base as it is (vLLM's `PEFTHelper`)."""
_MERGE_IT = "set finetune.serving to merged"
_RETRAIN = "merge it yourself with what trained it, and name the result as the model"


@dataclass(frozen=True, slots=True)
class AdapterConfig:
    """What an adapter says of itself; whatever has not the form that PEFT writes counts as absent, and is a problem."""

    fields: Mapping[str, Json]

    @property
    def kind(self) -> str | None:
        """PEFT's name of the method, in capitals."""
        kind = self.fields.get("peft_type")
        return kind.upper() if isinstance(kind, str) else None

    @property
    def base(self) -> str | None:
        """The base model that it was trained on, as its author's machine called it."""
        return self._text("base_model_name_or_path")

    @property
    def revision(self) -> str | None:
        """The base's revision."""
        return self._text("revision")

    @property
    def ranks(self) -> frozenset[int]:
        """Every rank that the config gives a module."""
        patterns = self.fields.get("rank_pattern")
        given = [self.fields.get("r"), *(patterns.values() if isinstance(patterns, dict) else ())]
        return frozenset(one for one in given if type(one) is int and one > 0)

    @property
    def targets(self) -> tuple[str, ...] | None:
        """Names or ends of names of modules; None where an expression, or nothing, says which."""
        return self._names("target_modules")

    @property
    def saved(self) -> tuple[str, ...]:
        """Modules of which the adapter holds the whole weights."""
        return self._names("modules_to_save") or ()

    def says(self, name: str) -> bool:
        """Tell whether a field is switched on."""
        return self.fields.get(name) not in (None, False, 0, "", "none", [], {})

    def passed_over(self, unknown: Iterable[str]) -> list[str]:
        """Return those of the fields that PEFT does not know which may decide what is computed."""
        return sorted(name for name in unknown if self.says(name) and name not in _IGNORED)

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield what no way of serving applies, and the remedy."""
        if self.kind is None:
            yield f"{CONFIG} names no peft_type", "use an adapter that PEFT saved, or convert it"
        elif self.kind not in MERGED:
            what = f"a {self.kind} adapter changes no weights that could be merged or served"
            yield what, f"the kit takes LoRA, and with serving merged {', '.join(sorted(MERGED - {LORA}))}"
        elif self.kind == LORA:
            yield from self._lora_problems()

    def _lora_problems(self) -> Iterator[tuple[str, str]]:
        for name, what in _UNAPPLIED.items():
            if self.says(name):
                yield f"{CONFIG} sets {name}: the adapter {what}, which the kit cannot apply", _RETRAIN
        if type(self.fields.get("r")) is not int or not self.ranks:
            yield f"{CONFIG} gives no rank `r`", "get the adapter's folder again, all of it"
        if unknown := self.passed_over(self.fields.keys() - _KNOWN):
            what = f"{CONFIG} sets what PEFT does not know and would leave away: {', '.join(unknown)}"
            yield what, "remove it if it says only how the adapter was trained, and pin the manifest anew"

    def engine_problems(self) -> Iterator[tuple[str, str]]:
        """Yield what vLLM cannot serve as an adapter, and the remedy."""
        if self.kind != LORA:
            yield f"vLLM serves LoRA adapters only, and this is {self.kind}", _MERGE_IT
            return
        kinds = {
            "use_dora": "DoRA",
            "modules_to_save": "whole modules",
            "bias": "biases",
            "trainable_token_indices": "rows of the embeddings",
            "target_parameters": "parameters that are no modules",
        }
        for name, what in kinds.items():
            if self.says(name):
                yield f"{CONFIG} sets {name}: vLLM serves no adapter that holds {what}", _MERGE_IT
        start = self.fields.get("init_lora_weights")
        if isinstance(start, str) and start.lower() not in _PLAIN_STARTS:
            yield f"init_lora_weights {start!r} means that the base is changed too, which vLLM does not do", _MERGE_IT
        if self.ranks and engine_rank(self.ranks) is None:
            yield f"vLLM takes ranks up to {ENGINE_RANKS[-1]}, and this has {max(self.ranks)}", _MERGE_IT

    def _text(self, name: str) -> str | None:
        value = self.fields.get(name)
        return value if isinstance(value, str) and value else None

    def _names(self, name: str) -> tuple[str, ...] | None:
        value = self.fields.get(name)
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            return None
        return tuple(dict.fromkeys(map(str, value)))


def engine_rank(ranks: frozenset[int]) -> int | None:
    """Return the room that vLLM must reserve for adapters of these ranks; None for more than it has."""
    return next((one for one in ENGINE_RANKS if one >= max(ranks)), None)
