"""Files by fixed names that a command writes into a folder, which may be a stranger's: never through a link."""

from __future__ import annotations

import os
import shutil
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kit.bundle.files import open_file
from kit.core.digests import CHUNK_BYTES
from kit.core.errors import OperationalError, Problem
from kit.core.paths import NO_FOLLOW

if TYPE_CHECKING:
    from collections.abc import Mapping
    from io import FileIO


def write_files(files: Mapping[Path, bytes | Path], *, replace: bool) -> None:
    """Write files and tell of each, or none where one that is there would be lost.

    What a file is to hold is given as it is, or as the path of another file that holds it.

    Raises:
        OperationalError: a file is there and says something else, or is a link.
        CheckFailed: something is there that is no file.
        OSError: a file cannot be read or written.
    """
    if links := [path for path in files if path.is_symlink()]:
        what = "is a link, and what it leads to would be written"
        raise OperationalError(Problem(str(path), what, "remove it") for path in links)
    others = [path for path, content in files.items() if path.exists() and _is_other(path, content)]
    if others and not replace:
        raise OperationalError(
            Problem(str(path), "is there and says something else", "--replace replaces it") for path in others
        )
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | NO_FOLLOW
        with os.fdopen(os.open(path, flags, 0o666), "wb") as stream, _opened(content) as source:
            shutil.copyfileobj(source, stream)
        click.echo(f"{'replaced' if path in others else 'wrote'} {path}", err=True)


def _opened(content: bytes | Path) -> BytesIO | FileIO:
    return open_file(content) if isinstance(content, Path) else BytesIO(content)


def _is_other(path: Path, content: bytes | Path) -> bool:
    with open_file(path) as stream, _opened(content) as source:
        while chunk := source.read(CHUNK_BYTES):
            if stream.read(len(chunk)) != chunk:
                return True
        return stream.read(1) != b""
