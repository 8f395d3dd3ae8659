"""Which models and tokenizers the locked transformers and vLLM have classes of their own for.

`known.json` is made by `python -m locks.known`; a test holds it against what is installed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, cast

from kit.core.canonical import parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kit.core.canonical import Json

_SENTENCEPIECE = ("LlamaTokenizer", "CodeLlamaTokenizer", "GemmaTokenizer")
_OTHER = "use a model of a kind that it knows"
_REMOTE = f"the kit runs no remote code; {_OTHER}"


@dataclass(frozen=True, slots=True)
class Known:
    """What two libraries know."""

    transformers: str
    """Its version; vLLM's below."""
    vllm: str
    types: frozenset[str]
    """Every `model_type` that transformers has a configuration for."""
    causal: frozenset[str]
    """Those that it loads as a model that writes text (`AutoModelForCausalLM`)."""
    text: frozenset[str]
    """Architectures that vLLM serves as models of text."""
    multimodal: frozenset[str]
    """Architectures that vLLM serves with pictures or sound; it loads what reads those even where it need not."""
    quantizations: frozenset[str]
    """Methods by which weights may be quantized that vLLM loads."""
    tokenizer_types: dict[str, str]
    """Every `model_type` that transformers has a tokenizer class for → that class."""
    tokenizers: frozenset[str]
    """All of its tokenizer classes."""


@cache
def known() -> Known:
    """Return what was known when the locks were made."""
    data = resources.files("kit.spec.checkpoint").joinpath("known.json").read_bytes()
    document = cast("dict[str, Any]", parse_json(data, "known.json"))
    values: dict[str, Any] = {name: frozenset(one) if isinstance(one, list) else one for name, one in document.items()}
    return Known(**values)


def architecture_fault(config: Mapping[str, Json]) -> tuple[str, str] | None:
    """Return why transformers and vLLM could not load a model with this config.json, and what to do; or nothing."""
    have, kind = known(), config.get("model_type")
    if not isinstance(kind, str):
        return "config.json has no model_type", "get the configuration that was published with the model"
    if kind not in have.types:
        what = f"transformers {have.transformers} does not know its model_type {kind!r}"
        code = "auto_map" in config
        return (f"{what}, and config.json asks for code of its own (auto_map)", _REMOTE) if code else (what, _OTHER)
    if kind not in have.causal:
        return f"is no model that writes text to transformers (model_type {kind!r})", "use a causal language model"
    return _serving_fault(config)


def _serving_fault(config: Mapping[str, Json]) -> tuple[str, str] | None:
    have = known()
    architectures = config.get("architectures")
    name = architectures[0] if isinstance(architectures, list) and architectures else None
    if not isinstance(name, str):
        return "config.json names no architectures, by which vLLM loads it", "add the one that it was published with"
    if name in have.text or name in have.multimodal:
        return None
    what = f"vLLM {have.vllm} cannot serve its architecture {name!r} as a model that writes text"
    return what, "use a causal language model that it knows"


def reads_more_than_text(config: Mapping[str, Json]) -> bool:
    """Tell whether vLLM loads a model with what reads pictures or sound."""
    architectures = config.get("architectures")
    return isinstance(architectures, list) and bool(known().multimodal.intersection(map(str, architectures[:1])))


def needs_own_tokenizer(config: Mapping[str, Json], tokenizer: Mapping[str, Json]) -> bool:
    """Tell whether a tokenizer comes as code and transformers has no class in its place (its `AutoTokenizer`)."""
    remote = tokenizer.get("auto_map")
    if not remote or (isinstance(remote, dict) and not remote.get("AutoTokenizer")):
        return False
    return config.get("model_type") not in known().tokenizer_types and _class(tokenizer) not in known().tokenizers


def converts_sentencepiece(config: Mapping[str, Json], tokenizer: Mapping[str, Json]) -> bool:
    """Tell whether transformers cuts text as a tokenizer.model alone says.

    Where it falls back to its general class, it forgets the space that the model puts before a text, or all spaces.
    """
    name, kind = _class(tokenizer), config.get("model_type")
    return name in _SENTENCEPIECE and known().tokenizer_types.get(str(kind), name) == name


def _class(tokenizer: Mapping[str, Json]) -> str:
    return str(tokenizer.get("tokenizer_class")).removesuffix("Fast")
