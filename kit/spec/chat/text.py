"""The text of a model's chat template, wherever its folder keeps it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.core.errors import CheckFailed, KitError
from kit.core.lenient import read_lenient_json
from kit.core.paths import read_at_most

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAX_BYTES = 1 << 20
"""Longest template that is read; the longest of the field has some ten pages."""
_FILE = "chat_template.jinja"
_IN_JSON = ("chat_template.json", "tokenizer_config.json")
"""Older places: what processors were saved with, and the tokenizer's own configuration."""


def template_text(files: Mapping[str, Path]) -> str | None:
    """Return the chat template that a model's folder brings, as transformers would choose it; None where it has none.

    Args:
        files: of the folder, by name.

    Raises:
        CheckFailed: it is no text, or far too long.
        OperationalError: it cannot be read.
    """
    if _FILE in files:
        return read_template_file(files[_FILE])
    for name in _IN_JSON:
        if name in files and (text := _in_json(files[name])):
            return text
    return None


def read_template_file(path: Path) -> str:
    """Return a template that is a file of its own, with the line ends that transformers gives it.

    Raises:
        CheckFailed: it is not UTF-8, or far too long.
        OperationalError: it cannot be read.
    """
    data = read_at_most(path, MAX_BYTES, "a template is a few pages of text")
    try:
        return data.decode().replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise CheckFailed.of(path, "is not UTF-8", "save the file as UTF-8") from error


def _in_json(path: Path) -> str | None:
    try:
        given = read_lenient_json(path).get("chat_template")
    except KitError:
        return None
    if isinstance(given, list):
        named = {entry.get("name"): entry.get("template") for entry in given if isinstance(entry, dict)}
        given = named.get("default")
    return given if isinstance(given, str) and given else None
