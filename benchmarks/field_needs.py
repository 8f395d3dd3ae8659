"""What the drafts of published designs need, by the kit's own estimates: memory, and hours on one accelerator.

    .venv/test/bin/python benchmarks/field_needs.py

Prints the table of docs/field.md. The shapes are those of the models' published config.json, and the sizes of data sets
those of their pages, both written down from memory and not read here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit.run.preflight.generation import cache_bytes, flops_of_training, merging_parts, serving_parts
from kit.run.preflight.need import GIB
from kit.run.preflight.training import training_parts
from kit.run.preflight.weights import parameters
from kit.spec.manifest import schema
from kit.spec.manifest.finetune import Finetune
from kit.spec.manifest.parts import EngineLimits
from kit.spec.weights.headers import Tensor
from kit.spec.weights.shape import Shape, shape_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kit.run.preflight.need import Part

FIELD = Path(__file__).parents[1] / "manifests" / "field"
OPERATIONS_A_SECOND = 1e14
"""A third of what an A100 of 80 GB does at most in bf16 (312 · 10¹²)."""
TOKENS_A_SECOND = 2000
"""That an 8B model writes in batches without compiled graphs: an assumption, not a measurement."""
WRITTEN = 256
"""Tokens of an answer, on average, of at most 512."""
MODELS = {
    "meta-llama/Llama-3.1-8B-Instruct": (4096, 14336, 32, 32, 8, 128256, 131072),
    "meta-llama/Llama-2-7b-chat-hf": (4096, 11008, 32, 32, 32, 32000, 4096),
    "mistralai/Mistral-7B-Instruct-v0.3": (4096, 14336, 32, 32, 8, 32768, 32768),
    "mistralai/Mistral-7B-Instruct-v0.2": (4096, 14336, 32, 32, 8, 32000, 32768),
    "google/gemma-2-9b-it": (3584, 14336, 42, 16, 8, 256000, 8192),
    "Qwen/Qwen2.5-7B-Instruct": (3584, 18944, 28, 28, 4, 152064, 32768),
    "sorry-bench/ft-mistral-7b-instruct-v0.2-sorry-bench-202406": (4096, 14336, 32, 32, 8, 32000, 32768),
}
"""hidden_size, intermediate_size, num_hidden_layers, num_attention_heads, num_key_value_heads, vocab_size, longest."""
ROWS = {"dolly": (15011, 200), "alpaca": (52002, 100), "gsm8k-train": (7473, 200)}
"""Rows of a data set to train on, and about how many tokens each has."""
PROMPTS = {"sorry-bench": 450, "jailbreakbench": 100, "gsm8k": 1319, "unsafe": 200, "safe": 250, "sums": 1319}


@dataclass(frozen=True)
class Needs:
    """What one draft needs."""

    training: float | None
    """GiB of an accelerator, as are the next two."""
    serving: float
    judging: float | None
    merging: float
    """GiB of the machine's memory."""
    training_hours: float
    asking_hours: float
    judging_hours: float


def shape(name: str) -> Shape:
    """Return the shape of a published model."""
    hidden, wide, layers, heads, narrow, words, longest = MODELS[name]
    head = 256 if "gemma-2-9b" in name else hidden // heads
    each: dict[str, tuple[int, ...]] = {
        "self_attn.q_proj": (heads * head, hidden), "self_attn.k_proj": (narrow * head, hidden),
        "self_attn.v_proj": (narrow * head, hidden), "self_attn.o_proj": (hidden, heads * head),
        "mlp.gate_proj": (wide, hidden), "mlp.up_proj": (wide, hidden), "mlp.down_proj": (hidden, wide),
    }  # fmt: skip
    dims = {f"layers.{n}.{part}.weight": size for n in range(layers) for part, size in each.items()}
    dims |= {"embed_tokens.weight": (words, hidden)} | ({} if "gemma" in name else {"lm_head.weight": (words, hidden)})
    config: dict[str, Any] = {
        "hidden_size": hidden, "intermediate_size": wide, "num_hidden_layers": layers, "num_attention_heads": heads,
        "num_key_value_heads": narrow, "head_dim": head, "vocab_size": words, "max_position_embeddings": longest,
    }  # fmt: skip
    return shape_of(config, {key: Tensor("BF16", size) for key, size in dims.items()})


