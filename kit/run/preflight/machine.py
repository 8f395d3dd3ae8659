"""Which device a run is planned for, and the memory of the machine around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from kit.run.preflight.need import GIB, Device, Part
from kit.spec.environment.hardware import available_memory_mib

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kit.core.canonical import Json

MIB = 1 << 20
PROCESS_BYTES = 400 * MIB
"""Memory of a worker before it has loaded a model: interpreter, torch, TRL or vLLM; measured (docs/resources.md)."""
CONTEXT_BYTES = 512 * MIB
"""What a CUDA context and its kernels take of an accelerator: the usual order of magnitude, not measured here."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What a run may use."""

    device: Device
    """Where training and generation happen."""
    memory: Device
    """Where merging does; the same where there is no accelerator."""


def machine_here(environment: Mapping[str, Json]) -> Machine:
    """Return this machine: its accelerators, else the memory that is free, no more than the container's limit.

    Args:
        environment: this machine's, as `record_environment` gives it.
    """
    memory = Device("memory that is free here", available_memory_mib() * MIB, is_accelerator=False)
    return Machine(_accelerator(environment) or memory, memory)


def machine_pinned(pinned: Mapping[str, Json]) -> Machine | None:
    """Return the machine that a manifest was pinned on, if that had accelerators."""
    device = _accelerator(pinned)
    if device is None:
        return None
    platform = cast("Mapping[str, Json]", pinned["platform"])
    size = cast("int", platform["memory_mib"]) * MIB
    memory = Device("memory of the pinned machine", size, is_accelerator=False)
    return Machine(Device(f"{device.name}, as pinned", device.size, device.count), memory)


def machine_planned(gib: Sequence[float], memory: Device) -> Machine:
    """Return a machine that somebody is about to rent: accelerators of so much memory, one for each number."""
    return Machine(Device(f"{min(gib):g} GiB accelerator", int(min(gib) * GIB), len(gib)), memory)


def process_part(device: Device) -> Part:
    """Return what a process takes of a device whatever it does there."""
    if device.is_accelerator:
        return Part("CUDA context", CONTEXT_BYTES)
    return Part("process", PROCESS_BYTES, is_certain=True)


def _accelerator(environment: Mapping[str, Json]) -> Device | None:
    """Return the accelerators as one kind of device, the smallest; None where there are none of their own memory."""
    found = cast("list[dict[str, Json]]", environment["accelerators"])
    sizes = [(cast("int", one["memory_mib"]), str(one["model"])) for one in found]
    own = [(size, name) for size, name in sizes if size > 0]
    if not own:
        return None
    size, name = min(own)
    return Device(name, size * MIB, len(own))
