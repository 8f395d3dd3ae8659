"""What of every arm's adapter can be known to fail, or to be other than it seems, before anything is loaded."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kit.core.cells import BASE, TUNED
from kit.core.errors import KitError, Problem, listed
from kit.core.lenient import read_lenient_json
from kit.spec.adapter.base import other_base
from kit.spec.adapter.config import CONFIG, LORA, WEIGHTS, AdapterConfig, engine_rank
from kit.spec.adapter.fitting import is_plain, lora_problems, modules_of, rows
from kit.spec.adapter.names import EMBEDDINGS, HEADS, WHOLE, parse
from kit.spec.adapter.tokens import differences, has_tokenizer, own_tokenizer, read_tokens
from kit.spec.manifest.templates import chat_problems, model_template
from kit.spec.weights.headers import read_header
from kit.spec.weights.shape import CONFIG as MODEL_CONFIG
from kit.spec.weights.shape import read_shape

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping

    from kit.core.canonical import Json
    from kit.spec.manifest.finetune import Finetune
    from kit.spec.manifest.load import LoadedManifest
    from kit.spec.manifest.model import Manifest
    from kit.spec.manifest.parts import Source
    from kit.spec.manifest.places import Places
    from kit.spec.weights.headers import Tensor
    from kit.spec.weights.shape import Shape

    Said = tuple[str, str]

PLACE = "$.finetune.adapter"
ADAPTER = "adapter"
_MERGE_IT = "set finetune.serving to merged"


def adapter_problems(loaded: LoadedManifest, unread: Container[Source]) -> tuple[list[Problem], list[Problem]]:
    """Return what keeps an arm's adapter from being applied, and what a reader should know of it.

    Args:
        loaded: a valid manifest.
        unread: sources whose files are not fit to be read.
    """
    problems: list[Problem] = []
    notes: list[Problem] = []
    for arm, manifest in loaded.arms.items():
        finetune, model = manifest.finetune, manifest.model
        if arm == BASE or finetune is None or model.source in unread or finetune.adapter in unread:
            continue
        where = str(loaded.path) if arm == TUNED else f"{loaded.path} (variation {arm!r})"
        try:
            found, known = _looked_at(loaded.places, manifest, finetune)
        except KitError as error:
            problems += error.problems
            continue
        place = PLACE if finetune.adapter else "$.finetune.lora"
        problems += [Problem(where, what, remedy, place) for what, remedy in found]
        notes += [Problem(where, what, remedy, place) for what, remedy in known]
    # An arm that changes something else has the same adapter.
    return _once(problems), _once(notes)


def _once(problems: list[Problem]) -> list[Problem]:
    first: dict[tuple[str, str], Problem] = {}
    for one in problems:
        first.setdefault((one.what, one.path), one)
    return [*first.values()]


def _looked_at(places: Places, manifest: Manifest, finetune: Finetune) -> tuple[list[Said], list[Said]]:
    shape = read_shape(places, manifest.model.source)
    config = _model_config(places, manifest.model.source)
    if finetune.adapter is None:
        return [*_training_problems(finetune, config, shape)], []
    if missing := [name for name in (CONFIG, WEIGHTS) if name not in finetune.adapter.files]:
        remedy = "name a folder that PEFT saved, with its weights as safetensors, and pin the manifest anew"
        return [(f"the adapter has no {' and no '.join(missing)}", remedy)], []
    adapter = AdapterConfig(read_lenient_json(places.file(finetune.adapter, CONFIG)))
    problems = [*adapter.problems()]
    if finetune.serving == ADAPTER:
        problems += adapter.engine_problems()
    other = other_base(adapter, manifest.model.source)
    notes = [(f"the adapter names another base: {other}", "make sure that the two belong together")] if other else []
    tensors = read_header(places.file(finetune.adapter, WEIGHTS))
    if adapter.kind == LORA and is_plain(config, shape.tensors):
        problems += lora_problems(adapter, tensors, shape.tensors)
        if finetune.serving == ADAPTER:
            problems += _served_problems(tensors, shape)
    elif not tensors:
        problems.append(("the adapter holds no tensors", "get the adapter's folder again, all of it"))
    of_tokens, on_tokens = _token_problems(places, manifest, finetune, tensors, shape)
    return [*problems, *of_tokens], [*notes, *on_tokens]


def _model_config(places: Places, source: Source) -> dict[str, Json]:
    return read_lenient_json(places.file(source, MODEL_CONFIG)) if MODEL_CONFIG in source.files else {}


def _training_problems(finetune: Finetune, config: Mapping[str, Json], shape: Shape) -> Iterator[Said]:
    """Yield why an adapter that is still to be trained could not be trained or served as it is meant."""
    lora = finetune.lora
    if lora is None:
        return
    if finetune.serving == ADAPTER and engine_rank(frozenset({lora.rank})) is None:
        yield f"vLLM serves no adapter of rank {lora.rank}", _MERGE_IT
    if isinstance(lora.target_modules, str) or not is_plain(config, shape.tensors):
        return
    modules = modules_of(shape.tensors)
    unknown = [name for name in lora.target_modules if not any(f".{module}".endswith(f".{name}") for module in modules)]
    if unknown:
        ends = sorted({module.rpartition(".")[2] for module, dims in modules.items() if len(dims) == 2})
        yield f"the model has no modules called {listed(unknown)}", f"its matrices are called {', '.join(ends)}"
    embeddings = [name for name in lora.target_modules if name.rpartition(".")[2] in EMBEDDINGS | HEADS]
    if finetune.serving == ADAPTER and embeddings and _is_tied(shape):
        yield _tied(embeddings), _MERGE_IT


def _served_problems(tensors: Mapping[str, Tensor], shape: Shape) -> Iterator[Said]:
    """Yield what of an adapter's embeddings vLLM would leave out."""
    parts = [part for name in tensors if (part := parse(name)) and part.last in EMBEDDINGS | HEADS]
    whole = sorted({part.module for part in parts if part.part == WHOLE[-1]})
    if whole:
        yield f"vLLM leaves out what the adapter holds of whole embeddings ({listed(whole)})", _MERGE_IT
    elif parts and _is_tied(shape):
        yield _tied(sorted({part.module for part in parts})), _MERGE_IT