def gib(parts: Iterable[Part]) -> float:
    """Return the sum of parts."""
    return float(sum(part.size for part in parts)) / GIB


def needs(draft: dict[str, Any]) -> Needs:
    """Return what a draft needs."""
    document: Any = schema.with_defaults(draft)[0]
    of, tune = shape(document["model"]["repo"]), document["finetune"]
    seeds, trained = document["seeds"], tune["method"] != "adapter"
    arms = 1 + len(document["variations"])
    adapter = {"adapter": {**tune["adapter"], "files": {}}} if "adapter" in tune else {}  # a draft may not know them
    finetune = Finetune.from_json({**tune, **adapter})
    sets = 1 + arms * max(1, len(seeds["training"]))
    asked = [prompts(document, one["data"]) for one in document["evaluations"].values()]
    judges = [one for one in document["judges"].values() if one["kind"] == "model"]
    judged = sum(
        prompts(document, one["data"]) * sum(document["judges"][judge]["kind"] == "model" for judge in one["judges"])
        for one in document["evaluations"].values()
    )
    questions = judged * sets * len(seeds["generation"])
    limits = EngineLimits.from_json(document["engine"])
    training_gib, operations = None, 0.0
    if trained:
        assert finetune.training is not None
        training_gib = gib(training_parts(of, finetune, finetune.training.max_length, on_accelerator=True))
        rows, length = ROWS[tune["data"]]
        for epochs in [(finetune.training.epochs or 1)] + [
            one["set"].get("/finetune/training/epochs", finetune.training.epochs) for one in document["variations"]
        ]:
            done = flops_of_training(of, rows * length * epochs, is_full=tune["method"] == "full")
            again = 2 * parameters(of) * rows * length * epochs if finetune.training.gradient_checkpointing else 0
            operations += (done + again) * len(seeds["training"])
    judge = shape(judges[0]["model"]["repo"]) if judges else None
    return Needs(
        training=training_gib,
        serving=gib(serving_parts(of, "bfloat16", limits, longest=512, at_once=500, on_accelerator=True)),
        judging=gib(
            serving_parts(
                judge, "bfloat16", EngineLimits.from_json(judges[0]["engine"]), longest=1024, at_once=500,
                on_accelerator=True,
            )
        )
        if judge
        else None,
        merging=0.0 if tune["method"] == "full" else gib(merging_parts(of, finetune.lora, "bfloat16")),
        training_hours=operations / OPERATIONS_A_SECOND / 3600,
        asking_hours=sum(asked) * sets * len(seeds["generation"]) * WRITTEN / TOKENS_A_SECOND / 3600,
        judging_hours=questions * 800 * 2 * parameters(judge) / OPERATIONS_A_SECOND / 3600 if judge else 0.0,
    )  # fmt: skip


def prompts(document: dict[str, Any], name: str) -> int:
    """Return how many prompts of a data set are asked."""
    limit = document["data"][name]["rows"]["limit"]
    return min(PROMPTS[name], limit or PROMPTS[name])


def main() -> None:
    """Print the table."""
    print("| draft | training | asking | judging | merging, in the machine | hours: training + asking + judging |")
    print("|---|---|---|---|---|---|")
    for path in sorted(FIELD.glob("*.draft.json")):
        found = needs(json.loads(path.read_text(encoding="utf-8")))
        cells = ["–" if one is None else f"{one:.0f} GiB" for one in (found.training, found.serving, found.judging)]
        cells.append(f"{found.merging:.0f} GiB" if found.merging else "–")
        hours = [found.training_hours, found.asking_hours, found.judging_hours]
        some = f"{' + '.join(f'{one:.1f}' for one in hours)} = {sum(hours):.1f}"
        cells.append(some if sum(hours) > 0.1 else f"{60 * sum(hours):.0f} minutes")
        print(f"| `{path.name.removesuffix('.draft.json')}` | {' | '.join(cells)} |")
    print()
    print("| model | parameters | cache for each token, bf16 |\n|---|---|---|")
    for name in MODELS:
        of = shape(name)
        assert of.block is not None
        print(f"| {name} | {parameters(of) / 1e9:.2f} · 10⁹ | {cache_bytes(of.block, 'bfloat16') >> 10} KiB |")


if __name__ == "__main__":
    main()
