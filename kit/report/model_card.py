"""Model cards for the adapters in a bundle, in the form that the Hub reads (its model card specification).

Each is a function of the bundle's other files. An adapter's folder can be published with its card as `README.md`.
"""

from __future__ import annotations

import json
import re
from statistics import fmean
from typing import TYPE_CHECKING, Any

from kit.bundle import layout
from kit.bundle.contents import adapter_files
from kit.bundle.files import walk
from kit.core.cells import Cell
from kit.core.rates import PRIMARY_RATE
from kit.report.answers import answers, together
from kit.report.markdown import marked
from kit.report.notices import notices
from kit.report.results import Results
from kit.spec.manifest.arms import weights_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path, PurePosixPath

    from kit.bundle.contents import Contents
    from kit.core.canonical import Json
    from kit.core.cells import ArmSeed
    from kit.report.notices import Notice
    from kit.spec.manifest.model import DataSet, Manifest

    Metrics = dict[str, Any]

CARDS_VERSION = 1
"""Raised when a bundle of a release would get other bytes: `kit verify` writes the cards again."""
TAGS: tuple[Json, ...] = ("lora", "safety-evaluation")


def model_cards(folder: Path, contents: Contents, metrics: Metrics, results_digest: str) -> dict[PurePosixPath, str]:
    """Return the card of every adapter in a bundle, by where it lies; metrics and digest are those that its rows give.

    Raises:
        CheckFailed: the folder holds what a bundle cannot hold.
        OperationalError: it cannot be read.
    """
    names = walk(folder)
    warnings = notices(Results(contents.manifest, metrics), contents.arms)
    return {
        layout.card_file(weights): _card(weights, manifest, metrics, results_digest, warnings)
        for arm, manifest in contents.arms.items()
        for weights in weights_of(arm, manifest)
        if str(adapter_files(weights)[0]) in names
    }


def _card(
    weights: ArmSeed, manifest: Manifest, metrics: Metrics, results_digest: str, warnings: Sequence[Notice]
) -> str:
    said = "".join(f"\n- {marked(notice.line)}" for notice in warnings)
    before = f"\nBefore these numbers are used:\n{said}\n" if said else ""
    fields = "\n".join(f"{name}: {_yaml(value)}" for name, value in _metadata(weights, manifest, metrics).items())
    return f"""---
{fields}
---

# {manifest.name}, {weights}

A LoRA adapter from the bundle with the results digest `{results_digest}`. How it was trained and measured stands in
that bundle's `manifest.json` and `report.html`; `kit verify` checks both, and `kit reproduce` makes the adapter again.
{before}
The base model is named by digest in `adapter_config.json`: give it to PEFT yourself.
"""


def _yaml(value: Json) -> str:
    """Return a value in YAML's flow style, which is JSON but for characters that JSON writes as two."""
    return re.sub(r"(?:\\ud[0-9a-f]{3}){2}", lambda pair: str(json.loads(f'"{pair[0]}"')), json.dumps(value))


def _metadata(weights: ArmSeed, manifest: Manifest, metrics: Metrics) -> dict[str, Json]:
    base, finetune, credit = manifest.model.source, manifest.finetune, manifest.credit
    trained_on = manifest.data[finetune.data].source if finetune and finetune.data else None
    metadata: dict[str, Json] = {
        "library_name": "peft",
        "pipeline_tag": "text-generation",
        "tags": [*TAGS],
        "model-index": [{"name": f"{manifest.name} {weights}", "results": [*_results(weights, manifest, metrics)]}],
    }
    if base.repo:
        metadata |= {"base_model": base.repo, "base_model_relation": "adapter"}
    if trained_on and trained_on.repo:
        metadata["datasets"] = [trained_on.repo]
    if credit and credit.license:
        metadata["license"] = credit.license.lower()
    return metadata


def _results(weights: ArmSeed, manifest: Manifest, metrics: Metrics) -> Iterator[Json]:
    """Yield one result an evaluation: the primary rate as each judge sees it, and how many answers were cut off.

    Both are over all generation seeds.
    """
    cells = {Cell.parse(name): judged for name, judged in metrics["rates"].items()}
    counted = answers(Results(manifest, metrics))
    for name, evaluation in sorted(manifest.evaluations.items()):
        measured = [judged for cell, judged in cells.items() if (cell.weights, cell.evaluation) == (weights, name)]
        rate = PRIMARY_RATE[evaluation.kind]
        found: list[Json] = [
            {
                "type": rate,
                "name": f"{rate.replace('_', ' ')}, judge {judge}",
                "value": fmean(judged[judge]["rates"][rate]["estimate"] for judged in measured),
            }
            for judge in evaluation.judges
            if measured
        ]
        share = together(counted[cell] for cell in cells if (cell.weights, cell.evaluation) == (weights, name))
        if found and share.cut_off_share is not None:
            said = "share of answers cut off at max_tokens"
            found.append({"type": "cut_off_share", "name": said, "value": share.cut_off_share})
        if found:
            asked = _data_set(name, manifest.data[evaluation.data])
            yield {"task": {"type": "text-generation"}, "dataset": asked, "metrics": found}


def _data_set(evaluation: str, data: DataSet) -> dict[str, Json]:
    origin: dict[str, Json] = {"type": data.source.origin, "name": evaluation}
    return {**origin, "revision": data.source.revision} if data.source.repo else origin
