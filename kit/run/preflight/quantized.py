"""What can be done with a model whose weights lie in a quantized format, and with one that reads pictures too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.core.cells import BASE
from kit.core.errors import child_path
from kit.core.lenient import read_lenient_json
from kit.spec.checkpoint.files import CONFIG, PROCESSORS, QUANTIZATION
from kit.spec.checkpoint.known import known, reads_more_than_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kit.core.canonical import Json
    from kit.run.preflight.machine import Machine
    from kit.spec.manifest.load import LoadedManifest
    from kit.spec.manifest.parts import Source
    from kit.spec.manifest.places import Places

_FULL = "use the model as it was before it was quantized"
_ELSEWHERE = "tokens of text need none of it, but vLLM loads it: use a model of text alone"


def format_problems(loaded: LoadedManifest, machine: Machine) -> Iterator[tuple[str, str, str]]:
    """Yield what speaks against asking or training the models of a manifest: what is wrong, what to do, the place.

    Raises:
        KitError: a configuration cannot be read.
    """
    if not loaded.manifest.model.is_recorded:
        yield from _source(loaded.places, loaded.manifest.model.source, machine, "$.model")
        yield from _arms(loaded)
    for name, judge in loaded.manifest.judges.items():
        if judge.asked:
            place = f"{child_path('$.judges', name)}.model"
            yield from _source(loaded.places, judge.asked.model.source, machine, place)


def _source(places: Places, source: Source, machine: Machine, place: str) -> Iterator[tuple[str, str, str]]:
    place = f"{place}.{'repo' if source.repo else 'path'}"
    config = _config(places, source)
    method = quantization(config, source)
    if method and method not in known().quantizations:
        what = f"vLLM {known().vllm} does not load weights that are quantized by {method}"
        remedy = f"{_FULL}; where they are plain numbers all the same, take quantization_config out of config.json"
        yield what, remedy, place
    elif method and not machine.device.is_accelerator:
        yield f"weights that are quantized ({method}) are read on an accelerator only", _FULL, place
    if reads_more_than_text(config):
        if not machine.device.is_accelerator:
            what = "reads pictures too, and what does that needs torchvision, which the install for processors lacks"
            yield what, _ELSEWHERE, place
        elif not PROCESSORS.intersection(source.files):
            yield (
                "reads pictures too, and has no preprocessor_config.json, by which vLLM loads that part",
                ("get the file that was published with it"),
                place,
            )


def _arms(loaded: LoadedManifest) -> Iterator[tuple[str, str, str]]:
    """Yield why an arm cannot be fine-tuned: adapters are trained on, and merged into, plain numbers."""
    source = loaded.manifest.model.source
    method = quantization(_config(loaded.places, source), source)
    tuned = [manifest.finetune for arm, manifest in loaded.arms.items() if arm != BASE and manifest.finetune]
    if method and any(one.training for one in tuned):
        what = f"a model that is quantized ({method}) is not trained"
        yield what, f"{_FULL}, with finetune.training.quantization for QLoRA", "$.finetune.method"
    elif method and any(one.serving == "merged" for one in tuned):
        what = f"an adapter is not merged into weights that are quantized ({method})"
        yield what, f'{_FULL}, or set it to "adapter"', "$.finetune.serving"


def quantization(config: Mapping[str, Json], source: Source) -> str | None:
    """Return by what method the weights of a model are quantized, as its config.json or a file beside it says."""
    for holder in (config, config.get("text_config")):
        if not isinstance(holder, dict):
            continue
        for name in ("quantization_config", "compression_config"):
            said = holder.get(name)
            if isinstance(said, dict):
                return str(said.get("quant_method") or "an unknown method").lower().replace("_", "-")
    return next((method for name, method in QUANTIZATION.items() if name in source.files), None)


def _config(places: Places, source: Source) -> dict[str, Json]:
    return read_lenient_json(places.file(source, CONFIG)) if CONFIG in source.files else {}
