"""The bundle as a research object: what archives are told of it follows from its files."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from sample_bundle import write_sample

from kit.bundle import layout
from kit.bundle.files import walk
from kit.bundle.signing.fixed import FixedSigner
from kit.bundle.signing.seal import seal
from kit.cli.compared import compare_bundles
from kit.core.errors import CheckFailed
from kit.review.diff.evidence import Influence
from kit.review.verify import verify
from kit.spec.manifest.load import load_manifest

CHECKOUT = Path(__file__).parents[1]
VALIDATOR = CHECKOUT / ".venv/crate/bin/python"


def sealed(folder: Path, **changes: Any) -> Path:
    write_sample(folder, per_category=1, **changes)
    seal(folder, FixedSigner())
    return folder


def entities(bundle: Path) -> dict[str, dict[str, Any]]:
    return {entity["@id"]: entity for entity in json.loads((bundle / layout.CRATE).read_text())["@graph"]}


def test_every_file_that_is_signed_is_described_with_its_size(tmp_path: Path) -> None:
    bundle = sealed(tmp_path / "bundle")
    described = entities(bundle)
    names = {name: size for name, size in walk(bundle).items() if not name.startswith("signatures/")}
    del names[str(layout.CRATE)]
    assert {part["@id"] for part in described["./"]["hasPart"]} == names.keys()
    assert {name: described[name]["contentSize"] for name in names} == {n: str(size) for n, size in names.items()}
    assert described["#run"]["endTime"] == "2026-11-02T10:01:30+00:00"
    assert "CC0-1.0" in described["./"]["license"]


def test_what_archives_are_told_is_what_the_files_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("kit.bundle.signing.seal.crate_metadata", lambda *_: {"@graph": []})
        bundle = sealed(tmp_path / "bundle")
    with pytest.raises(CheckFailed, match=r"ro-crate-metadata\.json: is not what the bundle's other files give"):
        verify(bundle)
    seal(bundle, FixedSigner())
    verify(bundle)


def issues(bundle: Path, tmp_path: Path) -> list[str]:
    if not VALIDATOR.is_file():
        pytest.skip("roc-validator is not installed; tests/run does it")
    script = [VALIDATOR, CHECKOUT / "tests/crate/validate.py", bundle, tmp_path / "cache"]
    done = subprocess.run(script, capture_output=True, text=True, check=True, timeout=300)
    lines = done.stdout.splitlines()
    assert int(lines[-1].split()[0]) > 90
    return lines[:-1]


def test_the_research_object_is_valid(tmp_path: Path) -> None:
    """What is only recommended and missing is people: nobody said who they are."""
    missing = "\n".join(issues(sealed(tmp_path / "bundle"), tmp_path))
    assert "REQUIRED" not in missing
    assert len(missing.splitlines()) == 4, missing
    assert all(word in missing for word in ("agent", "author", "lisher", "license"))


CREDIT = {
    "authors": [
        {
            "name": name,
            "orcid": f"https://orcid.org/0000-0002-1825-009{number}",
            "affiliation": {"name": "A University", "url": "https://university.example"},
        }
        for number, name in enumerate(("One Author", "Another Author"))
    ],
    "license": "CC-BY-4.0",
    "publisher": {"name": "An Archive", "url": "https://archive.example"},
}


def test_with_its_people_the_research_object_has_all_that_is_recommended(tmp_path: Path) -> None:
    bundle = sealed(tmp_path / "bundle", manifest={"credit": CREDIT})
    verify(bundle)
    assert issues(bundle, tmp_path) == []


def test_who_made_a_study_does_not_make_it_another(tmp_path: Path) -> None:
    named, unnamed = (
        sealed(tmp_path / name, manifest={"credit": credit}) for name, credit in (("a", CREDIT), ("b", None))
    )
    changes = compare_bundles(named, unnamed).evidence.changes
    assert {change.influence for change in changes} == {Influence.NONE}
    plain = sealed(tmp_path / "c")
    assert load_manifest(plain / "manifest.json").digest == load_manifest(unnamed / "manifest.json").digest


@pytest.mark.parametrize(
    ("field", "value"),
    [("license", "see file\n"), ("authors", []), ("publisher", {"name": "x", "url": "javascript:alert(1)"})],
)
def test_what_is_no_credit_is_refused(field: str, value: Any, tmp_path: Path) -> None:
    with pytest.raises(CheckFailed, match=field):
        sealed(tmp_path / "bundle", manifest={"credit": {**CREDIT, field: value}})
