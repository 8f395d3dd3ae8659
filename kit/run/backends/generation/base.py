"""Loading a base model whole, for training and merging. Imported only by a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transformers import AutoModelForCausalLM

from kit.core.errors import listed
from kit.run.backends.worker.jobs import JobError

if TYPE_CHECKING:
    from pathlib import Path


def load_base(folder: Path, **options: object) -> Any:  # noqa: ANN401 - transformers
    """Return the model of a folder, each of whose weights the folder holds.

    Args:
        folder: config and weights, of one file or in shards.
        options: as `from_pretrained` takes them.

    Raises:
        JobError: a weight is missing or has another shape; transformers would draw it at random and log a line.
    """
    model, found = AutoModelForCausalLM.from_pretrained(
        folder, use_safetensors=True, output_loading_info=True, **options
    )
    wrong = sorted({*found["missing_keys"], *(name for name, *_ in found["mismatched_keys"])})
    if wrong:
        what = f"the model's files lack {len(wrong)} of its weights, or hold them in another shape: {listed(wrong)}"
        raise JobError(what, "get the model's folder again, all of it")
    return model
