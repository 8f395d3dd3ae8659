"""Chat templates: that there is one, and that it can be read before a worker stumbles over it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.errors import Problem
from kit.manifest.template import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path

    from kit.manifest.load import LoadedManifest
    from kit.manifest.parts import Model, Source
    from kit.manifest.places import Places


def template_problems(loaded: LoadedManifest, unread: Container[Source]) -> list[Problem]:
    """Return what keeps an arm from being asked as a chat model, but for models that are not fit to be read."""
    if loaded.manifest.model.is_recorded:
        return []
    models = [arm.model for arm in loaded.arms.values()]
    readable = [one for one in models if one.source not in unread and one.template not in unread]
    problems = [one for model in readable for one in chat_problems(loaded.places, model, str(loaded.path), "$")]
    return list(dict.fromkeys(problems))


def chat_problems(places: Places, model: Model, where: str, place: str) -> list[Problem]:
    """Return what keeps a model, named at `place`, from being asked as a chat model."""
    if model.template is None:
        return _tokenizer_problems(places, model.source, where, place)
    return [one for name in model.template.files for one in _syntax_problems(places.file(model.template, name))]


def _syntax_problems(path: Path) -> list[Problem]:
    from jinja2 import TemplateSyntaxError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            return [Problem(str(path), f"is larger than {MAX_BYTES} bytes", "a template is a page of text")]
        text = data.decode()
        ImmutableSandboxedEnvironment(extensions=["jinja2.ext.loopcontrols"]).parse(text)
    except UnicodeDecodeError:
        return [Problem(str(path), "is not UTF-8", "save the file as UTF-8")]
    except RecursionError:
        return [Problem(str(path), "is nested too deeply for a template", "write a simpler one")]
    except TemplateSyntaxError as error:
        if "unknown tag 'generation'" in (error.message or ""):
            return []  # transformers' own, which marks what the assistant says
        return [Problem(f"{path}:{error.lineno}", f"is no Jinja template: {error.message}", "mend the text there")]
    return []


def _tokenizer_problems(places: Places, source: Source, where: str, place: str) -> list[Problem]:
    config = "tokenizer_config.json"
    in_config = config in source.files and b'"chat_template"' in places.file(source, config).read_bytes()
    if in_config or "chat_template.jinja" in source.files:
        return []
    what = "the tokenizer has no chat template, so the model cannot be asked as a chat model"
    return [
        Problem(
            where,
            what,
            "use an instruction-tuned model, or name a model.template",
            f"{place}.model.{'repo' if source.repo else 'path'}",
        )
    ]
