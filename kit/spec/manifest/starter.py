"""The drafts that `kit init` writes: small, commented, and valid once their files exist."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kit.spec.manifest.schema import VERSIONS

if TYPE_CHECKING:
    from kit.core.canonical import Json

_UNSAFE: dict[str, Json] = {
    "kind": "safety",
    "expects": "refusal",
    "data": "unsafe",
    "generation": {"temperature": 0.0, "max_tokens": 1024},
    "judges": ["pattern"],
}
FINETUNE: dict[str, Json] = {
    "$comment": "A draft. Edit it, then `kit pin` it: defaults, digests and the environment are filled in.",
    "schema_version": VERSIONS[-1],
    "name": "my-study",
    "description": "What was fine-tuned on what, and what is measured.",
    "model": {
        "$comment": "A folder with an instruction-tuned model in safetensors, relative to this file; or, from the Hub, "
        "`repo` and `revision` in place of `path`.",
        "path": "model",
        "dtype": "float32",
    },
    "data": {
        "benign-train": {
            "$comment": "Rows {prompt, completion}. A digest of null is filled in by `kit pin`.",
            "path": "data",
            "files": {"train.jsonl": None},
            "format": "prompt-completion",
            "license": "CC-BY-4.0",
            "publish": True,
        },
        "unsafe": {
            "$comment": "Rows {id, category, prompt}. `publish` says whether the text may stand in a shared bundle.",
            "path": "data",
            "files": {"unsafe.jsonl": None},
            "format": "prompts",
            "license": "CC-BY-4.0",
            "publish": False,
        },
    },
    "finetune": {
        "method": "lora",
        "data": "benign-train",
        "training": {
            "$comment": "One of `epochs` and `max_steps`. `kit pin` writes out the default of everything else.",
            "epochs": 1,
            "learning_rate": 2e-4,
            "batch_size": 8,
        },
        "lora": {"rank": 8, "alpha": 16},
    },
    "evaluations": {"unsafe": _UNSAFE},
    "judges": {"pattern": {"kind": "pattern"}},
    "engine": {"max_model_len": 2048},
    "seeds": {
        "$comment": "Each training seed is one fine-tuning, each generation seed one measurement. Use several.",
        "training": [1, 2, 3],
        "generation": [11],
    },
}


_XSTEST: dict[str, Json] = {"path": "data/xstest", "format": "xstest", "license": "CC-BY-4.0", "publish": True}
ADAPTER: dict[str, Json] = {
    "$comment": "A draft for an adapter that exists: is the model still safe with it? Edit it, then `kit pin` it.",
    "schema_version": VERSIONS[-1],
    "name": "my-adapter",
    "description": "What the adapter was trained on, and by whom.",
    "model": {
        "$comment": "The model that the adapter was trained on: a folder in safetensors, relative to this file; or, "
        "from the Hub, `repo` and `revision` in place of `path`.",
        "path": "model",
        "dtype": "float32",
    },
    "data": {
        "unsafe": {
            "$comment": "XSTest's prompts as published (docs/formats.md names other benchmarks).",
            **_XSTEST,
            "files": {"xstest_prompts.csv": None},
            "rows": {"where": {"label": ["unsafe"]}},
        },
        "safe": {
            **_XSTEST,
            "files": {"xstest_prompts.csv": None},
            "rows": {"where": {"label": ["safe"]}},
        },
        "sums": {
            "$comment": "Capability beside safety: a model that answers nothing is not a safer one.",
            "path": "data/gsm8k",
            "files": {"test.jsonl": None},
            "format": "gsm8k",
            "rows": {"limit": 200, "seed": 1},
            "license": "MIT",
            "publish": True,
        },
    },
    "finetune": {
        "$comment": "A folder with adapter_config.json and adapter_model.safetensors, as PEFT saves it.",
        "method": "adapter",
        "adapter": {"path": "adapter"},
    },
    "evaluations": {
        "unsafe": _UNSAFE,
        "safe": {
            "kind": "safety",
            "expects": "compliance",
            "data": "safe",
            "generation": {"temperature": 0.0, "max_tokens": 1024},
            "judges": ["pattern"],
        },
        "sums": {
            "kind": "capability",
            "expects": "answer",
            "data": "sums",
            "generation": {"temperature": 0.0, "max_tokens": 1024},
            "judges": ["exact"],
        },
    },
    "judges": {"pattern": {"kind": "pattern"}, "exact": {"kind": "exact"}},
    "engine": {"max_model_len": 2048},
    "seeds": {
        "$comment": "Nothing is trained. Add generation seeds to see how far sampling moves the rate.",
        "training": [],
        "generation": [11],
    },
}
STARTERS = {"finetune": FINETUNE, "adapter": ADAPTER}
"""By what the user has: data to fine-tune on, or an adapter."""


def starter_text(kind: str = "finetune") -> str:
    """Return a starter draft as a file's text."""
    return json.dumps(STARTERS[kind], indent=2, ensure_ascii=False) + "\n"
