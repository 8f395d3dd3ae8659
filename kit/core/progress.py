"""How a run tells where it is. The command line draws it; the core only calls it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Follows a run, step by step."""

    def started(self, label: str, number: int, total: int) -> None:
        """A step begins; `number` counts from 1 to `total` over the whole run."""

    def advanced(self, label: str, done: int, total: int) -> None:
        """A step has come so far: optimizer steps or prompts."""

    def finished(self, label: str, seconds: float, *, reused: bool) -> None:
        """A step's result is safe; `reused` says that it was there already."""

    def note(self, text: str) -> None:
        """Say something that a reader of the terminal should know."""
