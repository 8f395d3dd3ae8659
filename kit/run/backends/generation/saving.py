"""Writing a whole model that vLLM can load, for merging and full fine-tuning. Imported only by a worker."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from transformers import GenerationConfig

if TYPE_CHECKING:
    from pathlib import Path

GENERATION = "generation_config.json"
BESIDE = frozenset(
    {
        *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
        *("tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "vocab.json", "merges.txt", "vocab.txt"),
        *("chat_template.jinja", "chat_template.json"),
        *("preprocessor_config.json", "processor_config.json", "video_preprocessor_config.json"),
    }
)
"""What is copied from the base: how texts become tokens. An index of its shards, and whatever else, is not."""


def save_model(model: Any, base: Path, folder: Path) -> None:  # noqa: ANN401 - transformers
    """Write weights and config as they are now, then the base's tokenizer, templates and generation config.

    The base's generation config may be one that transformers loads and refuses to save, such as a temperature without
    `do_sample`; it is copied, byte for byte.
    """
    model.generation_config = GenerationConfig()
    model.save_pretrained(folder)
    (folder / GENERATION).unlink(missing_ok=True)
    for file in sorted(base.iterdir()):
        if file.name in BESIDE or file.name == GENERATION:
            shutil.copyfile(file, folder / file.name)
