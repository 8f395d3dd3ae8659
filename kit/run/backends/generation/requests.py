"""What every engine does alike: which jobs share a load of it, and the seed of a request."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import xxhash

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kit.run.backends.worker.jobs import GenerationJob


def by_engine(jobs: list[GenerationJob]) -> Iterator[list[tuple[int, GenerationJob]]]:
    """Yield the jobs, each with its number, in groups that one load of an engine serves."""
    for _, group in groupby(enumerate(jobs), key=lambda numbered: _engine_key(numbered[1])):
        yield list(group)


def _engine_key(job: GenerationJob) -> tuple[object, ...]:
    """Return what decides whether two jobs may share an engine.

    Adapters of one base share it, each request naming its own; the base has an engine of its own, so that its
    numbers cannot depend on whether adapters happen to be served beside it.
    """
    if job.adapter is not None and job.serving == "adapter":
        return job.model, "adapters", job.tokenizer, job.dtype, job.limits
    return *job.weights(), job.dtype, job.limits


def request_seed(generation_seed: int, prompt_id: str) -> int:
    """Return the seed of one request, an unsigned 32-bit integer.

    One seed for all prompts would correlate their noise; the position in the list would tie them to the order.
    """
    return xxhash.xxh3_64_intdigest(f"{generation_seed}:{prompt_id}".encode()) & 0xFFFFFFFF
