"""Whether every tensor of a LoRA has its place in the base, and every module that is meant has its tensors."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from kit.core.errors import listed
from kit.spec.adapter.names import (
    BIASES,
    EMBEDDING_A,
    EMBEDDING_B,
    EMBEDDINGS,
    HEADS,
    LORA_A,
    LORA_B,
    MAGNITUDES,
    WHOLE,
    Part,
    found_in,
    parse,
)
from kit.spec.adapter.targets import is_decidable, is_meant

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kit.core.canonical import Json
    from kit.spec.adapter.config import AdapterConfig
    from kit.spec.weights.headers import Tensor

    Dims = tuple[int, ...]

_FETCH = "get the adapter's folder again, all of it, or mend adapter_config.json and pin the manifest anew"
_OTHER_BASE = "name the base model that it was trained on"
_SEVERAL = ("text_config", "llm_config", "language_config", "vision_config", "quantization_config")
"""Of a model whose modules are not called or not shaped as its tensors are: left to PEFT, which has the model."""


_LEADS = ("model.", "transformer.", "gpt_neox.", "base_model.")


def is_plain(config: Mapping[str, Json], tensors: Mapping[str, Tensor]) -> bool:
    """Tell whether a base's modules are called as its tensors are."""
    named = config.get("architectures")
    causal = isinstance(named, list) and any(str(one).endswith(("ForCausalLM", "LMHeadModel")) for one in named)
    return causal and not any(config.get(name) for name in _SEVERAL) and not any("expert" in name for name in tensors)


def modules_of(tensors: Mapping[str, Tensor]) -> dict[str, Dims]:
    """Return the modules of a plain base → the shape of their weights.

    Some folders leave away the part of all names that the model's class puts before them (GPT-2's `transformer.`):
    then the names are there with and without it.
    """
    found = {name.removesuffix(".weight"): one.dims for name, one in tensors.items() if name.endswith(".weight")}
    if not any(name.startswith(_LEADS) for name in found):
        found |= {f"{lead}{name}": dims for lead in _LEADS for name, dims in found.items()}
    first = next((dims for name, dims in found.items() if name.rpartition(".")[2] in EMBEDDINGS), None)
    if first and not any(name.rpartition(".")[2] in HEADS for name in found):
        found |= dict.fromkeys(HEADS, first)
    return found


def _without_lead(name: str) -> str:
    return next((name.removeprefix(lead) for lead in _LEADS if name.startswith(lead)), name)


def rows(tensors: Mapping[str, Tensor]) -> dict[str, int]:
    """Return how many tokens an adapter's own embeddings are for, by the last part of their modules' names."""
    parts = {name: parse(name) for name in tensors}
    return {
        part.last: tensors[name].dims[0]
        for name, part in parts.items()
        if part and part.part in WHOLE and part.last in EMBEDDINGS | HEADS and tensors[name].dims
    }


def lora_problems(
    config: AdapterConfig, tensors: Mapping[str, Tensor], base: Mapping[str, Tensor]
) -> Iterator[tuple[str, str]]:
    """Yield what of a LoRA has no place in a plain base, or lacks its tensors, and the remedy."""
    parsed = {name: parse(name) for name in tensors}
    if odd := sorted(name for name, part in parsed.items() if part is None):
        yield f"{len(odd)} of {len(tensors)} tensors have no name that PEFT gives: {listed(odd)}", _FETCH
    parts = {name: part for name, part in parsed.items() if part}
    if not any(part.part in (LORA_A, EMBEDDING_A) for part in parts.values()):
        yield "the adapter holds no low-rank matrices", _FETCH
        return
    modules = modules_of(base)
    found = {name: found_in(part, modules) for name, part in parts.items()}
    if lost := sorted(name for name, part in found.items() if part is None):
        trained = f", {config.base!r}" if config.base else ""
        what = f"{len(lost)} of {len(tensors)} tensors are for modules that the base does not have: {listed(lost)}"
        yield what, _OTHER_BASE + trained + ", or rename the tensors"
    known = {name: part for name, part in found.items() if part}
    if wrong := [text for name, part in known.items() for text in _misfits(part, tensors[name].dims, modules, config)]:
        yield f"{len(wrong)} of {len(tensors)} tensors do not fit: {listed(wrong)}", _OTHER_BASE
    yield from _incomplete(config, parts, known, modules)
    biases = [part.module for part in known.values() if part.part in BIASES]
    if bare := sorted(name for name in biases if f"{name}.bias" not in base):
        yield f"the adapter holds biases of modules that have none in the base: {listed(bare)}", _OTHER_BASE


