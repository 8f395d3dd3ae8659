"""Estimating for `kit check` and `kit reproduce`: for which machine, and who counts tokens."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from kit.cli.present import show_warnings
from kit.core.errors import CheckFailed, OperationalError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kit.core.canonical import Json
    from kit.core.errors import Problem
    from kit.run.executor import Backends
    from kit.run.preflight.resources import ResourceEstimate, Tokenizing
    from kit.spec.manifest.load import LoadedManifest


def require_resources(loaded: LoadedManifest, here: dict[str, Json], workspace: Path, backends: Backends) -> None:
    """Say what may not fit this machine; count tokens only where their bytes leave a doubt.

    Raises:
        CheckFailed: it does not fit.
        OperationalError: the system lacks what the packages load, or the model's tokenizer cannot be loaded.
    """
    from kit.run.preflight.ability import ability_problems
    from kit.run.preflight.machine import machine_here
    from kit.run.preflight.resources import fit

    if missing := lacking_here(loaded, here):
        raise OperationalError(missing)
    machine = machine_here(here)
    if unable := ability_problems(loaded, machine, _packages(here), capabilities(here)):
        raise CheckFailed(unable)
    found = fit(loaded, machine, workspace)
    if found.is_in_doubt:
        found = fit(loaded, machine, workspace, tokenizing(backends, here))
    show_warnings(found.warnings)
    if found.problems:
        raise CheckFailed(found.problems)


def planned_resources(
    loaded: LoadedManifest,
    here: dict[str, Json],
    accelerators_gib: Sequence[float],
    backends: Backends | None,
    *,
    is_counted: bool,
) -> ResourceEstimate:
    """Return whether it fits the accelerators that are named, this machine, or that which was pinned, in this order."""
    from kit.run.preflight.ability import ability_problems
    from kit.run.preflight.machine import machine_here, machine_pinned, machine_planned
    from kit.run.preflight.resources import fit

    machine = machine_here(here)
    if accelerators_gib:
        machine = machine_planned(accelerators_gib, machine.memory)
    elif not here["accelerators"]:
        # Whoever checks on a laptop, or before renting, wants to know of the machine that it is for.
        machine = machine_pinned(loaded.manifest.environment) or machine
    known = [] if accelerators_gib else capabilities(here)
    found = fit(loaded, machine, Path(), tokenizing(backends, here) if is_counted else None)
    found.problems = [*ability_problems(loaded, machine, _packages(here), known), *found.problems]
    return found


def lacking_here(loaded: LoadedManifest, here: dict[str, Json]) -> list[Problem]:
    """Return what this machine's operating system lacks to run a manifest."""
    from kit.run.preflight.system import system_problems

    return system_problems(loaded, _packages(here), accelerated=bool(here["accelerators"]))


def _packages(here: dict[str, Json]) -> dict[str, str]:
    return cast("dict[str, str]", here["packages"])


def capabilities(here: dict[str, Json]) -> list[float]:
    """Return the compute capabilities of this machine's accelerators, of those that the kit may use."""
    from kit.cli.environ import visible_devices
    from kit.spec.environment.hardware import compute_capabilities

    return compute_capabilities(visible_devices()) if here["accelerators"] else []


def tokenizing(backends: Backends | None, here: dict[str, Json]) -> Tokenizing | None:
    """Return who counts tokens; None in an install without the tokenizers."""
    from kit.cli.environ import inherited_variables
    from kit.run.backends.worker.process import Worker
    from kit.run.preflight.resources import Tokenizing

    if "transformers" not in _packages(here):
        return None
    worker = backends.worker if backends else Worker(inherited_variables())
    return Tokenizing(worker, cast("dict[str, str]", here["switches"]))
