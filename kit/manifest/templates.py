"""Chat templates: that there is one, and that it can be read before a worker stumbles over it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.errors import Problem
from kit.paths import inside

if TYPE_CHECKING:
    from pathlib import Path

    from kit.manifest.load import LoadedManifest


def template_problems(loaded: LoadedManifest) -> list[Problem]:
    """Return what keeps an arm from being asked as a chat model; its files are as they were pinned."""
    templates = [manifest.model.template for manifest in loaded.arms.values()]
    problems = _tokenizer_problems(loaded) if None in templates else []
    for template in filter(None, templates):
        for name in template.files:
            problems += _syntax_problems(inside(loaded.root, template.path, name))
    return list(dict.fromkeys(problems))


def _syntax_problems(path: Path) -> list[Problem]:
    from jinja2 import TemplateSyntaxError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    try:
        text = path.read_text(encoding="utf-8")
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


def _tokenizer_problems(loaded: LoadedManifest) -> list[Problem]:
    folder = loaded.root / loaded.manifest.model.source.path
    config = folder / "tokenizer_config.json"
    if (folder / "chat_template.jinja").is_file() or (config.is_file() and b'"chat_template"' in config.read_bytes()):
        return []
    what = "the tokenizer has no chat template, so the model cannot be asked as a chat model"
    return [Problem(str(loaded.path), what, "use an instruction-tuned model, or name a model.template", "$.model.path")]
