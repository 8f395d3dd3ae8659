"""What a run needs, as tables to read: memory by step, lengths by data set, disk by folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.core.escaping import on_one_line
from kit.run.preflight.need import in_gib

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kit.run.preflight.context import Window
    from kit.run.preflight.need import Need
    from kit.run.preflight.resources import ResourceEstimate

_MEMORY = ("step", "arms", "needs", "of", "made of")
_LENGTHS = ("texts", "longest", "with what may follow", "of", "beyond")


def render(fit: ResourceEstimate) -> str:
    """Return the tables as lines of text."""
    memory = [_MEMORY, *map(_memory_row, fit.needs)]
    lengths = [_LENGTHS, *map(_length_row, fit.windows)]
    disk = [
        f"disk: up to {in_gib(usage.likely)} in {on_one_line(str(usage.folder))}, {in_gib(usage.free)} free"
        for usage in fit.disk_usages
    ]
    counted = all(one.lengths.is_counted for one in fit.windows)
    note = (
        "tokens: counted by each model's own tokenizer"
        if counted
        else "tokens: at most, by bytes; the install for running counts them"
    )
    return "\n".join([*_table(memory), "", *_table(lengths), note, "", *disk, ""])


def _memory_row(need: Need) -> tuple[str, ...]:
    parts = sorted((part for part in need.parts if part.size), key=lambda part: -part.size)
    made_of = ", ".join(f"{part.name} {in_gib(part.size)}" for part in parts)
    count = f"{need.device.count} × " if need.device.count > 1 else ""
    device = f"{count}{in_gib(need.device.size)} ({on_one_line(need.device.name)})"
    return need.step, ", ".join(need.arms), in_gib(need.size), device, made_of


def _length_row(one: Window) -> tuple[str, ...]:
    longest = one.lengths.longest
    beyond = one.lengths.beyond(one.limit - one.more)
    sign = "" if one.lengths.is_counted else "≤ "
    return (
        one.name,
        f"{sign}{longest}",
        f"{sign}{longest + one.more}",
        str(one.limit),
        f"{sign}{beyond}" if beyond else "–",
    )


def _table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
