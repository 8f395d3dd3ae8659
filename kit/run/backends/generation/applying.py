"""Putting an adapter on a base so that all of it is applied, or nothing. Imported only by a worker."""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from peft import PeftConfig, PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM

from kit.core.errors import listed
from kit.core.lenient import read_lenient_json
from kit.run.backends.generation.base import load_base
from kit.run.backends.worker.jobs import JobError
from kit.spec.adapter.config import CONFIG, WEIGHTS, AdapterConfig
from kit.spec.adapter.fitting import rows
from kit.spec.adapter.names import EMBEDDING_A, LORA_A, parse, renamed
from kit.spec.weights.headers import read_header

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_REMEDY = "make sure that base and adapter belong together; `kit check` compares their tensors"
_SAID_IN_VAIN = (
    "tie_word_embeddings=True",  # the two ends are untied before the merge
    "are no longer tied after merging",
    "ensure_weight_tying",  # asks for ends that are trained as one, which a model of two ends does not have
    "Failed to load the CUDA extension",  # of BOFT, which then computes without
    "Setting boft_n_butterfly_factor",
    "Unsupported layer type",  # of LN tuning, for every norm but torch's own
    "fan_in_fan_out is set to",  # PEFT mends it as it says so
)
"""PEFT's warnings that say nothing against what it did."""
_UNKNOWN = re.compile(r"Unexpected keyword arguments \[(?P<names>.*?)\]")


@contextlib.contextmanager
def applied(base: Path, adapter: Path, **options: object) -> Iterator[Any]:
    """Give the base with the adapter on it, in fp32, ready to be asked.

    Args:
        base: folder of the base.
        adapter: folder of the adapter, of any kind that PEFT puts on a model.
        options: as `from_pretrained` takes them.

    Raises:
        JobError: some of the adapter would not be applied.
    """
    model = load_base(base, dtype=torch.float32, **options)
    wanted = max(rows(read_header(adapter / WEIGHTS)).values(), default=None)
    if wanted is not None and wanted != model.get_input_embeddings().weight.shape[0]:
        model.resize_token_embeddings(wanted, mean_resizing=False)  # the adapter brings the rows themselves
    with named_as(adapter, {name for name, _ in model.named_modules()}) as folder:
        yield put_on(model, folder)


@contextlib.contextmanager
def servable(base: Path, adapter: Path) -> Iterator[Path]:
    """Give the folder of an adapter that vLLM will put on a base, after PEFT has found a place for all of it.

    vLLM itself passes over what it has no module for. Nothing is loaded: the base is one without numbers.

    Raises:
        JobError: some of the adapter would not be applied.
    """
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(base))
    with named_as(adapter, {name for name, _ in model.named_modules()}) as folder:
        put_on(model, folder, low_cpu_mem_usage=True)
        yield folder


@contextlib.contextmanager
def named_as(adapter: Path, modules: set[str]) -> Iterator[Path]:
    """Give an adapter's folder whose tensors are called as a model's modules are, without what wrappers left there."""
    names = renamed(read_header(adapter / WEIGHTS), modules)
    if not names:
        yield adapter
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        tensors = {names.get(name, name): tensor for name, tensor in load_file(adapter / WEIGHTS).items()}
        save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
        config = read_lenient_json(adapter / CONFIG)
        if isinstance(config.get("peft_type"), str) and AdapterConfig(config).kind == "LORA":
            # An expression, or a name in full, may have been about the old names.
            low_rank = [part.module for name in tensors if (part := parse(name)) and part.part in (LORA_A, EMBEDDING_A)]
            config["target_modules"] = [*dict.fromkeys(low_rank)]
        (folder / CONFIG).write_text(json.dumps(config), encoding="utf-8")
        yield folder


def put_on(model: Any, adapter: Path, **options: bool) -> Any:  # noqa: ANN401 - transformers, PEFT
    """Return the model with the adapter on it, all of it.

    Raises:
        JobError: PEFT cannot, leaves something out, or warns of something that the kit does not know to be harmless.
    """
    torch.manual_seed(0)  # PiSSA with a fast decomposition draws, and takes what it drew from the base
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            config = PeftConfig.from_pretrained(adapter)
            config.inference_mode = True
            tuned = PeftModel(model, config, "default", **options)
            found = tuned.load_adapter(str(adapter), "default", torch_device="cpu", **options)
        except (ValueError, RuntimeError, KeyError, TypeError, AttributeError, ImportError) as error:
            text = " ".join(str(error).split())
            raise JobError(f"PEFT cannot apply the adapter: {type(error).__name__}: {text}", _REMEDY) from error
    if wrong := [*found.missing_keys, *found.unexpected_keys]:
        what = f"the adapter would not be applied as a whole: PEFT lacks {len(found.missing_keys)} tensors, and has no "
        what += f"place for {len(found.unexpected_keys)}: {listed(wrong)}"
        raise JobError(what, _REMEDY)
    if texts := [*_findings(said, AdapterConfig(read_lenient_json(adapter / CONFIG)))]:
        raise JobError(f"PEFT warns of the adapter: {'; '.join(texts)}", _REMEDY)
    return tuned.eval()


def _findings(said: Iterable[warnings.WarningMessage], config: AdapterConfig) -> Iterator[str]:
    for one in said:
        text = " ".join(str(one.message).split())
        is_pefts = "peft" in Path(one.filename).parts and not issubclass(
            one.category, DeprecationWarning | FutureWarning
        )
        unknown = _UNKNOWN.match(text)
        if unknown and not config.passed_over(re.findall(r"'(.*?)'", unknown["names"])):
            continue
        if is_pefts and not any(words in text for words in _SAID_IN_VAIN):
            yield text


def untie(tuned: Any) -> None:  # noqa: ANN401 - PEFT
    """Make two of the first and the last matrix where they are one and an adapter is about to change a side of it.

    What is computed stays the same: PEFT's forward takes the shared matrix at both ends, and the update at one.
    """
    model = tuned.get_base_model()
    first, last = model.get_input_embeddings(), model.get_output_embeddings()
    if last is None or not (_is_wrapped(first) or _is_wrapped(last)):
        return
    inner, outer = _bare(first), _bare(last)
    if inner.weight is not outer.weight:
        return
    outer.weight = torch.nn.Parameter(outer.weight.detach().clone(), requires_grad=False)


def say_whether_tied(model: Any) -> None:  # noqa: ANN401 - transformers
    """Make a model's config say that its first and last matrix are two, where they are, so that both are written."""
    first, last = model.get_input_embeddings(), model.get_output_embeddings()
    if last is not None and first.weight.data_ptr() != last.weight.data_ptr():
        for config in (model.config, model.config.get_text_config()):
            config.tie_word_embeddings = False


def _is_wrapped(module: Any) -> bool:  # noqa: ANN401
    """Tell whether PEFT has put something around a module; for single tokens it changes both ends alike."""
    return not hasattr(module, "token_adapter") and (
        hasattr(module, "base_layer") or hasattr(module, "original_module")
    )


def _bare(module: Any) -> Any:  # noqa: ANN401
    while inner := getattr(module, "base_layer", None) or getattr(module, "original_module", None):
        module = inner
    return module
