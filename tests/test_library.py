"""`import kit`: what programs and notebooks build on, from a folder and from a zip."""

from __future__ import annotations

import doctest
import json
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sample_bundle import sample_manifest, write_sample
from scripted_project import CHECKOUT, kit_environment, run_scripted, write_project
from scripted_project import kit as run_kit

import kit
import kit.library.bundle
import kit.library.comparison
import kit.library.table
from kit.bundle.archive import open_bundle
from kit.bundle.contents import load_contents, open_contents
from kit.bundle.layout import COMPLETIONS, PROMPTS, VERDICTS
from kit.bundle.signing.fixed import FixedSigner
from kit.bundle.signing.public_key import ssh_line
from kit.core.canonical import read_rows
from kit.review.redact.bundle import Options, redact
from kit.review.redact.commitment import RedactionKey

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kit.core.canonical import Json

PAGE = CHECKOUT / "docs/library.md"
EXAMPLES = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
TOLD_TO_NOBODY = {"torch", "transformers", "vllm", "click", "rich", "datasets"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with `bundle`, `bundle.zip`, and their redactions `shared` and `shared.zip`."""
    folder = tmp_path_factory.mktemp("library")
    run_scripted(write_project(folder / "project"), folder / "bundle")
    options = Options(everything=True)
    redact(folder / "bundle", folder / "shared", options, key=RedactionKey(bytes(32)), signer=FixedSigner())
    return folder


@pytest.fixture(params=["bundle", "bundle.zip"])
def path(request: pytest.FixtureRequest, folder: Path) -> Path:
    return folder / str(request.param)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder in which zips are unpacked during one test."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def rows_on_disk(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.iterdir()):
        yield from read_rows(path)


def test_tables_hold_every_row_of_the_bundle_each_time_they_are_walked(path: Path, folder: Path) -> None:
    bundle = kit.load(path)
    payload = folder / "bundle"
    for table, place, column in (
        (bundle.prompts(), PROMPTS, "text"),
        (bundle.completions(), COMPLETIONS, "text"),
        (bundle.verdicts(), VERDICTS, "rule"),
    ):
        expected = sorted(row[column] for row in rows_on_disk(payload / place))
        for _ in range(2):
            assert sorted(getattr(row, column) for row in table) == expected
        assert len(table) == len(expected) > 0
        assert next(row._fields for row in table) == table.columns
    answer = next(row for row in bundle.completions() if row.arm == "tuned" and row.training_seed == 2)
    assert answer.cell == f"tuned@2.{answer.evaluation}@11"
    assert answer.tokens == len(answer.token_ids or ())
    assert bundle.manifest["name"] == "scripted"
    assert bundle.metrics == json.loads((payload / "payload/metrics.json").read_text())
    assert not bundle.withheld
    assert not bundle.incomplete


def test_a_folder_and_its_zip_are_the_same_bundle(folder: Path) -> None:
    one, other = kit.load(folder / "bundle"), kit.load(str(folder / "bundle.zip"))
    assert list(one.completions()) == list(other.completions())
    assert one.results_digest == other.results_digest == one.verify().results_digest
    comparison = kit.diff(one, folder / "bundle.zip")
    assert (comparison.grade, comparison.agrees("bitwise")) == ("bitwise", True)
    assert str(comparison).startswith("bitwise: ")
    assert comparison.to_json()["grade"] == "bitwise"
    assert one.prompts().columns[0] == "evaluation"  # still open: a bundle of the user's is not closed


def test_after_a_with_a_table_still_reads_and_the_bundle_says_that_it_is_closed(path: Path, temporary: Path) -> None:
    with kit.load(path) as bundle:
        table = bundle.completions()
    assert len(list(table)) == len(table) > 0
    with pytest.raises(kit.OperationalError, match=r"was closed.*call `kit\.load` again"):
        bundle.completions()
    assert "closed" in repr(bundle)
    assert path.exists()
    del table
    assert list(temporary.iterdir()) == []


def test_a_bundle_is_read_from_wherever_the_user_has_gone_to(
    path: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    bundle = kit.load(path.name)
    monkeypatch.chdir(tmp_path)
    assert len(list(bundle.verdicts())) == 84
    assert bundle.verify().results_digest == bundle.results_digest
    assert repr(bundle).startswith(f"<Bundle {path.name}: ")


def test_what_the_manifest_does_not_call_for_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "bundle", tmp_path / "bundle")
    (tmp_path / "bundle/payload/more.jsonl").write_text("{}\n")
    (tmp_path / "bundle/payload/verdicts/link").symlink_to("/etc/passwd")
    with pytest.raises(kit.CheckFailed, match="link: is a link"):
        kit.load(tmp_path / "bundle")
    (tmp_path / "bundle/payload/verdicts/link").unlink()
    with pytest.raises(kit.CheckFailed, match=r"more\.jsonl: is not called for by the manifest"):
        kit.load(tmp_path / "bundle")


def test_nothing_is_left_behind_by_what_cannot_be_loaded(temporary: Path) -> None:
    broken = temporary / "broken.zip"
    broken.write_bytes(b"PK\x03\x04 and nothing more")
    with pytest.raises(kit.CheckFailed, match=re.escape(str(broken))):
        kit.load(broken)
    with pytest.raises(kit.OperationalError, match="cannot be read"):
        kit.load(temporary / "absent.zip")
    assert list(temporary.iterdir()) == [broken]


def test_rows_that_are_not_there_any_more_are_an_error_and_never_nothing(folder: Path, tmp_path: Path) -> None:
    with open_bundle(folder / "bundle.zip") as unpacked:
        contents = [load_contents(unpacked), open_contents(unpacked)]
    for one in contents:
        for rows in one.completions.values():
            with pytest.raises(kit.OperationalError, match="not there any more"):
                list(rows)
            with pytest.raises(kit.OperationalError, match="not there any more"):
                len(rows)
    shutil.copytree(folder / "bundle", tmp_path / "moved")
    table = kit.load(tmp_path / "moved").completions()
    shutil.rmtree(tmp_path / "moved")
    for read in (list, lambda rows: rows.to_pandas()):
        with pytest.raises(kit.OperationalError, match="not there any more"):
            read(table)


def test_what_is_withheld_is_none_and_said(folder: Path) -> None:
    shared, whole = kit.load(folder / "shared.zip"), kit.load(folder / "bundle")
    assert shared.withheld == ("sums", "unsafe", "unsafe-sampled")
    assert {(row.text, row.answer, row.withheld) for row in shared.prompts()} == {(None, None, True)}
    told = {(row.text, row.token_ids, row.prompt_tokens, row.withheld) for row in shared.completions()}
    assert told == {(None, None, None, True)}
    assert [row.tokens for row in shared.completions()] == [row.tokens for row in whole.completions()]
    assert list(shared.verdicts()) == list(whole.verdicts())
    for said in (repr(shared), repr(shared.completions()), *shared.prompts().notes):
        assert f"redacted from {whole.results_digest}" in said
    frame = shared.completions().to_pandas()
    assert frame.text.tolist() == [None] * len(frame)
    assert kit.diff(whole, shared).grade == "verdicts"


def test_bundles_of_every_release_can_be_loaded() -> None:
    golden = sorted((CHECKOUT / "tests/golden").glob("*.zip"))
    assert golden
    for path in golden:
        bundle = kit.load(path)
        completions = list(bundle.completions())
        assert len(completions) == len(bundle.completions()) > 0
        assert all((row.text is None) == row.withheld for row in completions)
        assert list(bundle.prompts())
        assert list(bundle.verdicts())
        assert bundle.metrics


def test_verification_names_the_signer_and_what_is_wrong_in_the_file_that_the_user_named(
    folder: Path, tmp_path: Path
) -> None:
    bundle = kit.load(folder / "bundle.zip")
    found = bundle.verify()
    assert not found.signer_known
    assert bundle.verify(signer=found.fingerprint).signer_known
    with pytest.raises(kit.CheckFailed, match="is not a key that you named"):
        bundle.verify(signer=f"SHA256:{'A' * 43}")
    shutil.copytree(folder / "bundle", tmp_path / "tampered")
    metrics = tmp_path / "tampered/payload/metrics.json"
    metrics.write_bytes(metrics.read_bytes() + b" ")
    with pytest.raises(kit.CheckFailed, match="changed after signing"):
        kit.load(tmp_path / "tampered").verify()


def test_keys_that_are_passed_over_are_a_warning(folder: Path, tmp_path: Path) -> None:
    signers = tmp_path / "allowed_signers"
    rsa = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC7"
    signers.write_text(f"author {ssh_line(FixedSigner().public_key)}\nother {rsa}\n")
    with pytest.warns(UserWarning, match="ssh-rsa does not sign bundles"):
        assert kit.load(folder / "bundle").verify(signers).signer == "author"


def test_data_frames_have_the_types_that_the_rows_declare(path: Path) -> None:
    bundle = kit.load(path)
    frame = bundle.completions().to_pandas()
    assert list(frame.itertuples(index=False, name=None)) == [
        tuple(row) if row.training_seed is not None else (*row[:2], frame.training_seed[0], *row[3:])
        for row in bundle.completions()
    ]
    assert str(frame.training_seed.dtype) == "Int64"
    assert frame.training_seed.isna().sum() == (frame.arm == "base").sum() > 0
    assert {str(frame[name].dtype) for name in ("generation_seed", "seed")} == {"int64"}
    refused = bundle.verdicts().to_pandas().query("evaluation == 'unsafe'").groupby("arm").verdict
    assert set(refused.value_counts().index.get_level_values("arm")) == {"base", "tuned"}


def test_parquet_repeats_and_says_whose_rows_it_holds(folder: Path, tmp_path: Path) -> None:
    from pyarrow.parquet import read_table

    one, other = kit.load(folder / "bundle"), kit.load(folder / "bundle.zip")
    for name in ("prompts", "completions", "verdicts"):
        table = getattr(one, name)()
        table.to_parquet(tmp_path / name)
        getattr(other, name)().to_parquet(tmp_path / "again")
        assert (tmp_path / name).read_bytes() == (tmp_path / "again").read_bytes()
        read = read_table(tmp_path / name)
        assert read.column_names == [*table.columns]
        plain = [{**row._asdict()} for row in table]
        for row in plain:
            if row.get("token_ids") is not None:
                row["token_ids"] = list(row["token_ids"])
        assert read.to_pylist() == plain
        assert read.schema.metadata[b"kit:results_digest"] == one.results_digest.encode()
        assert read.schema.metadata[b"kit:table"] == name.encode()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "completions", "prompts", "verdicts"]


def test_a_parquet_file_appears_whole_or_not_at_all(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "bundle", tmp_path / "bundle")
    table = kit.load(tmp_path / "bundle").completions()
    last = max((tmp_path / "bundle" / COMPLETIONS).iterdir())
    last.write_bytes(last.read_bytes() + b"{}\n")
    target = tmp_path / "completions.parquet"
    target.write_text("what was there")
    with pytest.raises(kit.CheckFailed, match=re.escape(last.name)):
        table.to_parquet(target)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle", target.name]
    assert target.read_text() == "what was there"


@pytest.mark.parametrize("package", ["pandas", "pyarrow"])
def test_a_package_that_is_not_there_is_named_with_its_remedy(
    package: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = kit.load(folder / "bundle").verdicts()
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(kit.OperationalError, match=f"{package}: is not installed.*pip install {package}"):
        table.to_pandas() if package == "pandas" else table.to_parquet(tmp_path / "verdicts.parquet")
    assert list(tmp_path.iterdir()) == []


def test_the_command_line_exports_the_tables(folder: Path, tmp_path: Path) -> None:
    result = run_kit("export", folder / "bundle.zip", "--parquet", tmp_path / "tables", home=tmp_path)
    assert result.returncode == 0, result.stderr
    kit.load(folder / "bundle").verdicts().to_parquet(tmp_path / "verdicts.parquet")
    assert (tmp_path / "tables/verdicts.parquet").read_bytes() == (tmp_path / "verdicts.parquet").read_bytes()
    again = run_kit("export", folder / "shared", "--parquet", tmp_path / "tables", home=tmp_path)
    assert again.returncode == 2
    assert again.stderr.count("--replace replaces it") == 3
    replaced = run_kit("export", folder / "shared", "--parquet", tmp_path / "tables", "--replace", home=tmp_path)
    assert replaced.returncode == 0
    assert "note: the texts of sums, unsafe, unsafe-sampled are withheld" in replaced.stderr


def test_an_export_says_that_it_holds_texts_which_may_not_be_published(tmp_path: Path) -> None:
    data: dict[str, Json] = {
        name: {**one, "publish": name != "unsafe"} for name, one in sample_manifest()["data"].items()
    }
    write_sample(tmp_path / "bundle", training_seeds=(1,), per_category=1, manifest={"data": data})
    result = run_kit("export", tmp_path / "bundle", "--parquet", tmp_path, home=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "note: the texts of unsafe are in it, which may not be published (`kit redact`)" in result.stderr


def test_importing_is_light_and_reading_needs_no_torch_and_no_command_line(folder: Path) -> None:
    code = """
import sys, kit
print(*(set(sys.modules) - before), file=sys.stderr)
len(list(kit.load("bundle.zip").completions())), kit.load("bundle").verify(), kit.diff("bundle", "shared")
print(*sys.modules)
"""
    result = subprocess.run(
        [sys.executable, "-c", f"import sys; before = set(sys.modules){code}"],
        cwd=folder,
        env=kit_environment(folder),
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {name for name in result.stderr.split() if name.startswith("kit")}
    assert imported == {"kit", "kit.core", "kit.core.version"}
    assert {name.partition(".")[0] for name in result.stdout.split()} & TOLD_TO_NOBODY == set()


def test_every_name_that_is_promised_is_there_and_typed() -> None:
    assert dir(kit) == sorted(kit.__all__) == [*kit.__all__]
    for name in kit.__all__:
        assert getattr(kit, name), name
    with pytest.raises(AttributeError, match="no attribute 'absent'"):
        kit.absent  # type: ignore[attr-defined]  # noqa: B018
    assert (CHECKOUT / "kit/py.typed").exists()


@pytest.mark.parametrize(
    "module", [kit, kit.library.bundle, kit.library.comparison, kit.library.table], ids=lambda module: module.__name__
)
def test_the_examples_of_the_library_are_true(module: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    results = doctest.testmod(module, extraglobs={"kit": kit}, optionflags=EXAMPLES)
    assert results.attempted > 0
    assert results.failed == 0


def test_the_page_about_the_library_is_a_session_that_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    session: dict[str, Any] = {}
    cells = re.findall(r"```python\n(.+?)```\n(?:\n```\n(.+?)```)?", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(cells) > 5
    for code, expected in cells:
        printed = StringIO()
        with redirect_stdout(printed):
            exec(compile(code, str(PAGE), "exec"), session)
        assert doctest.OutputChecker().check_output(expected, printed.getvalue(), EXAMPLES), (code, printed.getvalue())


def test_the_page_about_the_library_lists_every_column() -> None:
    listed = dict(re.findall(r"^\| `(\w+)\(\)` \| .+? \| (.+?) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    rows: dict[str, Any] = {"prompts": kit.PromptRow, "completions": kit.CompletionRow, "verdicts": kit.VerdictRow}
    assert {name: tuple(re.findall(r"`(\w+)`", columns)) for name, columns in listed.items()} == {
        name: row._fields for name, row in rows.items()
    }


@pytest.mark.slow
def test_a_fresh_environment_with_pandas_and_without_torch_is_enough(folder: Path, tmp_path: Path) -> None:
    uv, python = Path(sys.executable).with_name("uv"), tmp_path / "fresh/bin/python"
    environment = {**kit_environment(tmp_path), "UV_SYSTEM_CERTS": "1"}
    del environment["PYTHONPATH"]

    def run(*command: object) -> subprocess.CompletedProcess[str]:
        arguments = [*map(str, command)]
        return subprocess.run(arguments, env=environment, cwd=folder, capture_output=True, text=True, check=False)

    assert run(uv, "venv", "--python", sys.executable, python.parents[1]).returncode == 0
    installed = run(uv, "pip", "install", "--python", python, "pandas", CHECKOUT)
    if "error sending request" in installed.stderr or "dns error" in installed.stderr:
        pytest.skip("no package index can be reached")
    assert installed.returncode == 0, installed.stderr
    shown = run(python, "-c", "import kit; print(kit.load('bundle.zip').completions().to_pandas())")
    assert "[84 rows x 14 columns]" in shown.stdout, shown.stderr
    written = run(python, "-c", "import kit; kit.load('bundle.zip').verdicts().to_parquet('verdicts.parquet')")
    assert "pyarrow: is not installed in this environment; run `pip install pyarrow`" in written.stderr
    exported = run(python.with_name("kit"), "export", "bundle.zip", "--parquet", tmp_path / "tables")
    assert exported.returncode == 2
    assert exported.stderr.startswith("pyarrow: is not installed in this environment")
