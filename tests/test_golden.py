"""The bundles of releases, which every later kit verifies, compares and reports: docs/compatibility.md promises it."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from kit import __version__
from kit.bundle.signing.fixed import FixedSigner
from kit.bundle.signing.public_key import fingerprint
from kit.cli import group
from kit.review.receipt import check_receipt
from kit.review.verify import verify

if TYPE_CHECKING:
    from click.testing import Result

GOLDEN = Path(__file__).parent / "golden"
KNOWN: dict[str, str] = json.loads((GOLDEN / "bundles.json").read_text(encoding="utf-8"))
"""The results digest of each, as the release printed it."""
WHOLE = [name for name in KNOWN if not name.endswith("-redacted")]
MADE_NEW = "if no release has written this version yet, make the bundle again: python tests/golden/make.py"


def archive(name: str) -> Path:
    return GOLDEN / f"{name}.zip"


def kit(*arguments: object) -> Result:
    done = CliRunner().invoke(group, [*map(str, arguments)])
    assert done.exit_code == 0, f"{done.output}\n{MADE_NEW}; else the change rejects bundles that people have published"
    return done


def test_every_golden_bundle_is_known_and_there() -> None:
    assert {path.stem for path in GOLDEN.glob("*.zip")} == {*KNOWN}
    assert WHOLE


@pytest.mark.parametrize("name", KNOWN)
def test_a_released_bundle_verifies_as_zip_and_as_folder(name: str, tmp_path: Path) -> None:
    document = json.loads(kit("verify", "--json", archive(name)).stdout)
    assert document["results_digest"] == KNOWN[name]
    assert document["fingerprint"] == fingerprint(FixedSigner().public_key)
    told = " ".join(document["not_recomputed"])
    assert all(one["recomputed"] or f"`{one['name']}`" in told for one in document["blocks"])
    with zipfile.ZipFile(archive(name)) as file:
        file.extractall(tmp_path / "bundle")
    assert json.loads(kit("verify", "--json", tmp_path / "bundle").stdout) == document


@pytest.mark.parametrize("name", KNOWN)
def test_a_released_bundle_is_compared_and_reported(name: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy.zip"
    shutil.copyfile(archive(name), copy)
    assert json.loads(kit("diff", "--json", archive(name), copy).stdout)["grade"] == "bitwise"
    kit("report", archive(name), "--out", tmp_path / "report.html")
    assert KNOWN[name] in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", WHOLE)
def test_a_released_bundle_is_the_same_as_its_redacted_copy(name: str) -> None:
    found = json.loads(kit("diff", "--json", archive(name), archive(f"{name}-redacted")).stdout)
    assert found["grade"] == "verdicts"


@pytest.mark.parametrize("name", WHOLE)
def test_a_receipt_of_a_released_bundle_still_speaks_of_it(name: str) -> None:
    checked = check_receipt(GOLDEN / f"{name}.receipt.json", verify(archive(name)), None)
    assert checked.receipt.grade == "bitwise"
    assert checked.receipt.kit == name


@pytest.mark.skipif(__version__ not in KNOWN, reason="the golden bundle of this version is made at its release")
def test_the_bundle_of_this_version_is_computed_again_as_a_whole() -> None:
    found = verify(archive(__version__))
    assert found.not_recomputed == (), MADE_NEW
