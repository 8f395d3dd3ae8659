"""How the tokenizer in an adapter's folder differs from the base's, in what decides how texts become tokens."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec import structs

from kit.core.errors import listed
from kit.core.lenient import read_lenient_json
from kit.spec.chat.text import template_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kit.core.canonical import Json
    from kit.spec.manifest.model import Manifest
    from kit.spec.manifest.parts import Model, Source
    from kit.spec.manifest.places import Places

TOKENIZER, SETTINGS = "tokenizer.json", "tokenizer_config.json"
FILES = frozenset({TOKENIZER, SETTINGS, "tokenizer.model", "vocab.json", "spiece.model"})
"""Any of which makes a folder one with a tokenizer."""
_SPECIAL = ("bos_token", "eos_token", "pad_token", "unk_token")
_FLAGS = ("add_bos_token", "add_eos_token", "add_prefix_space")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """A tokenizer as its files describe it."""

    vocabulary: Mapping[str, int] | None
    """Text → id, added tokens included; None where tokenizer.json is not there."""
    template: str | None
    settings: Mapping[str, Json] = field(default_factory=dict)

    @property
    def highest(self) -> int | None:
        """The highest id; None where nobody tells."""
        return max(self.vocabulary.values(), default=None) if self.vocabulary else None


def has_tokenizer(source: Source) -> bool:
    """Tell whether a folder holds a tokenizer."""
    return bool(FILES & source.files.keys())


def read_tokens(places: Places, source: Source) -> Tokens:
    """Return the tokenizer of a folder whose files are as pinned.

    Raises:
        KitError: a file cannot be read.
    """
    settings = _document(places, source, SETTINGS)
    return Tokens(vocabulary=_vocabulary(places, source), template=_template(places, source), settings=settings)


def own_tokenizer(places: Places, manifest: Manifest) -> Model | None:
    """Return the folder that a tuned arm is asked with as if it were a model's, where it is not the base's.

    Its chat template is the one that lies there, or else the model's.

    Raises:
        KitError: a file cannot be read.
    """
    own, model = manifest.finetune.own_tokenizer if manifest.finetune else None, manifest.model
    if own is None:
        return None
    template = model.template if _template(places, own) is None else None
    return structs.replace(model, **structs.asdict(own), template=template)


def differences(own: Tokens, base: Tokens) -> Iterator[str]:
    """Yield how an adapter's tokenizer differs from the base's; what one of them does not say is no difference."""
    if own.template is not None and own.template != base.template:
        yield "another chat template" if base.template is not None else "a chat template"
    for name in _SPECIAL:
        mine, theirs = _content(own.settings.get(name)), _content(base.settings.get(name))
        if mine is not None and mine != theirs:
            yield f"{name} {mine!r}" + (f" for {theirs!r}" if theirs is not None else "")
    for name in _FLAGS:
        if name in own.settings and name in base.settings and own.settings[name] != base.settings[name]:
            yield f"{name} {str(own.settings[name]).lower()}"
    if own.vocabulary is not None and base.vocabulary is not None and own.vocabulary != base.vocabulary:
        added = sorted(own.vocabulary.keys() - base.vocabulary.keys(), key=own.vocabulary.__getitem__)
        yield f"{len(added)} tokens that the base lacks ({listed(added)})" if added else "another vocabulary"


def _document(places: Places, source: Source, name: str) -> dict[str, Json]:
    return read_lenient_json(places.file(source, name)) if name in source.files else {}


def _vocabulary(places: Places, source: Source) -> dict[str, int] | None:
    if TOKENIZER not in source.files:
        return None
    document = _document(places, source, TOKENIZER)
    model, added = document.get("model"), document.get("added_tokens")
    listed_vocabulary = model.get("vocab") if isinstance(model, dict) else None
    found: dict[str, int] = {}
    if isinstance(listed_vocabulary, dict):
        found = {text: number for text, number in listed_vocabulary.items() if isinstance(number, int)}
    elif isinstance(listed_vocabulary, list):  # of a unigram model: pairs of text and score, in the order of ids
        found = {
            str(pair[0]): number for number, pair in enumerate(listed_vocabulary) if isinstance(pair, list) and pair
        }
    for one in added if isinstance(added, list) else ():
        if isinstance(one, dict) and isinstance(number := one.get("id"), int):
            found[str(one.get("content"))] = number
    return found or None


def _template(places: Places, source: Source) -> str | None:
    return template_text({name: places.file(source, name) for name in source.files})


def _content(token: Json) -> str | None:
    """Return the text of a special token, which is written bare or as an object."""
    text = token.get("content") if isinstance(token, dict) else token
    return text if isinstance(text, str) else None
