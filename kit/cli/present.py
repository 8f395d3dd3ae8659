"""What all commands print alike: problems, JSON, and the options for them."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from kit.core.errors import KitError, OperationalError, Problem
from kit.core.escaping import on_one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kit.core.canonical import Json
    from kit.report.notices import Notice
    from kit.review.verify import Verification

key_option = click.option(
    "--key",
    metavar="FILE|agent:SHA256:…",
    help="Ed25519 key to sign with: its file, or, where the SSH agent holds it, its .pub file or fingerprint.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object for machines.")


def show_problems(problems: Iterable[Problem]) -> None:
    """Print problems to stderr, a line each."""
    for problem in problems:
        click.echo("\n".join(map(on_one_line, str(problem).splitlines())), err=True)


def show_warnings(problems: Iterable[Problem]) -> None:
    """Print to stderr what may become a problem and does not stop anything, a line each."""
    for problem in problems:
        click.echo(f"note: {on_one_line(str(problem))}", err=True)


def show_notices(notices: Iterable[Notice]) -> None:
    """Print what must be known before any number, a line each."""
    for notice in notices:
        click.echo(f"{notice.severity.value}: {on_one_line(notice.line)}")


def show_verified(found: Verification) -> None:
    """Print on stderr who signed a bundle that is going to be used, and what of it was not computed again."""
    for line in (found.identity(), *found.caveats()):
        click.echo(on_one_line(line), err=True)


def show_json(document: dict[str, Json]) -> None:
    """Print one JSON object to stdout."""
    import json

    click.echo(json.dumps(document, indent=2))


def problems_json(problems: Iterable[Problem]) -> list[Json]:
    """Return problems for machines."""
    return [
        {"file": problem.where, "path": problem.path, "what": problem.what, "remedy": problem.remedy}
        for problem in problems
    ]


def show_failure(problems: Iterable[Problem]) -> None:
    """Print problems as the one JSON object of a command that could not do its work."""
    show_json({"ok": False, "problems": problems_json(problems)})


@contextmanager
def errors_as_json(*, as_json: bool) -> Iterator[None]:
    """With `--json`, print problems as the one JSON object and leave with their exit code."""
    try:
        yield
    except BrokenPipeError:
        raise
    except (KitError, OSError) as error:
        if not as_json:
            raise
        known = as_kit_error(error)
        show_failure(known.problems)
        raise SystemExit(known.exit_code) from error


def as_kit_error(error: KitError | OSError) -> KitError:
    """Return what to tell the user of a file that could not be read or written."""
    if isinstance(error, KitError):
        return error
    where = "output" if error.filename is None else os.fsdecode(error.filename)
    return OperationalError.of(
        where, f"cannot be read or written ({error.strerror})", "check name, space and permissions"
    )
