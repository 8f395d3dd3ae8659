"""Whether what is read and written fits into what the model, the engine and its cache hold of one sequence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.fit.generation import MIB, cache_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kit.canonical import Json
    from kit.fit.lengths import Lengths
    from kit.fit.shape import Shape
    from kit.manifest.model import Training
    from kit.manifest.parts import EngineLimits


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


def engine_problems(shape: Shape, dtype: str, limits: EngineLimits, place: str) -> Iterator[tuple[str, str, str, bool]]:
    """Yield what keeps an engine from starting: what is wrong, what to do, the place, and whether that is certain."""
    if shape.longest and limits.max_model_len > shape.longest:
        what = f"{limits.max_model_len} is more than the model's own longest sequence, {shape.longest}"
        yield what, f"lower it to {shape.longest}", f"{place}.max_model_len", True
    if shape.block is None:
        return
    one = cache_bytes(shape.block, dtype)
    needed, given = one * limits.max_model_len, limits.kv_cache_mib * MIB
    if needed > given:
        what = (
            f"a cache of {limits.kv_cache_mib} MiB holds {given // one} tokens, less than one sequence of "
            f"max_model_len ({limits.max_model_len})"
        )
        remedy = f"raise kv_cache_mib to {-(-needed // MIB) + 1}, or lower max_model_len to {given // one}"
        yield what, remedy, f"{place}.kv_cache_mib", not shape.block.cache_is_bound


def training_notes(shape: Shape, training: Training, rows: Lengths) -> Iterator[tuple[str, str]]:
    """Yield what a training cuts off, or asks of the model that it was not made for; and what to do."""
    cut = rows.beyond(training.max_length)
    if cut and rows.is_counted and not training.packing:
        what = f"{cut} of {len(rows.each)} rows are longer than {training.max_length} tokens and are cut"
        yield what, f"the longest has {rows.longest}; raise max_length to keep it whole"
    if shape.longest and min(training.max_length, rows.longest) > shape.longest:
        what = f"rows of up to {min(training.max_length, rows.longest)} tokens are longer than the model's own longest"
        yield what, f"lower max_length to {shape.longest}"
