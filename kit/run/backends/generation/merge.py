"""Merging an adapter into its base, in fp32, cast once. Imported only by a worker."""

from __future__ import annotations

import contextlib
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from kit.run.backends.generation.agreement import Agreement, logits, require_agreement, shown_tokens
from kit.run.backends.generation.applying import applied, say_whether_tied, untie
from kit.run.backends.generation.saving import save_model

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def merged_model(base: Path, adapter: Path, dtype: str) -> Iterator[tuple[Path, Agreement]]:
    """Write the merged model to a temporary folder, for as long as it is needed; tell how exactly it was merged.

    Merging in bf16 changes the loss, so the sum is formed in fp32 and rounded once. One model is held at a time: what
    base and adapter compute is asked before they become one.

    Raises:
        JobError: some of the adapter would not be applied, or the merged model computes something else.
    """
    with tempfile.TemporaryDirectory() as scratch:
        with applied(base, adapter) as tuned:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of ends that are no longer one, biases that stay on: the logits tell
                model, found = _merged(tuned)
            save_model(model.to(getattr(torch, dtype)), base, Path(scratch))
            del tuned, model
        yield Path(scratch), found


def _merged(tuned: Any) -> tuple[Any, Agreement]:  # noqa: ANN401 - PEFT
    tokens = shown_tokens(tuned.get_input_embeddings().weight.shape[0], _own_tokens(tuned))
    with_adapter = logits(tuned, tokens)
    with tuned.disable_adapter():
        without = logits(tuned, tokens)
    untie(tuned)
    model = tuned.merge_and_unload()
    say_whether_tied(model)
    found = require_agreement(with_adapter, without, logits(model, tokens))
    return model, found


def _own_tokens(tuned: Any) -> list[int]:  # noqa: ANN401
    """Return tokens whose rows of the embeddings the adapter has trained one by one."""
    config = tuned.peft_config["default"]
    chosen = getattr(config, "trainable_token_indices", None) or getattr(config, "token_indices", None)
    lists = chosen.values() if isinstance(chosen, dict) else [chosen or []]
    return [token for tokens in lists for token in tokens]
