"""The real trainer and engine, where they are installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.core.errors import OperationalError

if TYPE_CHECKING:
    from kit.run.executor import Backends


def available_backends(packages: dict[str, str]) -> Backends:
    """Return the real trainer and engine.

    Raises:
        OperationalError: they are not installed.
    """
    from kit.cli.environ import inherited_variables
    from kit.run.backends.worker.process import Worker
    from kit.run.executor import Backends
    from kit.spec.backends import ENGINE, TRAINER, engines, trainers

    missing = [name for name in trainers()[TRAINER].packages if name not in packages]
    if not packages.keys() & engines()[ENGINE].packages:
        missing.append(engines()[ENGINE].packages[0])
    if missing:
        remedy = "use ./reproduce.sh, which installs them, or the container image"
        raise OperationalError.of("this environment", f"lacks what a run needs: {', '.join(missing)}", remedy)
    return Backends(worker=Worker(inherited_variables()))
