"""Chat templates: that there is one, that it can be read, and that nothing but the manifest decides what it writes."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from kit.core.errors import KitError, Problem, child_path
from kit.spec.chat.language import TemplateLanguageError, dependencies
from kit.spec.chat.shipped import NAMES
from kit.spec.chat.template import ChatTemplate
from kit.spec.chat.text import read_template_file, template_text

if TYPE_CHECKING:
    from collections.abc import Container, Iterator
    from pathlib import Path

    from kit.spec.chat.language import Dependencies
    from kit.spec.manifest.load import LoadedManifest
    from kit.spec.manifest.parts import Model, Source
    from kit.spec.manifest.places import Places


def chat_template(places: Places, model: Model) -> ChatTemplate:
    """Return how a model's conversations become text, for the process that does it."""
    own = model.template
    return ChatTemplate(
        file=str(_template_file(places, own)) if own else None,
        date=model.template_date,
        arguments=dict(model.chat_template_kwargs or {}),
    )


def template_problems(loaded: LoadedManifest, unread: Container[Source]) -> list[Problem]:
    """Return what keeps an arm from being asked as a chat model, but for models that are not fit to be read."""
    if loaded.manifest.model.is_recorded:
        return []
    models = [arm.model for arm in loaded.arms.values()]
    readable = [one for one in models if one.source not in unread and one.template not in unread]
    problems = [one for model in readable for one in chat_problems(loaded.places, model, str(loaded.path), "$.model")]
    return list(dict.fromkeys(problems))


def chat_problems(places: Places, model: Model, where: str, place: str) -> list[Problem]:
    """Return what keeps a model, which stands at `place`, from being asked as a chat model."""
    try:
        text = model_template(places, model)
    except KitError as error:
        return list(error.problems)
    if text is None:
        what = "the tokenizer has no chat template, so the model cannot be asked as a chat model"
        ways = ", ".join(f'"{name}"' for name in NAMES)
        remedy = f'name a model.template: {{"shipped": …}} with {ways}, or a file; or use an instruction-tuned model'
        return [Problem(where, what, remedy, f"{place}.{'repo' if model.source.repo else 'path'}")]
    try:
        found = dependencies(text)
    except TemplateLanguageError as error:
        file = str(_template_file(places, model.template)) if model.template else model.source.name
        at = f":{error.line}" if error.line else ""
        return [Problem(f"{file}{at}", f"is no Jinja template: {error}", "mend the text there")]
    return [*_chance_problems(found, model, where, place), *_argument_problems(found, model, where, place)]


def model_template(places: Places, model: Model) -> str | None:
    """Return the text of the chat template that a model is asked with; None where it has none.

    Raises:
        KitError: it cannot be read.
    """
    if model.template is not None:
        return read_template_file(_template_file(places, model.template))
    return template_text({name: places.file(model.source, name) for name in model.source.files})


def reads_clock(places: Places, model: Model) -> bool:
    """Tell whether a model's template writes the date; one that cannot be read does not."""
    try:
        text = model_template(places, model)
        return text is not None and dependencies(text).reads_clock
    except (KitError, TemplateLanguageError):
        return False


def _template_file(places: Places, template: Source) -> Path:
    return places.file(template, min(template.files)).resolve()


def _chance_problems(found: Dependencies, model: Model, where: str, place: str) -> Iterator[Problem]:
    if found.reads_clock and model.template_date is None:
        what = "is missing, and the chat template writes the date: tomorrow the model would be asked something else"
        yield Problem(where, what, "add the day that it takes for today, as 2026-01-31", f"{place}.template_date")
    if found.draws:
        what = "the chat template draws at random, so that no two runs ask the same"
        yield Problem(where, what, "name a model.template that does not", f"{place}.template")


def _argument_problems(found: Dependencies, model: Model, where: str, place: str) -> Iterator[Problem]:
    for name in model.chat_template_kwargs or ():
        if name not in found.variables:
            close = difflib.get_close_matches(name, found.variables, n=1)
            remedy = f"did you mean {close[0]!r}?" if close else "remove it, or look into the template for its name"
            what = "is not read by the chat template, which would ignore it"
            yield Problem(where, what, remedy, child_path(f"{place}.chat_template_kwargs", name))