def _tied(names: list[str]) -> str:
    return f"the model's first and last matrix are one, of which the adapter changes a side ({listed(names)})"


def _is_tied(shape: Shape) -> bool:
    return not any(name.removesuffix(".weight").rpartition(".")[2] in HEADS for name in shape.tensors)


def _token_problems(
    places: Places, manifest: Manifest, finetune: Finetune, tensors: Mapping[str, Tensor], shape: Shape
) -> tuple[list[Said], list[Said]]:
    """Return what is wrong with the tuned arm's tokenizer, and how the two that are there differ."""
    assert finetune.adapter is not None
    is_own, has_own = finetune.tokenizer == ADAPTER, has_tokenizer(finetune.adapter)
    problems: list[Said] = []
    notes: list[Said] = []
    if is_own and not has_own:
        problems.append(("finetune.tokenizer is adapter, and the adapter's folder has no tokenizer", "leave it out"))
        return problems, notes
    base = replace(read_tokens(places, manifest.model.source), template=model_template(places, manifest.model))
    own = read_tokens(places, finetune.adapter) if has_own else None
    used = own if own and is_own else base
    if own and (found := [*differences(own, base)]):
        what = f"the adapter's folder has a tokenizer of its own, with {listed(found)}"
        if is_own:
            notes.append((f"{what}: the tuned arm is asked with it, the base with its own", ""))
        elif finetune.tokenizer is None:
            remedy = (
                'set finetune.tokenizer to "adapter" if it was trained with it, or to "base" to say that it was not'
            )
            notes.append((f"{what}: the tuned arm is asked with the base's all the same", remedy))
    if asked := own_tokenizer(places, manifest):
        unable = chat_problems(places, asked, "", PLACE)
        problems += [(f"with the adapter's tokenizer: {one.what}", one.remedy) for one in unable]
    problems += _row_problems(rows(tensors), shape, used.highest, is_own=is_own, has_own=has_own)
    return problems, notes


def _row_problems(
    own: Mapping[str, int], shape: Shape, highest: int | None, *, is_own: bool, has_own: bool
) -> Iterator[Said]:
    """Yield why the rows of the embeddings and the tokens do not fit each other."""
    there = [
        one.dims[0]
        for name, one in shape.tensors.items()
        if name.removesuffix(".weight").rpartition(".")[2] in EMBEDDINGS and one.dims
    ]
    if not there:
        return
    before, now = there[0], max(own.values(), default=there[0])
    if len({*own.values()}) > 1:
        yield f"the adapter's embeddings have {' and '.join(map(str, own.values()))} rows", "get its folder again"
    elif now != before:
        if not _is_tied(shape) and len(own) == 1:
            what = f"the adapter holds {next(iter(own))} with {now} rows, and not the other end, which has {before}"
            yield what, "save both with it (PEFT: save_embedding_layers), and pin the manifest anew"
        if now > before and not is_own:
            remedy = 'set finetune.tokenizer to "adapter"'
            remedy += "" if has_own else ", and put the tokenizer that it was trained with beside it"
            yield f"the adapter is for {now} tokens, and the model has {before}", remedy
    if highest is not None and highest >= now and (is_own or now < before):
        kept = "the adapter's" if is_own else "the base's"
        what = f"{kept} tokenizer gives ids up to {highest}, and the tuned model has {now} rows of embeddings"
        yield what, "save the embeddings with the adapter, or use the tokenizer that it was trained with"
