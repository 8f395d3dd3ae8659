"""How much a chat template writes around a text, read from its words; no stranger's template is run here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kit.canonical import read_json
from kit.errors import KitError

if TYPE_CHECKING:
    from kit.manifest.parts import Model
    from kit.manifest.places import Places

_MARKS = re.compile(r"\{%-?\s*(?:end)?generation\s*-?%\}")
"""Tags of transformers' own, which mark what the assistant says and write nothing."""
MESSAGES = 2
"""Of a prompt: the system's and the user's. A template's loop writes its words for each."""


def template_bytes(places: Places, model: Model) -> int:
    """Return a bound of the bytes that a model's chat template writes beside the messages themselves.

    It holds for templates that loop over the messages and over nothing else.
    """
    text = _text(places, model)
    try:
        return MESSAGES * _words(_MARKS.sub("", text))
    except (SyntaxError, RecursionError):
        return MESSAGES * len(text.encode())


def _text(places: Places, model: Model) -> str:
    if model.template is not None:
        return places.file(model.template, min(model.template.files)).read_text(encoding="utf-8", errors="replace")
    if "chat_template.jinja" in model.source.files:
        return places.file(model.source, "chat_template.jinja").read_text(encoding="utf-8", errors="replace")
    if "tokenizer_config.json" not in model.source.files:
        return ""
    try:
        config = read_json(places.file(model.source, "tokenizer_config.json"))
    except KitError:
        return ""
    found = config.get("chat_template") if isinstance(config, dict) else None
    return found if isinstance(found, str) else str(found or "")


def _words(text: str) -> int:
    """Return the bytes of all that a template can write: what stands between its tags, and strings that it puts out.

    Raises:
        SyntaxError: it is no template.
    """
    from jinja2 import TemplateSyntaxError, nodes
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    try:
        tree = ImmutableSandboxedEnvironment(extensions=["jinja2.ext.loopcontrols"]).parse(text)
    except TemplateSyntaxError as error:
        raise SyntaxError(error.message) from error
    data = sum(len(node.data.encode()) for node in tree.find_all(nodes.TemplateData))
    writing = [*tree.find_all(nodes.Output), *tree.find_all(nodes.Assign)]
    strings = (node.value for one in writing for node in one.find_all(nodes.Const) if isinstance(node.value, str))
    return data + sum(len(value.encode()) for value in strings)
