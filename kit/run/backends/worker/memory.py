"""Telling a want of memory from every other failure. Used inside a worker, by whatever allocates there."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from kit.run.backends.worker.jobs import JobMemoryError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TRAINING = (
    "lower finetune.training.batch_size and raise gradient_accumulation_steps by the same factor, "
    "set gradient_checkpointing, or lower max_length"
)
ENGINE = "lower engine.kv_cache_mib, max_num_seqs or max_num_batched_tokens"
SAID = (
    "out of memory",  # torch and CUDA
    "can't allocate memory",  # torch on a processor
    "CUBLAS_STATUS_ALLOC_FAILED",
    "Available memory on node",  # vLLM on a processor
    "Free memory on device",  # vLLM on an accelerator, here and below
    "GiB) exceed the desired GPU memory",
    "No available memory for the cache blocks",
    "KV cache is needed",
)
"""By which these libraries can be told to want memory: they share no class of error."""


@contextlib.contextmanager
def fitting(jobs: Sequence[int], remedy: str) -> Iterator[None]:
    """Give up these jobs, and only these, when what is done here does not fit into memory.

    Raises:
        JobMemoryError: in place of the error that said so.
    """
    try:
        yield
    except (MemoryError, RuntimeError, ValueError) as error:  # torch.OutOfMemoryError is a RuntimeError
        if not isinstance(error, MemoryError) and not any(words in str(error) for words in SAID):
            raise
        raise JobMemoryError(jobs, remedy) from error
