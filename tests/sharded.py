"""A model's folder as the Hub has larger ones: in shards, with an index."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from safetensors.numpy import load_file, save_file

if TYPE_CHECKING:
    from pathlib import Path

INDEX = "model.safetensors.index.json"


def shard(folder: Path) -> None:
    """Split the weights of a folder into two files and an index."""
    tensors = load_file(folder / "model.safetensors")
    names = sorted(tensors)
    files = {name: f"model-0000{1 + (names.index(name) > len(names) // 2)}-of-00002.safetensors" for name in names}
    for file in set(files.values()):
        part = {name: tensors[name] for name in names if files[name] == file}
        save_file(part, folder / file, metadata={"format": "pt"})
    (folder / "model.safetensors").unlink()
    total = sum(tensor.nbytes for tensor in tensors.values())
    (folder / INDEX).write_text(json.dumps({"metadata": {"total_size": total}, "weight_map": files}), encoding="utf-8")
