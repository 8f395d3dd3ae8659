"""Numbers, reports and cards of other versions: told one by one, never taken for forged, never passed over."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from sample_bundle import write_sample

from kit import __version__
from kit.bundle import layout
from kit.bundle.contents import load_contents
from kit.bundle.signing.fixed import FixedSigner
from kit.bundle.signing.seal import seal
from kit.cli import group
from kit.core.canonical import canonical_json
from kit.core.errors import CheckFailed
from kit.report.write import write_numbers
from kit.review.verify import verify
from kit.stats import metrics
from kit.stats.metrics import Block

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OTHER_KIT = {"version": "9.1", "source": "xxh3_128:" + "9" * 32}


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a bundle that this very kit wrote."""
    folder = write_sample(tmp_path_factory.mktemp("pristine") / "bundle")
    write_numbers(folder)
    seal(folder, FixedSigner())
    return folder


@pytest.fixture
def bundle(pristine: Path, tmp_path: Path) -> Path:
    return shutil.copytree(pristine, tmp_path / "bundle")


@pytest.fixture
def of_another_kit(bundle: Path) -> Path:
    edit(bundle / layout.RUN, lambda run: run.update(kit=OTHER_KIT))
    seal(bundle, FixedSigner())
    return bundle


def edit(path: Path, change: Callable[[Any], object]) -> None:
    document = json.loads(path.read_text(encoding="utf-8"))
    change(document)
    path.write_bytes(canonical_json(document))


def edit_metrics(bundle: Path, change: Callable[[Any], object]) -> None:
    edit(bundle / layout.METRICS, change)
    seal(bundle, FixedSigner())


def raised(name: str) -> Callable[[Any], object]:
    return lambda document: document["versions"].update({name: 7})


def of_blocks(bundle: Path) -> list[str]:
    """Return what is said of numbers and documents; nothing is said here of verdicts, which a sample has by hand."""
    return [sentence for sentence in verify(bundle).not_recomputed if not sentence.startswith("the verdicts of")]


def test_a_bundle_of_this_kit_is_computed_again_as_a_whole(bundle: Path) -> None:
    found = verify(bundle)
    assert of_blocks(bundle) == []
    assert {one.name: one.version for one in found.blocks} == metrics.current_versions()
    assert all(one.recomputed for one in found.blocks)


