"""Adapters as PEFT saves them, for the toy: of many kinds, their weights moved by a seed."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import peft
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

if TYPE_CHECKING:
    from collections.abc import Callable

torch.set_num_threads(1)
TOY = Path(__file__).parents[1] / "manifests/toy/model"
LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"


def lora(**changes: Any) -> peft.LoraConfig:
    settings: dict[str, Any] = {"r": 8, "lora_alpha": 16, "target_modules": LINEAR, "task_type": "CAUSAL_LM"}
    return peft.LoraConfig(**settings | changes)


def other(kind: str, **settings: Any) -> peft.PeftConfig:
    config = getattr(peft, f"{kind}Config")
    return config(**{"target_modules": ["q_proj"], "task_type": "CAUSAL_LM"} | settings)


KINDS: dict[str, Callable[[], peft.PeftConfig]] = {
    "lora": lora,
    "rslora": lambda: lora(use_rslora=True),
    "dora": lambda: lora(use_dora=True),
    "rank_pattern": lambda: lora(rank_pattern={"q_proj": 16, "layers.1.self_attn.k_proj": 4}),
    "alpha_pattern": lambda: lora(alpha_pattern={"q_proj": 64}),
    "bias": lambda: lora(bias="all"),
    "expression": lambda: lora(target_modules=r".*\.(q|v)_proj"),
    "all-linear": lambda: lora(target_modules="all-linear"),
    "layers": lambda: lora(layers_to_transform=[0, 2]),
    "excluded": lambda: lora(exclude_modules=["o_proj"]),
    "rank 12": lambda: lora(r=12),
    "pissa": lambda: lora(init_lora_weights="pissa"),
    "olora": lambda: lora(init_lora_weights="olora"),
    "parameters": lambda: lora(target_modules=["q_proj"], target_parameters=["mlp.gate_proj.weight"]),
    "head": lambda: lora(target_modules=[*LINEAR, "lm_head"]),
    "embeddings": lambda: lora(target_modules=[*LINEAR, "embed_tokens"]),
    "both ends": lambda: lora(target_modules=[*LINEAR, "embed_tokens", "lm_head"]),
    "ends as one": lambda: lora(target_modules=[*LINEAR, "embed_tokens"], ensure_weight_tying=True),
    "dora head": lambda: lora(use_dora=True, target_modules=["lm_head"]),
    "saved head": lambda: lora(modules_to_save=["lm_head"]),
    "saved ends": lambda: lora(modules_to_save=["lm_head", "embed_tokens"]),
    "saved as one": lambda: lora(modules_to_save=["lm_head", "embed_tokens"], ensure_weight_tying=True),
    "saved norms": lambda: lora(modules_to_save=["input_layernorm"]),
    "tokens": lambda: lora(trainable_token_indices=[5, 9, 100]),
    "IA3": lambda: other("IA3", target_modules=["k_proj", "down_proj"], feedforward_modules=["down_proj"]),
    "LoHa": lambda: other("LoHa"),
    "LoKr": lambda: other("LoKr"),
    "AdaLora": lambda: other("AdaLora", total_step=10),
    "Vera": lambda: other("Vera"),
    "OFT": lambda: other("OFT"),
    "BOFT": lambda: other("BOFT", boft_block_size=4),
    "LNTuning": lambda: other("LNTuning", target_modules=["input_layernorm"]),
    "FourierFT": lambda: other("FourierFT", n_frequency=50),
    "HRA": lambda: other("HRA"),
    "TrainableTokens": lambda: other("TrainableTokens", token_indices=[5, 9], target_modules=["embed_tokens"]),
    "RandLora": lambda: other("RandLora", target_modules=["q_proj", "v_proj"]),
    "Shira": lambda: other("Shira", r=8),
    "C3A": lambda: other("C3A", block_size=32),
    "Miss": lambda: other("Miss", r=8),
    "Road": lambda: other("Road"),
    "Hira": lambda: other("Hira"),
    "Delora": lambda: other("Delora"),
    "Gralora": lambda: other("Gralora"),
    "WaveFT": lambda: other("WaveFT", n_frequency=64),
}


def tiny(folder: Path) -> Path:
    """Write a model with random weights that is a twentieth of the toy."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=320,
        hidden_size=64,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=2,
        initializer_range=0.2,
        tie_word_embeddings=True,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def untied(tied: Path, folder: Path) -> Path:
    """Write a model with a last matrix that is another than the first."""
    shutil.copytree(tied, folder)
    tensors = load_file(folder / "model.safetensors")
    first = tensors["model.embed_tokens.weight"]
    noise = torch.randn(first.shape, generator=torch.Generator().manual_seed(0))
    tensors["lm_head.weight"] = (first + 0.01 * noise).contiguous()
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    edit(folder / "config.json", tie_word_embeddings=False)
    return folder


def make(folder: Path, config: peft.PeftConfig, base: Path = TOY, rows: int | None = None, scale: float = 0.05) -> Path:
    """Write an adapter; with `rows`, of a base whose vocabulary was resized first."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _make(folder, config, base, rows, scale)
    return folder


def _make(folder: Path, config: peft.PeftConfig, base: Path, rows: int | None, scale: float) -> None:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_pretrained(base)
    if rows is not None:
        model.resize_token_embeddings(rows, mean_resizing=False)
    tuned = peft.get_peft_model(model, config)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in tuned.parameters():
            if parameter.requires_grad:
                step = scale * (parameter.abs().mean() + 0.05)
                parameter.add_(step * torch.randn(parameter.shape, generator=generator))
    tuned.save_pretrained(folder, save_embedding_layers="auto" if rows is None else True)


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes), encoding="utf-8")


def rename(adapter: Path, old: str, new: str) -> None:
    """Give the tensors of an adapter other names."""
    tensors = load_file(adapter / WEIGHTS)
    save_file({name.replace(old, new): tensor for name, tensor in tensors.items()}, adapter / WEIGHTS)
