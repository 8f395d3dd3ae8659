"""Whether the libraries that a run uses can load a model's or an adapter's files, known from names and configurations.

Nothing is imported for it: what transformers and vLLM know is kept in `known.json`, made from the locked versions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kit.core.errors import KitError, Problem
from kit.core.lenient import read_lenient_json
from kit.spec.checkpoint.files import (
    ADAPTER_CONFIG,
    ADAPTER_WEIGHTS,
    CONFIG,
    CONFIGS,
    INDEX,
    OPTIONAL,
    PICKLES,
    SENTENCEPIECE,
    SUFFIX,
    TOKENIZER_CONFIG,
    TOKENIZERS,
    WEIGHTS,
    is_readable,
    may_run_code,
)
from kit.spec.checkpoint.known import architecture_fault, converts_sentencepiece, needs_own_tokenizer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from pathlib import Path

    from kit.core.canonical import Json

_POINTER = b"version https://git-lfs.github.com/spec/"
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Fault:
    """Why files cannot be loaded, and what to do about it."""

    what: str
    remedy: str


def code_faults(names: Collection[str]) -> Iterator[Fault]:
    """Yield which of the named files could run code, or are none that a model is loaded from."""
    for name in names:
        if may_run_code(name):
            yield Fault(f"{name} could run code when it is loaded", "leave it out of `files`; name safetensors")
        elif not is_readable(name):
            yield Fault(f"{name} is no file that a model is loaded from", "leave it out of `files`")


def weight_faults(names: Collection[str], beside: Collection[str] = ()) -> Iterator[Fault]:
    """Yield why there are no weights of a model that could be loaded, as far as the names tell.

    Args:
        names: that are to be loaded.
        beside: what else lies there, for the message.
    """
    if WEIGHTS in names and INDEX in names:
        yield Fault(f"there are two sets of weights, {WEIGHTS} and those of {INDEX}", "name one of them in `files`")
    if WEIGHTS in names or INDEX in names:
        return
    if ADAPTER_WEIGHTS in {*names, *beside} and CONFIG not in names:
        yield Fault("is an adapter, not a model", "name its base here, and it in `finetune.adapter`")
        return
    if pickles := _some(beside, PICKLES):
        remedy = "load it with transformers and save it again (`save_pretrained` writes safetensors)"
        yield Fault(f"has no weights as safetensors, only {pickles}", remedy)
    elif other := _some({*names, *beside}, (SUFFIX,)):
        remedy = "get the model in the layout of transformers, or save it again with `save_pretrained`"
        yield Fault(f"has neither {WEIGHTS} nor {INDEX}, which transformers loads, only {other}", remedy)
    else:
        other = _some(beside, (".gguf", ".onnx", ".h5", ".msgpack"))
        yield Fault(f"has no weights as safetensors{f', only {other}' if other else ''}", "get them, or check the name")


def adapter_faults(names: Collection[str], beside: Collection[str] = ()) -> Iterator[Fault]:
    """Yield why there is no adapter that could be loaded, as far as the names tell; arguments as `weight_faults`."""
    if ADAPTER_WEIGHTS not in names:
        pickles = _some(beside, PICKLES)
        remedy = "load it with PEFT and save it again (`save_pretrained` writes safetensors)"
        what = f"has no {ADAPTER_WEIGHTS}"
        yield Fault(f"{what}, only {pickles}", remedy) if pickles else Fault(what, "check the name of the folder")
    if ADAPTER_CONFIG not in names:
        yield Fault(f"has no {ADAPTER_CONFIG}", "PEFT saves it beside the weights")


def config_problems(
    names: Collection[str], path_of: Callable[[str], Path], *, is_adapter: bool
) -> Iterator[Problem | Fault]:
    """Yield what speaks against loading, read from the configurations among files that are all there."""
    configs: dict[str, Mapping[str, Json]] = {}
    if pointers := sorted(name for name in names if _is_pointer(path_of(name))):
        what = f"{_few(pointers)} is what Git LFS leaves in place of the file"
        yield Fault(what, "`git lfs pull` brings it")
        return
    for name in sorted(CONFIGS.intersection(names)):
        try:
            configs[name] = read_lenient_json(path_of(name))
        except KitError as error:
            yield from (_or_left_out(one) if name in OPTIONAL else one for one in error.problems)
    if not is_adapter:
        yield from _model_faults(names, configs)


def _is_pointer(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(len(_POINTER)) == _POINTER


def _or_left_out(problem: Problem) -> Problem:
    return replace(problem, remedy=f"{problem.remedy}, or leave it out of `files`")


def _model_faults(names: Collection[str], configs: Mapping[str, Mapping[str, Json]]) -> Iterator[Fault]:
    if CONFIG not in names:
        yield Fault(f"has no {CONFIG}", "transformers saves it beside the weights")
    elif CONFIG in configs and (said := architecture_fault(configs[CONFIG])):
        yield Fault(*said)
    if INDEX in configs:
        yield from _shard_faults(names, configs[INDEX])
    yield from _tokenizer_faults(names, configs)


def _tokenizer_faults(names: Collection[str], configs: Mapping[str, Mapping[str, Json]]) -> Iterator[Fault]:
    config, tokenizer = configs.get(CONFIG, {}), configs.get(TOKENIZER_CONFIG, {})
    if not TOKENIZERS.intersection(names):
        yield Fault("has no tokenizer", "put tokenizer.json there, or tokenizer.model")
    elif "vocab.json" in names and "merges.txt" not in names and len(TOKENIZERS.intersection(names)) == 1:
        yield Fault("has a vocab.json without merges.txt", "get merges.txt, or tokenizer.json")
    elif TOKENIZERS.intersection(names) == {SENTENCEPIECE} and not converts_sentencepiece(config, tokenizer):
        what = f"transformers would not cut text as {SENTENCEPIECE} alone says, for this model_type and tokenizer_class"
        yield Fault(what, "put the tokenizer.json there that was published with it")
    if needs_own_tokenizer(config, tokenizer):
        remedy = "the kit runs no remote code; save the tokenizer as tokenizer.json, or use a model that needs none"
        yield Fault(f"{TOKENIZER_CONFIG} asks for code of its own (auto_map)", remedy)


def _shard_faults(names: Collection[str], index: Mapping[str, Json]) -> Iterator[Fault]:
    shards = set(weight_map(index).values())
    if not shards:
        yield Fault(f"{INDEX} names no files of weights", "get it again")
        return
    if missing := sorted(shards - set(names)):
        yield Fault(f"{INDEX} names {_few(missing)}, which is not among the files", "get what is missing")
    if more := sorted({name for name in names if name.endswith(SUFFIX)} - shards):
        yield Fault(f"{INDEX} does not name {_few(more)}", "leave out of `files` what is not loaded")


def weight_map(index: Mapping[str, Json]) -> dict[str, str]:
    """Return which file holds each tensor, as an index of weights says."""
    listed = index.get("weight_map")
    found = listed.items() if isinstance(listed, dict) else ()
    return {tensor: name for tensor, name in found if isinstance(name, str)}


def _some(names: Collection[str], suffixes: tuple[str, ...]) -> str:
    return _few(sorted(name for name in names if name.lower().endswith(suffixes)))


def _few(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
