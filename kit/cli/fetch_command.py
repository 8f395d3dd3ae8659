"""`kit fetch`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kit.cli.present import errors_as_json, json_option, show_json
from kit.cli.sources import is_bundle, is_paper, paper_evidence
from kit.core.errors import OperationalError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kit.core.errors import Problem
    from kit.spec.manifest.fetch import Absent
    from kit.spec.manifest.load import LoadedManifest

MB = 1_000_000


@click.command("fetch")
@click.argument("source", metavar="MANIFEST|BUNDLE|PAPER.pdf", type=click.Path(path_type=Path))
@json_option
def command(source: Path, *, as_json: bool) -> None:
    """Bring a manifest's files from the Hub, to run offline.

    The manifest may lie in a bundle or in a PDF. Asks about everything before anything is downloaded. What is there
    already and as it was pinned stays.
    """
    with errors_as_json(as_json=as_json):
        loaded = _manifest(source)
        files, size = fetched(loaded)
    cache = str(loaded.places.cache)
    if as_json:
        show_json({"ok": True, "files": files, "bytes": size, "cache": cache})
        return
    done = f"fetched {files} files, {size / MB:,.1f} MB, into {cache}" if files else "everything is here already"
    step = "check" if source.suffix == ".json" else "reproduce"
    click.echo(f"{source}: {done}; next: kit {step} {source}")


def _manifest(source: Path) -> LoadedManifest:
    """Return the manifest that is in a file, in an intact bundle, or in a PDF."""
    from kit.bundle import layout
    from kit.bundle.archive import open_bundle
    from kit.bundle.signing.integrity import check_integrity
    from kit.cli.environ import places
    from kit.spec.manifest.load import load_manifest

    if is_bundle(source):
        with open_bundle(source) as folder:
            check_integrity(folder)
            return load_manifest(folder / layout.MANIFEST, places(Path()))
    if is_paper(source):
        return paper_evidence(source).manifest
    return load_manifest(source, places(source.parent))


def fetched(loaded: LoadedManifest) -> tuple[int, int]:
    """Bring what is absent; return how many files and how many bytes.

    Raises:
        OperationalError: it cannot be had, or did not arrive as it was pinned; all problems at once.
    """
    from kit.cli.environ import hub
    from kit.spec.manifest.fetch import absent_files, fetch, preflight

    absent = absent_files(loaded)
    if not absent:
        return 0, 0
    client = hub()
    assert client is not None  # without a place for its files, nothing could be absent there
    ahead = preflight(absent, client)
    _stop_at(ahead.problems)
    count = sum(len(one.names) for one in absent)
    click.echo(f"{count} files, {ahead.size / MB:,.1f} MB, to fetch from {client.settings.endpoint}", err=True)
    _stop_at(fetch(absent, client, loaded.places, lambda text: click.echo(text, err=True)))
    return count, sum(loaded.places.file(one.named.source, name).stat().st_size for one in absent for name in one.names)


def absence_problems(loaded: LoadedManifest) -> list[Problem]:
    """Return why a manifest's files on the Hub cannot be had, or that they can and are not here yet."""
    from kit.cli.environ import hub
    from kit.spec.manifest.fetch import absent_files, preflight

    absent = absent_files(loaded)
    if not absent:
        return []
    client = hub()
    assert client is not None  # without a place for its files, nothing could be absent there
    ahead = preflight(absent, client)
    return ahead.problems or [_not_here(loaded, absent, ahead.size)]


def _not_here(loaded: LoadedManifest, absent: Sequence[Absent], size: int) -> Problem:
    from kit.core.errors import Problem

    names = ", ".join(dict.fromkeys(one.named.source.origin for one in absent))
    what = f"{sum(len(one.names) for one in absent)} files of {names} can be had and are not here, or not as pinned"
    return Problem(str(loaded.path), f"{what} ({size / MB:,.1f} MB)", f"kit fetch {loaded.path}")


def _stop_at(problems: list[Problem]) -> None:
    if problems:
        raise OperationalError(problems)
