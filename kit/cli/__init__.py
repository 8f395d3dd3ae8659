"""The command line: parses arguments, prints, sets the exit code. One file a command, imported when it is needed."""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kit.cli.present import as_kit_error, show_failure, show_problems
from kit.core.errors import KitError, Problem
from kit.core.version import __version__

if TYPE_CHECKING:
    from types import FrameType

    from kit.run.executor import Backends

COMMANDS = (
    *("init", "pin", "fetch", "check", "reproduce", "verify", "diff", "receipt", "report", "export", "rejudge"),
    *("redact", "attach", "extract", "environment", "keygen", "hash"),
)
"""In the order in which a user meets them."""

HELP = """Measure the safety of a fine-tuned language model so that others can check the number.

A manifest says everything that decides the result. `kit reproduce` runs it and writes a signed bundle;
`kit verify` recomputes every number in a bundle, and `kit diff` compares two.

Exit codes: 0 agrees or valid; 1 a finding (differs, tampered, invalid); 2 trouble (usage, environment).
"""


class _ReaderGoneError(Exception):
    """Nobody reads our output any more. Click would end a `BrokenPipeError` with exit code 1, which is a finding."""


class LazyGroup(click.Group):
    """Imports a command's module when the command is looked at."""

    def invoke(self, ctx: click.Context) -> object:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise _ReaderGoneError from error

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return one command."""
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f"kit.cli.{cmd_name}_command").command
        assert isinstance(command, click.Command)
        return command


@click.command(cls=LazyGroup, help=HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="kit", message="%(prog)s %(version)s")
def group() -> None:
    """Hold the commands."""


def main(backends: Backends | None = None) -> None:
    """Run the command line and end the process with the kit's exit code.

    Args:
        backends: what `kit reproduce` does the heavy work with; the real trainer and engine, unless a test has others.
    """
    _prepare_streams()
    # As a container's first process, the kit would not hear of it at all.
    signal.signal(signal.SIGTERM, _terminate)
    try:
        code = _exit_code(backends)
        sys.stdout.flush()
    except (OSError, _ReaderGoneError):
        # Nothing more can be written: whoever read our output has heard enough, or the disk is full.
        for stream in (sys.stdout, sys.stderr):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        code = 2
    sys.exit(code)


def _exit_code(backends: Backends | None) -> int:
    try:
        return int(group.main(prog_name="kit", standalone_mode=False, obj=backends) or 0)
    except (KitError, OSError) as error:
        known = as_kit_error(error)
        show_problems(known.problems)
        return known.exit_code
    except click.ClickException as error:
        if "--json" in sys.argv:
            show_failure([Problem("arguments", error.format_message(), "see --help")])
        else:
            error.show()
        return 2
    except (KeyboardInterrupt, click.Abort) as error:
        click.echo("\ninterrupted: finished steps are kept, the same command goes on from there", err=True)
        # Ending by the signal itself lets a calling shell stop too.
        number = signal.SIGTERM if isinstance(error.__cause__, _TerminatedError) else signal.SIGINT
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        return 2


class _TerminatedError(KeyboardInterrupt):
    """The user's system asks the kit to end; it does so as at the user's own interrupt."""


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise _TerminatedError


def _prepare_streams() -> None:
    """Make the standard streams take any text in every locale, and stand in for those that the caller has closed."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - open till the end
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # Windows gives a pipe the encoding of its consoles of old; None leaves what the user's locale says.
            stream.reconfigure(encoding="utf-8" if os.name == "nt" else None, errors="backslashreplace")
