"""Whether what is read and written fits into what the model, the engine and its cache hold of one sequence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.run.preflight.ability import division_problems
from kit.run.preflight.generation import MIB, cache_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kit.core.canonical import Json
    from kit.run.preflight.lengths import Lengths
    from kit.spec.manifest.finetune import Training
    from kit.spec.manifest.parts import EngineLimits
    from kit.spec.weights.shape import Shape


@dataclass(frozen=True, slots=True)
class Window:
    """Texts, and the most tokens that one of them may come to."""

    name: str
    """An evaluation, `NAME judged by NAME`, or `rows of NAME`."""
    place: str
    """JSON path of the limit."""
    lengths: Lengths
    more: int
    """Tokens that may be written after it."""
    limit: int
    is_refused: bool = False
    """Whether what is beyond the limit keeps a run from being done; else it is cut, or seldom comes to be."""

    @property
    def is_certain(self) -> bool:
        """Whether it is known that everything fits."""
        return self.lengths.longest + self.more <= self.limit

    @property
    def overflows(self) -> bool:
        """Whether it is known that something does not."""
        return self.lengths.is_counted and not self.is_certain

    def to_json(self) -> dict[str, Json]:
        """Return the same for machines."""
        return {
            "name": self.name,
            "longest": self.lengths.longest,
            "counted": self.lengths.is_counted,
            "more": self.more,
            "limit": self.limit,
            "beyond": self.lengths.beyond(self.limit - self.more),
            "of": len(self.lengths.each),
        }


BLOCK_TOKENS = {True: 16, False: 128}
"""Of a block of vLLM's cache, on an accelerator and on a processor: it hands out whole ones, and keeps one for itself
(`check_enough_kv_cache_memory` in its `v1/core/kv_cache_utils.py`)."""


def engine_problems(
    shape: Shape, dtype: str, limits: EngineLimits, place: str, *, on_accelerator: bool
) -> Iterator[tuple[str, str, str, bool]]:
    """Yield what keeps an engine from starting: what is wrong, what to do, the place, and whether that is certain."""
    if shape.longest and limits.max_model_len > shape.longest:
        what = f"{limits.max_model_len} is more than the model's own longest sequence, {shape.longest}"
        yield what, f"lower it to {shape.longest}", f"{place}.max_model_len", True
    for said in division_problems(shape, limits, place):
        yield *said, True
    if shape.block is None:
        return
    tokens = BLOCK_TOKENS[on_accelerator]
    block = tokens * cache_bytes(shape.block, dtype, limits)
    needed, given = block * (-(-limits.max_model_len // tokens) + 1), limits.kv_cache_mib * MIB
    if needed > given:
        held = max(0, (given // block - 1) * tokens)
        what = (
            f"a cache of {limits.kv_cache_mib} MiB holds {held} tokens, less than one sequence of "
            f"max_model_len ({limits.max_model_len})"
        )
        lower = f", or lower max_model_len to {held}" if held else ""
        remedy = f"raise kv_cache_mib to {-(-needed // MIB)}{lower}"
        yield what, remedy, f"{place}.kv_cache_mib", not shape.block.cache_is_bound


def training_notes(shape: Shape, training: Training, rows: Lengths) -> Iterator[tuple[str, str]]:
    """Yield what a training cuts off, or asks of the model that it was not made for; and what to do."""
    cut = rows.beyond(training.max_length)
    if cut and rows.is_counted and not training.packing:
        fate = "left out" if training.long_rows == "drop" else "cut"
        what = f"{cut} of {len(rows.each)} rows are longer than {training.max_length} tokens and are {fate}"
        yield what, f"the longest has {rows.longest}; raise max_length to keep it whole"
    if shape.longest and min(training.max_length, rows.longest) > shape.longest:
        what = f"rows of up to {min(training.max_length, rows.longest)} tokens are longer than the model's own longest"
        yield what, f"lower max_length to {shape.longest}"
