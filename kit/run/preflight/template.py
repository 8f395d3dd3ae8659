"""How much a chat template writes around a text, read from its words; no stranger's template is run here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kit.core.errors import KitError
from kit.spec.manifest.templates import model_template

if TYPE_CHECKING:
    from kit.spec.manifest.parts import Model
    from kit.spec.manifest.places import Places

_TAG = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
_FIELD = re.compile(r"""\[\s*(?:'[^']*'|"[^"]*")\s*\]""")
"""As in `message['content']`: a name, and not written."""
_STRING = re.compile(r"""'([^']*)'|"([^"]*)\"""")
MESSAGES = 2
"""Of a prompt: the system's and the user's. A template's loop writes its words for each."""


def template_bytes(places: Places, model: Model) -> int:
    """Return a bound of the bytes that a model's chat template writes beside the messages themselves.

    It holds for templates that loop over the messages and over nothing else.
    """
    return MESSAGES * _words(_text(places, model))


def _text(places: Places, model: Model) -> str:
    try:
        return model_template(places, model) or ""
    except KitError:
        return ""


def _words(text: str) -> int:
    """Return the bytes of all that a template can write: what stands between its tags, and strings that it puts out."""
    writing = (
        tag for tag in _TAG.findall(text) if tag.startswith("{{") or tag.lstrip("{%-").lstrip().startswith("set ")
    )
    strings = (one for tag in writing for both in _STRING.findall(_FIELD.sub("", tag)) for one in both)
    return len(_TAG.sub("", text).encode()) + len("".join(strings).encode())
