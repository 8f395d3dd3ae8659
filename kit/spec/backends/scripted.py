"""The tests' engine and trainer, which do by rule what the real ones do with weights."""

from __future__ import annotations

from kit.spec.backends.interface import Capabilities, EngineKind, TrainerKind

ENGINE = EngineKind(
    name="scripted-engine",
    title="scripted",
    packages=(),
    generate="kit.run.backends.generation.scripted:generate",
    show="kit.run.backends.generation.scripted:show",
    capabilities=Capabilities(
        token_ids=True, logprob_margins=True, request_seeds=True, weights_digest=True, batch_invariance=None
    ),
)
TRAINER = TrainerKind(name="scripted-trainer", packages=(), train="kit.run.backends.training.scripted:train")
