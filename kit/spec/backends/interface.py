"""What an engine and a trainer say of themselves. A file in this folder declares an `ENGINE`, a `TRAINER`, or both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kit.core.canonical import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What an engine can tell and hold; what it cannot, no bundle of its answers can promise."""

    token_ids: bool
    """Which tokens an answer is made of."""
    logprob_margins: bool
    """By how much each token was likelier than the next: how near an answer was to another."""
    request_seeds: bool
    """Each request has a seed of its own, so that an answer that was drawn at random repeats."""
    weights_digest: bool
    """It serves the files that the manifest pins, and nothing else."""
    batch_invariance: str | None
    """The environment variable that makes an answer independent of what else is asked; None where nothing does."""

    def to_json(self) -> dict[str, Json]:
        """Return what the record says of the engine that ran: each promise, and whether it can be made."""
        return {name: getattr(self, name) for name in UNPROMISED}


UNPROMISED: Mapping[str, str] = {
    "token_ids": "does not tell which tokens an answer is made of: a rerun can be compared by its verdicts at best.",
    "logprob_margins": "does not tell how sure the model was of a token, so not how near an answer was to another.",
    "request_seeds": "does not take a seed for each request: answers that are drawn at random do not repeat.",
    "weights_digest": "does not show which weights it serves: that they are the manifest’s is not known.",
}
"""What a report says of an engine that cannot make a promise, as it follows “The engine NAME”."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineKind:
    """What asks prompts of weights."""

    name: str
    title: str
    """As its authors write it."""
    packages: tuple[str, ...]
    """Distributions, any one of which is the engine; none where it is a part of the kit."""
    generate: str
    """`MODULE:FUNCTION` that does generation jobs in a worker; see `kit.run.backends.generation.interface`."""
    show: str
    """`MODULE:FUNCTION` that shows prompts as a model sees them, likewise."""
    capabilities: Capabilities


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainerKind:
    """What fine-tunes."""

    name: str
    packages: tuple[str, ...]
    """Distributions, all of which it needs."""
    train: str
    """`MODULE:FUNCTION` that does training jobs in a worker; see `kit.run.backends.training.interface`."""