def _misfits(part: Part, dims: Dims, modules: Mapping[str, Dims], config: AdapterConfig) -> Iterator[str]:
    """Yield how one tensor does not fit its module; GPT-2's layers hold their weights the other way round."""
    of = modules[part.module]
    if len(of) != 2:
        return
    shown = f"{part.module} is {of[0]} × {of[1]}, and {part.part} is {' × '.join(map(str, dims))}"
    if part.part in (LORA_A, EMBEDDING_A):
        inner = of if part.part == LORA_A else of[:1]
        if len(dims) != 2 or (dims[1] not in inner and not _is_resized(part)):
            yield shown
        elif dims[0] not in config.ranks:
            yield f"{part.module} has rank {dims[0]}, which adapter_config.json does not give"
    elif part.part in (LORA_B, EMBEDDING_B):
        if len(dims) != 2 or (dims[0] not in of and not _is_resized(part)):
            yield shown
    elif part.part in WHOLE:
        if len(dims) != 2 or dims[1] != of[1] or (dims[0] != of[0] and not _is_resized(part)):
            yield shown
    elif part.part in MAGNITUDES and dims[:1] not in ((of[0],), (of[1],)):
        yield shown


def _is_resized(part: Part) -> bool:
    """Tell whether a module may have other rows than the base's; how many there must be is looked at by itself."""
    return part.last in EMBEDDINGS | HEADS


def _incomplete(
    config: AdapterConfig, given: Mapping[str, Part], known: Mapping[str, Part], modules: Mapping[str, Dims]
) -> Iterator[tuple[str, str]]:
    """Yield modules that the config means and that have no tensors, and tensors of modules that it does not mean."""
    counts = Counter(part.module for part in known.values() if part.part in (LORA_A, EMBEDDING_A))
    halves = Counter(part.module for part in known.values() if part.part in (LORA_B, EMBEDDING_B))
    if single := sorted((counts - halves) + (halves - counts)):
        yield f"the adapter holds one of two matrices of {listed(single)}", _FETCH
    unsaved = [
        name
        for name in config.saved
        if any(f".{name}." in f".{module}." for module in modules)
        and not any(f".{name}." in f".{part.module}." for part in known.values() if part.part in WHOLE)
    ]
    if unsaved:
        yield f"adapter_config.json names modules_to_save that the adapter does not hold: {listed(unsaved)}", _FETCH
    if not is_decidable(config) or config.says("target_parameters"):
        return
    low_rank = {name: part for name, part in given.items() if part.part in (LORA_A, EMBEDDING_A)}
    if config.says("ensure_weight_tying"):  # what changes one end changes the other
        low_rank = {name: part for name, part in low_rank.items() if not _is_resized(part)}
    unmeant = sorted(
        part.module
        for name, part in low_rank.items()
        if not is_meant(part.module, config) and not (name in known and is_meant(known[name].module, config))
    )
    if unmeant:
        what = f"the adapter holds matrices of {len(unmeant)} modules that adapter_config.json does not name, so that "
        yield what + f"they would not be applied: {listed(unmeant)}", _FETCH
    if any(known[name] != part for name, part in given.items() if name in known):
        return  # of a wrapper's names the config may hold some in full
    matrices = (name for name, dims in modules.items() if len(dims) == 2)
    # Of the names that a module may have, the adapter has one.
    meant = {_without_lead(name) for name in matrices if is_meant(name, config)}
    if empty := sorted(meant - {_without_lead(name) for name in counts}):
        what = f"adapter_config.json names {len(empty)} modules of which the adapter holds no matrices: {listed(empty)}"
        yield what, _FETCH
