"""Whether a merged model computes what base and adapter compute. Imported only by a worker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from kit.run.backends.worker.jobs import JobError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kit.core.canonical import Json

ROWS, COLUMNS = 2, 16
"""How many tokens the models are shown: few enough for 7B on a processor, spread over the vocabulary."""
OF_MOVED, OF_LARGEST = 1e-3, 5e-5
"""What rounding explains: parts of what the adapter moves, and of the largest logit. In fp32 an adapter that merges
right differs by a hundredth of that; one that is not applied, by all that it moves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far logits are apart, at most over all tokens."""

    off: float
    """Between the merged model and base and adapter."""
    moved: float
    """Between base and adapter and the base alone."""
    largest: float
    """The largest logit in size."""

    @property
    def is_rounding(self) -> bool:
        """Whether what separates them is no more than rounding."""
        return self.off <= OF_MOVED * self.moved + OF_LARGEST * self.largest

    def to_json(self) -> dict[str, Json]:
        """Return the figures for a record."""
        return {"off": self.off, "moved": self.moved, "largest": self.largest}


def shown_tokens(vocabulary: int, also: Iterable[int] = ()) -> torch.Tensor:
    """Return the tokens that the models are shown: spread over the vocabulary, and some that an adapter is about."""
    count = ROWS * COLUMNS
    ids = torch.linspace(0, vocabulary - 1, count).long()
    for place, token in zip(range(1, count, 2), also, strict=False):
        ids[place] = token
    return ids.view(ROWS, COLUMNS)


def logits(model: Any, tokens: torch.Tensor) -> torch.Tensor:  # noqa: ANN401 - transformers or PEFT
    """Return a model's logits, in fp32 (rows × tokens × vocabulary)."""
    with torch.inference_mode():
        found: torch.Tensor = model(input_ids=tokens, use_cache=False).logits.float()
    return found


def require_agreement(unmerged: torch.Tensor, base: torch.Tensor, merged: torch.Tensor) -> Agreement:
    """Return how far the merged model's logits are from those of base and adapter.

    Raises:
        JobError: farther than rounding explains.
    """
    found = Agreement(
        off=float((merged - unmerged).abs().max()),
        moved=float((unmerged - base).abs().max()),
        largest=float(unmerged.abs().max()),
    )
    if not found.is_rounding:  # also where one of them is no number
        what = f"merging changes what the model computes: logits are off by {found.off:.3g}, the adapter moves them "
        what += f"by {found.moved:.3g}"
        raise JobError(what, "set finetune.serving to adapter, or convert the adapter to a plain LoRA with PEFT")
    return found
