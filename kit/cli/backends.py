"""The real trainer and engine, where they are installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from kit.core.errors import OperationalError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kit.core.canonical import Json
    from kit.run.executor import Backends


def chosen_backends(given: Backends | None, here: Mapping[str, Json]) -> Backends:
    """Return the backends that were put in place, else the real ones of this environment.

    Raises:
        OperationalError: they are not installed.
    """
    if given:
        return given
    from kit.cli.environ import inherited_variables
    from kit.run.backends.worker.process import Worker
    from kit.run.executor import Backends
    from kit.spec.backends import ENGINE, TRAINER, engines, trainers

    packages = cast("dict[str, str]", here["packages"])
    missing = [name for name in trainers()[TRAINER].packages if name not in packages]
    if not packages.keys() & engines()[ENGINE].packages:
        missing.append(engines()[ENGINE].packages[0])
    if missing:
        remedy = "use ./reproduce.sh, which installs them, or the container image"
        raise OperationalError.of("this environment", f"lacks what a run needs: {', '.join(missing)}", remedy)
    return Backends(worker=Worker(inherited_variables()))