def test_a_statistic_that_a_later_kit_adds_rejects_no_older_bundle(
    of_another_kit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = verify(of_another_kit)
    added = Block("median", 1, lambda measured: {"cells": len(measured.judged)})
    monkeypatch.setattr(metrics, "BLOCKS", (*metrics.BLOCKS, added))
    after = verify(of_another_kit)
    assert after.numbers == before.numbers
    block, *documents = of_blocks(of_another_kit)
    assert block == "the block `median`: the bundle lacks it, and this kit writes its version 1"
    assert [one.split(":")[0] for one in documents] == ["report.html", "model-cards/"]


def test_a_block_that_a_later_kit_changes_is_computed_again_as_it_was(
    of_another_kit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (now,) = [block for block in metrics.BLOCKS if block.name == "flags"]
    later = replace(now, version=2, compute=lambda _: ["everything"])
    monkeypatch.setattr(metrics, "BLOCKS", (*metrics.BLOCKS, later))
    assert metrics.current_versions()["flags"] == 2
    assert all(one.recomputed for one in verify(of_another_kit).blocks)
    edit_metrics(of_another_kit, lambda document: document["flags"].append("more"))
    with pytest.raises(CheckFailed, match=r"\$\.flags\[\d\]: says \"more\" where the rows give nothing"):
        verify(of_another_kit)


def test_blocks_of_a_later_kit_verify_with_a_sentence_each(of_another_kit: Path) -> None:
    edit_metrics(
        of_another_kit, lambda document: document.update(median=[1], versions=document["versions"] | {"median": 3})
    )
    edit_metrics(of_another_kit, raised("rates"))
    found = verify(of_another_kit)
    median, rates, *_ = of_blocks(of_another_kit)
    assert median == "the block `median`: the bundle has its version 3, and this kit has no such block"
    said = (
        r"the block `rates`: .*version 7, and this kit writes version 1, which gives the same for (\d+) of \1 numbers"
    )
    assert re.match(said, rates)
    assert [one.name for one in found.blocks if not one.recomputed] == ["median", "rates"]
    assert "kit 9.1 wrote it; this is kit" in found.caveats()[-1]


def test_a_wrong_number_behind_an_unknown_version_is_seen(of_another_kit: Path) -> None:
    def lie(document: Any) -> None:
        document["differences"][0]["difference"]["estimate"] += 0.5
        raised("differences")(document)

    edit_metrics(of_another_kit, lie)
    sentence = of_blocks(of_another_kit)[0]
    same, both = map(int, re.findall(r"the same for (\d+) of (\d+) numbers that both have", sentence)[0])
    assert same == both - 1


def drop(document: Any) -> None:
    del document["differences"], document["versions"]["differences"]


def test_a_block_that_was_left_out_is_missed(of_another_kit: Path) -> None:
    edit_metrics(of_another_kit, drop)
    assert of_blocks(of_another_kit)[0].startswith("the block `differences`: the bundle lacks it")


@pytest.mark.parametrize("change", [raised("rates"), drop], ids=["raised", "left out"])
def test_who_claims_to_be_this_very_kit_has_its_blocks(change: Callable[[Any], object], bundle: Path) -> None:
    edit_metrics(bundle, change)
    with pytest.raises(CheckFailed, match="says that this very kit wrote it, which is not so of the block"):
        verify(bundle)


@pytest.mark.parametrize("version", [0, -1, True, "1", 1.5, None, 10**9])
def test_a_version_is_a_number_that_a_kit_can_have(version: Any, of_another_kit: Path) -> None:
    edit_metrics(of_another_kit, lambda document: document["versions"].update(rates=version))
    with pytest.raises(CheckFailed, match="is not made of blocks of which `versions` says the version"):
        verify(of_another_kit)


def test_a_name_that_could_deceive_is_no_block(of_another_kit: Path) -> None:
    name = "rates\n0 files forged"
    edit_metrics(of_another_kit, lambda document: document.update({name: 1}, versions=document["versions"] | {name: 1}))
    with pytest.raises(CheckFailed, match="is not made of blocks"):
        verify(of_another_kit)


@pytest.mark.parametrize(
    ("document", "place", "path"),
    [
        ("report", "report.html", layout.REPORT),
        ("model_cards", "model-cards/", layout.CARDS / "tuned@1.md"),
    ],
)
def test_a_document_of_another_version_is_told_and_one_of_this_is_held(
    document: str, place: str, path: Path, of_another_kit: Path
) -> None:
    (of_another_kit / path).write_text("other words", encoding="utf-8")
    seal(of_another_kit, FixedSigner())
    with pytest.raises(CheckFailed, match=f"{path}: is not the"):
        verify(of_another_kit)
    edit(of_another_kit / layout.DOCUMENTS, lambda versions: versions.update({document: 2}))
    seal(of_another_kit, FixedSigner())
    assert of_blocks(of_another_kit) == [f"{place}: version 2 wrote it, and this kit writes version 1"]


@pytest.mark.parametrize("content", ['{"report":"1"}', '{"report":0}', "[]"])
def test_versions_of_documents_are_versions(content: str, of_another_kit: Path) -> None:
    (of_another_kit / layout.DOCUMENTS).write_text(content)
    seal(of_another_kit, FixedSigner())
    with pytest.raises(CheckFailed, match=r"documents\.json: "):
        verify(of_another_kit)


def test_text_and_json_say_what_was_not_recomputed(of_another_kit: Path) -> None:
    edit_metrics(of_another_kit, raised("answers"))
    said = CliRunner().invoke(group, ["verify", str(of_another_kit)])
    assert said.exit_code == 0
    assert "not recomputed: the block `answers`: the bundle has its version 7" in said.stdout
    assert "what was not recomputed is the signer's word alone" in said.stdout
    document = json.loads(CliRunner().invoke(group, ["verify", "--json", str(of_another_kit)]).stdout)
    assert [one["name"] for one in document["blocks"] if not one["recomputed"]] == ["answers"]
    assert document["written_by"] == OTHER_KIT


def test_what_a_later_kit_adds_to_the_manifest_is_refused_with_its_name(of_another_kit: Path) -> None:
    edit(of_another_kit / layout.MANIFEST, lambda manifest: manifest.update(novelty=1))
    with pytest.raises(CheckFailed) as caught:
        load_contents(of_another_kit)
    first, second = caught.value.problems
    assert f"says that kit 9.1 wrote this bundle, and this is kit {__version__}" in str(first)
    assert "novelty" in str(second)
