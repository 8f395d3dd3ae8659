"""What a step of a run needs of a device, part by part, and when that is too much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kit.core.canonical import Json

GIB = 1 << 30
NEAR = 0.75
"""From this share of a device on, an estimate is told: allocators keep up to a third beside it (docs/resources.md)."""
FAR = 1.5
"""From this multiple of a device on, an estimate stops a run: no measurement came out so far below its estimate
(docs/resources.md). What is known exactly stops it as soon as it alone does not fit."""


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that takes memory."""

    name: str
    size: int
    """In bytes."""
    is_certain: bool = False
    """Whether the run takes at least this, whatever its data: weights, optimizer state, a cache of a stated size."""


@dataclass(frozen=True, slots=True)
class Device:
    """Where something must fit: one accelerator, or a machine's memory."""

    name: str
    size: int
    """In bytes."""
    count: int = 1
    is_accelerator: bool = True


@dataclass(frozen=True, slots=True)
class Need:
    """What one step needs of one device."""

    step: str
    """`training`, `merging`, `asking`, or `judging by NAME`."""
    arms: tuple[str, ...]
    parts: tuple[Part, ...]
    device: Device
    is_counted: bool = True
    """Whether the lengths behind it were counted by a tokenizer; else they are bounds, and so is the estimate."""

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(part.size for part in self.parts)

    @property
    def is_near(self) -> bool:
        """Whether it may not fit."""
        return self.size > NEAR * self.device.size

    @property
    def cannot_fit(self) -> bool:
        """Whether it does not fit, by far or for certain."""
        certain = sum(part.size for part in self.parts if part.is_certain)
        return certain > self.device.size or (self.is_counted and self.size > FAR * self.device.size)

    def to_json(self) -> dict[str, Json]:
        """Return the same for machines."""
        return {
            "step": self.step,
            "arms": [*self.arms],
            "bytes": self.size,
            "parts": [{"name": part.name, "bytes": part.size, "certain": part.is_certain} for part in self.parts],
            "device": {"name": self.device.name, "bytes": self.device.size, "count": self.device.count},
            "lengths_counted": self.is_counted,
            "fits": not self.is_near,
        }


def largest(parts: tuple[Part, ...]) -> Part:
    """Return the part that takes most."""
    return max(parts, key=lambda part: part.size)


def in_gib(size: int) -> str:
    """Return a size for readers: `31.2 GiB`, small ones in MiB."""
    return f"{size / GIB:.1f} GiB" if size >= GIB else f"{size / (1 << 20):.0f} MiB"
