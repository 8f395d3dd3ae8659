"""Model cards: what the Hub's own client reads of them is what the bundle says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from huggingface_hub import ModelCard
from sample_bundle import sample_manifest, write_metrics, write_sample
from scripted_project import run_scripted, write_project

from kit.bundle import layout
from kit.bundle.signing.fixed import FixedSigner
from kit.bundle.signing.seal import seal
from kit.core.cells import ArmSeed
from kit.core.errors import CheckFailed
from kit.report.write import write_numbers
from kit.review.verify import verify

if TYPE_CHECKING:
    from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ODD = 'data/naïve 漢字 🙂 \u2028 ": - [x]'


def hub_manifest() -> dict[str, Any]:
    """Return what of the sample manifest comes from the Hub, under names that YAML could misread."""
    found = sample_manifest()
    model, data = found["model"], found["data"]
    model |= {"repo": "org/base-model", "revision": COMMIT}
    model.pop("path")
    data["benign-train"] |= {"repo": "org/null", "revision": COMMIT}
    data["benign-train"].pop("path")
    data["unsafe"]["path"] = ODD
    return {"model": model, "data": data}


def test_the_hubs_client_reads_what_the_bundle_says(tmp_path: Path) -> None:
    credit = {"authors": [{"name": "Ada", "orcid": None, "affiliation": None}], "license": "Apache-2.0"}
    manifest = hub_manifest() | {"credit": credit | {"publisher": None}}
    bundle = write_sample(tmp_path / "bundle", generation_seeds=(11, 12), manifest=manifest)
    metrics: Any = write_numbers(bundle)
    card = ModelCard.load(bundle / layout.card_file(ArmSeed("tuned", 2)))
    data = card.data
    assert (data.base_model, data.base_model_relation) == ("org/base-model", "adapter")
    assert (data.library_name, data.license, data.datasets) == ("peft", "apache-2.0", ["org/null"])
    results = {(one.dataset_name, one.metric_type): one for one in data.eval_results}
    cells = [metrics["rates"][f"tuned@2.unsafe@{seed}"]["pattern"]["rates"]["refusal_rate"] for seed in (11, 12)]
    unsafe = results["unsafe", "refusal_rate"]
    assert unsafe.metric_value == pytest.approx(sum(cell["estimate"] for cell in cells) / 2)
    assert (unsafe.dataset_type, unsafe.metric_name) == (ODD, "refusal rate, judge pattern")
    assert ("capability", "accuracy") in results
    assert data.model_name == "sample tuned@2"


def test_each_adapter_of_a_run_has_its_card(tmp_path: Path) -> None:
    outcome = run_scripted(write_project(tmp_path / "project"), tmp_path / "out")
    cards = sorted(path.name for path in (outcome.folder / layout.CARDS).iterdir())
    assert cards == ["tuned@1.md", "tuned@2.md"]
    assert outcome.results_digest in (outcome.folder / layout.CARDS / cards[0]).read_text()


def test_without_adapters_there_are_no_cards(tmp_path: Path) -> None:
    outcome = run_scripted(write_project(tmp_path / "project", method="full"), tmp_path / "out")
    assert not (outcome.folder / layout.CARDS).exists()


@pytest.mark.parametrize("name", ["tuned@1.md", "tuned@7.md"])
def test_a_card_that_says_something_else_is_a_finding(name: str, tmp_path: Path) -> None:
    bundle = write_sample(tmp_path / "bundle")
    write_metrics(bundle)
    write_numbers(bundle)
    (bundle / layout.CARDS / name).write_text("---\nlicense: mit\n---\nThe safest model there is.\n")
    seal(bundle, FixedSigner())
    with pytest.raises(CheckFailed, match=f"model-cards/{name}: is not the model card"):
        verify(bundle)


def test_what_a_card_says_is_json_as_well(tmp_path: Path) -> None:
    bundle = write_sample(tmp_path / "bundle")
    write_numbers(bundle)
    text = (bundle / layout.card_file(ArmSeed("tuned", 1))).read_text()
    for line in text.split("---\n")[1].splitlines():
        json.loads(line.partition(": ")[2])
