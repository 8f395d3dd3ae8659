"""Holds the estimates of `kit check --resources` against what `benchmarks/measured_memory.py` measured.

    .venv/test/bin/python benchmarks/estimated_memory.py measured.jsonl

Prints a table in Markdown: of each case what was measured, what is estimated, and their ratio.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit.run.preflight.generation import serving_parts
from kit.run.preflight.training import training_parts
from kit.spec.manifest.finetune import Finetune, Lora, Training
from kit.spec.manifest.parts import EngineLimits
from kit.spec.weights.headers import Tensor
from kit.spec.weights.shape import Shape, shape_of

if TYPE_CHECKING:
    from kit.run.preflight.need import Part

MIB = 1 << 20
SIZES = {
    "42M": {"hidden_size": 512, "num_hidden_layers": 8, "intermediate_size": 1408, "num_attention_heads": 8},
    "95M": {"hidden_size": 768, "num_hidden_layers": 10, "intermediate_size": 2048, "num_attention_heads": 12},
    "238M": {"hidden_size": 1024, "num_hidden_layers": 16, "intermediate_size": 2816, "num_attention_heads": 16},
}
"""As `benchmarks/measured_memory.py` has them."""
TRAINING: dict[str, Any] = {
    "epochs": None, "max_steps": 3, "learning_rate": 1e-4, "scheduler": "linear", "warmup_steps": 0,
    "optimizer": "adamw_torch", "adam_beta1": 0.9, "adam_beta2": 0.999, "adam_epsilon": 1e-8, "weight_decay": 0.0,
    "max_grad_norm": 1.0, "packing": False, "shuffle": False, "loss_on": "all", "system_prompt": None,
}  # fmt: skip
LORA: dict[str, Any] = {"rank": 8, "alpha": 16, "dropout": 0.0, "target_modules": "all-linear", "use_rslora": False}


def shape(case: dict[str, Any]) -> Shape:
    """Return the shape of a case's model, a Llama with a tied output layer."""
    size = SIZES[case["size"]]
    hidden, wide = size["hidden_size"], size["intermediate_size"]
    head = hidden // size["num_attention_heads"]
    narrow = head * (case["kv_heads"] or size["num_attention_heads"])
    dims: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (case["vocabulary"], hidden)}
    for layer in range(size["num_hidden_layers"]):
        parts: dict[str, tuple[int, ...]] = {
            "self_attn.q_proj": (hidden, hidden), "self_attn.k_proj": (narrow, hidden),
            "self_attn.v_proj": (narrow, hidden), "self_attn.o_proj": (hidden, hidden), "mlp.gate_proj": (wide, hidden),
            "mlp.up_proj": (wide, hidden), "mlp.down_proj": (hidden, wide), "input_layernorm": (hidden,),
            "post_attention_layernorm": (hidden,),
        }  # fmt: skip
        dims |= {f"model.layers.{layer}.{name}.weight": size for name, size in parts.items()}
    config = {
        **size,
        "vocab_size": case["vocabulary"],
        "num_key_value_heads": narrow // head,
        "tie_word_embeddings": True,
    }
    return shape_of(config, {name: Tensor("F32", size) for name, size in dims.items()})


def estimated(case: dict[str, Any]) -> tuple[Part, ...]:
    """Return the estimate of a case."""
    if case["kind"] == "generate":
        limits = EngineLimits(
            max_model_len=512, max_num_seqs=case["batch"], max_num_batched_tokens=512 * case["batch"],
            kv_cache_mib=case["kv_cache_mib"], enforce_eager=True, enable_prefix_caching=False,
        )  # fmt: skip
        return serving_parts(
            shape(case), case["dtype"], limits, longest=128, at_once=case["batch"], on_accelerator=False
        )
    training = TRAINING | {
        "batch_size": case["batch"], "gradient_accumulation_steps": case["accumulation"], "max_length": case["length"],
        "dtype": case["dtype"], "gradient_checkpointing": case["checkpointing"],
    }  # fmt: skip
    finetune = Finetune(
        method=case["kind"], data="rows", training=Training.from_json(training), serving="merged",
        lora=Lora.from_json(LORA) if case["kind"] == "lora" else None,
    )  # fmt: skip
    return training_parts(shape(case), finetune, case["length"], on_accelerator=False)


def main() -> None:
    """Print the table."""
    print("| model | what | batch × tokens | measured | estimated | ratio |\n|---|---|---|---|---|---|")
    for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        if "error" in case:
            continue
        parts = estimated(case)
        mib = sum(part.size for part in parts) / MIB
        options = [case["dtype"]] * (case["dtype"] != "float32") + ["checkpointing"] * case["checkpointing"]
        options += [f"vocabulary {case['vocabulary']}"] * (case["vocabulary"] != 32000)
        options += ["accumulation 2"] * (case["accumulation"] > 1) + [f"{case['kv_heads']} kv heads"] * bool(
            case["kv_heads"]
        )
        what = ", ".join([case["kind"], *options])
        cells = [case["size"], what, f"{case['batch']} × {case['length']}", f"{case['peak_mib']} MiB", f"{mib:.0f} MiB"]
        print(f"| {' | '.join(cells)} | {mib / case['peak_mib']:.2f} |")
        if "-v" in sys.argv:
            print("   ", {part.name: round(part.size / MIB) for part in parts})


if __name__ == "__main__":
    main()
