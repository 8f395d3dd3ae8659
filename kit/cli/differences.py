"""How an environment differs from the pinned one, as lines on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kit.core.escaping import on_one_line

if TYPE_CHECKING:
    from kit.spec.environment.compare import Difference

SHOWN_DIFFERENCES = 12
"""How many differences of environment are listed; the rest are counted."""


def show_differences(differences: list[Difference], *, as_problems: bool) -> None:
    """Say on stderr how this environment differs from the pinned one."""
    if not differences:
        return
    effect = "with --strict this stops a run" if as_problems else "bytes may differ, a run is not stopped"
    click.echo(f"this environment differs from the pinned one ({effect}):", err=True)
    for one in differences[:SHOWN_DIFFERENCES]:
        click.echo(difference_line(one), err=True)
    if len(differences) > SHOWN_DIFFERENCES:
        click.echo(f"  and {len(differences) - SHOWN_DIFFERENCES} more (--json lists all)", err=True)


def difference_line(one: Difference) -> str:
    """Return a difference from the pinned environment on one line."""
    return f"  {one.field}: pinned {_show(one.first)}, here {_show(one.second)}"


def _show(value: object) -> str:
    return "absent" if value is None else on_one_line(str(value))
