"""Progress on stderr: live on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Self

import click

if TYPE_CHECKING:
    from types import TracebackType

    from rich.progress import TaskID


class PlainProgress:
    """A line at the start and the end of each step."""

    def started(self, label: str, number: int, total: int) -> None:
        """A step begins."""
        click.echo(f"[{number}/{total}] {label} …", err=True)

    def advanced(self, label: str, done: int, total: int) -> None:
        """Say nothing: a log is read by people."""

    def finished(self, label: str, seconds: float, *, reused: bool) -> None:
        """A step's result is safe."""
        how = "done before" if reused else f"{seconds:.1f} s"
        click.echo(f"      {label}: {how}", err=True)

    def note(self, text: str) -> None:
        """Say something."""
        click.echo(text, err=True)


class RichProgress:
    """One bar for the run and one for the step that is being done."""

    def __init__(self) -> None:
        """Draw on stderr; stdout carries the result."""
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left", style="dim"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._run: TaskID | None = None
        self._step: TaskID | None = None

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Clear the bars, so that what follows stands on a clean terminal."""
        self._bars.stop()

    def started(self, label: str, number: int, total: int) -> None:
        """A step begins."""
        if self._run is None:
            self._run = self._bars.add_task("whole run", total=total)
        self._bars.update(self._run, completed=number - 1)
        self._step = self._bars.add_task(label, total=None)

    def advanced(self, label: str, done: int, total: int) -> None:  # noqa: ARG002 - the task knows its label
        """A step has come so far."""
        if self._step is not None:
            self._bars.update(self._step, completed=done, total=total)

    def finished(self, label: str, seconds: float, *, reused: bool) -> None:
        """A step's result is safe."""
        if self._step is not None:
            self._bars.remove_task(self._step)
            self._step = None
        how = "done before" if reused else f"{seconds:.1f} s"
        self._bars.console.print(f"✓ {label}: {how}", markup=False, highlight=False)

    def note(self, text: str) -> None:
        """Say something."""
        self._bars.console.print(text, markup=False, highlight=False)


def shown_progress() -> AbstractContextManager[PlainProgress | RichProgress]:
    """Return bars for a terminal, lines for a file."""
    return RichProgress() if sys.stderr.isatty() else nullcontext(PlainProgress())
