"""Rehearsing for `kit check` and `kit reproduce`: what a model sees is looked at, then one small step is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from kit.core.errors import CheckFailed

if TYPE_CHECKING:
    from pathlib import Path

    from kit.core.canonical import Json
    from kit.run.executor import Backends
    from kit.spec.manifest.load import LoadedManifest

FOLDER = "rehearsal"
"""Below a store: what was rehearsed, which a run never takes for a result."""


def rehearsed(loaded: LoadedManifest, here: dict[str, Json], store: Path, backends: Backends) -> dict[str, Json]:
    """Rehearse what is not done yet, and return what the run's record says of it.

    Args:
        loaded: a manifest that `kit check` found nothing against.
        here: this machine's environment, with the switches that will be set.
        store: folder of the run's steps.
        backends: what does the heavy work.

    Raises:
        CheckFailed: something is wrong with what the model would see.
        OperationalError: a step of the rehearsal failed.
    """
    from kit.cli.progress import shown_progress
    from kit.run.plan import make_plan
    from kit.run.preflight.prompt_preview import prompt_problems, show_prompts
    from kit.run.rehearsal import rehearse
    from kit.run.store import Store

    switches = cast("dict[str, str]", here["switches"])
    if problems := prompt_problems(loaded, show_prompts(loaded, backends, switches)):
        raise CheckFailed(problems)
    with shown_progress() as progress:
        return rehearse(
            loaded,
            make_plan(loaded, here),
            switches,
            run_store=Store(store),
            store=Store(store / FOLDER),
            backends=backends,
            progress=progress,
        ).to_json()
