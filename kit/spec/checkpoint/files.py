"""Which files of a model's or an adapter's folder are read, where a manifest does not name them.

What transformers, vLLM and PEFT read of a model that reads and writes text is a short list. Everything else that lies
beside it is left out: what a trainer leaves behind, weights in other layouts, licences, pictures.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
SUFFIX = ".safetensors"
ADAPTER_WEIGHTS, ADAPTER_CONFIG = "adapter_model.safetensors", "adapter_config.json"
CONFIG, TOKENIZER_CONFIG = "config.json", "tokenizer_config.json"
SENTENCEPIECE = "tokenizer.model"
TOKENIZERS = frozenset(
    {"tokenizer.json", SENTENCEPIECE, "spiece.model", "sentencepiece.bpe.model", "vocab.json", "vocab.txt"}
)
"""Files of which one must be there to make tokens of a text (`vocab_files_names` of transformers' tokenizers)."""
PROCESSORS = frozenset({"preprocessor_config.json", "processor_config.json", "video_preprocessor_config.json"})
"""Of models that read pictures too."""
QUANTIZATION = {"hf_quant_config.json": "modelopt", "quantize_config.json": "gptq", "quant_config.json": "awq"}
"""Files that say how weights are quantized, where config.json does not (vLLM's `get_config_filenames`) → the method."""
OPTIONAL = frozenset({"generation_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.json"})
CONFIGS = OPTIONAL | PROCESSORS | QUANTIZATION.keys() | {CONFIG, TOKENIZER_CONFIG, ADAPTER_CONFIG, INDEX}
"""Small files of JSON."""
_TEMPLATE = re.compile(r"chat_template\.jinja|additional_chat_templates/[^/]+\.jinja")
_SHARD = re.compile(r"[^/]+-\d{5}-of-\d{5}\.safetensors")
PICKLES = (".bin", ".ckpt", ".pkl", ".pickle", ".pt", ".pth")
"""Run code when they are loaded, whatever they hold."""
_CODE = (*PICKLES, ".py", ".pyc", ".so", ".dll", ".dylib", ".sh")
_HARMLESS = (".json", ".jinja", ".md", ".model", SUFFIX, ".txt")
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Choice:
    """The files of a folder that are read, and the others."""

    names: tuple[str, ...]
    left: tuple[str, ...]

    def told(self) -> str:
        """Return one line that says how many are read, and what is left out."""
        return f"{len(self.names)} files; left out: {_listed(self.left) or 'none'}"


def model_files(present: Collection[str], shards: Collection[str] = ()) -> Choice:
    """Choose the files of a model.

    Args:
        present: names of all files of the folder or repository, with forward slashes.
        shards: that its index names; empty where it has none or nobody has read it yet.
    """
    weights = _weights(present, shards)
    wanted = CONFIGS | TOKENIZERS | weights | {"merges.txt"}
    if INDEX not in weights:
        wanted -= {INDEX}
    return _choice(present, {name for name in present if name in wanted or _TEMPLATE.fullmatch(name)})


def adapter_files(present: Collection[str]) -> Choice:
    """Choose the files of an adapter, as PEFT reads it; those of its tokenizer, too, which may be its own."""
    wanted = CONFIGS | TOKENIZERS | {ADAPTER_WEIGHTS, "merges.txt"}
    wanted -= {CONFIG, INDEX, "generation_config.json"}
    return _choice(present, {name for name in present if name in wanted or _TEMPLATE.fullmatch(name)})


def _weights(present: Collection[str], shards: Collection[str]) -> frozenset[str]:
    """Return one set of weights: transformers takes the single file before an index, vLLM the index, both all files."""
    if WEIGHTS in present:
        return frozenset({WEIGHTS})
    if INDEX not in present:
        return frozenset()
    return frozenset({INDEX, *(shards or (name for name in present if _SHARD.fullmatch(name)))})


def _choice(present: Collection[str], wanted: set[str]) -> Choice:
    return Choice(tuple(sorted(wanted)), tuple(sorted(set(present) - wanted)))


def _listed(names: Iterable[str]) -> str:
    """Return names in one line: what lies in folders by the folder, and no more than a person reads."""
    tops = [top + "/…" if "/" in name else name for top, (name, *_) in groupby(names, lambda name: name.split("/")[0])]
    more = len(tops) - _SHOWN
    return ", ".join(tops[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def may_run_code(name: str) -> bool:
    """Tell whether a file could run code when a folder that holds it is loaded."""
    return name.lower().endswith(_CODE)


def is_readable(name: str) -> bool:
    """Tell whether a file is of a kind that models are loaded from, or that nobody minds; the rest is not pinned."""
    return name.endswith(_HARMLESS) or "." not in name.rpartition("/")[2]
