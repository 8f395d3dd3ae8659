"""Environment variables that decide how sums are formed, and those that keep a run to itself.

They only work before an import, so they are set in the environment of the fresh process that trains or generates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

THREADS = "OMP_NUM_THREADS"
"""How many threads form a sum on a processor: another number may split it otherwise."""
ANYWHERE = {
    THREADS: "1",
    "PYTHONHASHSEED": "0",  # adapter_config.json lists a set
    "TORCHDYNAMO_DISABLE": "1",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
}
"""Pinned in a manifest, on every machine; threads as many as there are cores to use."""
ON_A_GPU = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8", "VLLM_BATCH_INVARIANT": "1"}
"""Pinned as well where there is an accelerator; the second crashes vLLM on a processor."""

ISOLATION = {
    "DO_NOT_TRACK": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_VERBOSITY": "error",
    "VLLM_HOST_IP": "127.0.0.1",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",
}
"""Not part of the experiment: no telemetry, no downloads behind the manifest's back, quiet logs."""


def default_switches(*, accelerated: bool, threads: int) -> dict[str, str]:
    """Return the switches that `kit pin` writes into a manifest.

    Args:
        accelerated: whether there is an accelerator.
        threads: how many can work at the same time on this machine.
    """
    return {**ANYWHERE, THREADS: str(threads), **(ON_A_GPU if accelerated else {})}


def effective_switches(pinned: Mapping[str, str], *, accelerated: bool) -> dict[str, str]:
    """Return the pinned switches less those that this machine cannot bear."""
    return {name: value for name, value in pinned.items() if accelerated or name not in ON_A_GPU}
