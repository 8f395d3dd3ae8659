"""A paper carries its evidence, gives it back byte for byte, and a stranger's PDF can do no harm."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pikepdf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pikepdf import Array, Dictionary, Name, String
from sample_bundle import sample_manifest, write_sample
from sample_paper import METADATA, SLIDES, with_compressed, with_files, write_paper
from scripted_project import CHECKOUT, kit, kit_environment, run_scripted, write_project
from tools import tool

from kit.bundle.archive import write_zip
from kit.bundle.papers import pdf as seam
from kit.bundle.papers.attachment import MANIFEST, PUBLIC_KEY, STATEMENT, Attachment, attachment
from kit.bundle.papers.evidence import of_attachments
from kit.bundle.signing.fixed import FixedSigner
from kit.bundle.signing.seal import seal
from kit.core.canonical import canonical_json
from kit.core.errors import KitError
from kit.spec.manifest.places import Places

if TYPE_CHECKING:
    from collections.abc import Callable

    from kit.run.pipeline import Outcome

INSIDE = {
    MANIFEST: "manifest.json",
    STATEMENT: "signatures/statement.dsse.json",
    PUBLIC_KEY: "signatures/public_key.pem",
}
"""Name in a PDF → file of the bundle."""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_sample(tmp_path_factory.mktemp("sample") / "bundle")
    seal(folder, FixedSigner())
    write_zip(folder, folder.with_suffix(".zip"))
    return folder


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Return a manifest as its author wrote it, which is not how the kit would."""
    path = tmp_path / "study.json"
    path.write_text(json.dumps({"$comment": "a remark", **sample_manifest()}, indent=3), encoding="utf-8")
    return path


@pytest.fixture
def paper(tmp_path: Path) -> Path:
    return write_paper(tmp_path / "paper.pdf")


def attached(source: Path, paper: Path, out: str = "out.pdf", **options: Any) -> Path:
    """Attach with the command line and return the new PDF."""
    result = kit("attach", source, paper, "--out", out, home=paper.parent, **options)
    assert result.returncode == 0, result.stderr
    return paper.parent / out


def refused(*arguments: object, home: Path, code: int = 1) -> str:
    """Return what the kit says of something that it refuses, and make sure that nothing was left behind."""
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    result = kit(*arguments, home=home)
    assert result.returncode == code, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before
    return result.stderr


def test_a_manifest_comes_out_as_its_author_wrote_it(manifest: Path, paper: Path, tmp_path: Path) -> None:
    out = attached(manifest, paper)
    result = kit("extract", out, "--out", tmp_path / "taken", home=tmp_path)
    assert (tmp_path / "taken" / MANIFEST).read_bytes() == manifest.read_bytes()
    said = subprocess.run(["sha256sum", manifest], capture_output=True, text=True, check=True).stdout.split()[0]
    assert result.stdout == f"manifest: sha256:{said}\n"
    answer = json.loads(kit("extract", out, "--out", tmp_path / "taken", "--json", home=tmp_path).stdout)
    assert (answer["ok"], answer["manifest_sha256"], answer["results_digest"]) == (True, said, None)


@pytest.mark.parametrize("form", ["bundle", "bundle.zip"])
def test_a_bundle_is_attached_as_its_signed_statement(form: str, bundle: Path, paper: Path, tmp_path: Path) -> None:
    result = kit("attach", bundle.with_name(form), paper, home=tmp_path)
    verified = kit("verify", bundle, home=tmp_path).stdout
    digest, signer = verified.splitlines()[-1], verified.split(",")[1].split()[-1]
    assert result.stdout == f"{digest}, signed by {signer}\n"
    taken = kit("extract", tmp_path / "paper-attached.pdf", "--out", tmp_path / "taken", home=tmp_path)
    assert taken.stdout.splitlines()[-1] == result.stdout.strip()
    assert "whom you have not named" in taken.stdout
    assert {path.name for path in (tmp_path / "taken").iterdir()} == INSIDE.keys()
    for name, file in INSIDE.items():
        assert (tmp_path / "taken" / name).read_bytes() == (bundle / file).read_bytes()
    named = kit("extract", tmp_path / "paper-attached.pdf", "--out", "taken", "--signer", signer, home=tmp_path)
    assert "whom you named" in named.stdout
    other = f"SHA256:{'A' * 43}"
    refused = kit("extract", tmp_path / "paper-attached.pdf", "--out", "no", "--signer", other, home=tmp_path)
    assert (refused.returncode, (tmp_path / "no").exists()) == (1, False)
    assert "is not a key that you named" in refused.stderr


@pytest.mark.parametrize("saving", [{}, {"linearize": True}, {"object_stream_mode": pikepdf.ObjectStreamMode.generate}])
@pytest.mark.parametrize("client", ["pdfdetach", "qpdf"])
def test_other_programs_take_it_out_as_well(client: str, saving: dict[str, Any], bundle: Path, tmp_path: Path) -> None:
    tool(client)
    out = attached(bundle, write_paper(tmp_path / "paper.pdf", **saving))
    for name, file in INSIDE.items():
        if client == "qpdf":
            run = subprocess.run(["qpdf", f"--show-attachment={name}", out], capture_output=True, check=True)
            found = run.stdout
        else:
            subprocess.run(["pdfdetach", "-saveall", "-o", tmp_path, out], capture_output=True, check=True)
            found = (tmp_path / name).read_bytes()
        assert found == (bundle / file).read_bytes()
    if client == "qpdf":
        subprocess.run(["qpdf", "--check", out], capture_output=True, check=True)


def test_the_same_input_gives_the_same_bytes(bundle: Path, paper: Path) -> None:
    other = {"PYTHONHASHSEED": "7", "TZ": "Asia/Kathmandu", "LC_ALL": "C"}
    first, second = attached(bundle, paper), attached(bundle, paper, "again.pdf", env=other)
    assert first.read_bytes() == second.read_bytes()
    assert attached(bundle, first, "third.pdf").read_bytes() == first.read_bytes()


def test_the_files_are_associated_with_the_document(bundle: Path, paper: Path) -> None:
    with pikepdf.open(attached(bundle, paper)) as pdf:
        associated = {str(one.UF): str(one.AFRelationship) for one in pdf.Root.AF if str(one.UF) in INSIDE}
        assert associated == dict.fromkeys(INSIDE, "/Data")
        assert set(pdf.attachments) == {"slides.txt", *INSIDE}


def test_attaching_again_replaces_what_is_the_kits_and_nothing_else(
    bundle: Path, manifest: Path, tmp_path: Path
) -> None:
    def associate(pdf: pikepdf.Pdf) -> None:
        pdf.Root.AF = Array([pdf.attachments["slides.txt"].obj])

    paper = write_paper(tmp_path / "paper.pdf", associate)
    out = attached(manifest, attached(bundle, paper), "second.pdf")
    with pikepdf.open(paper) as before, pikepdf.open(out) as after:
        assert set(after.attachments) == {"slides.txt", MANIFEST}
        assert after.attachments["slides.txt"].get_file().read_bytes() == SLIDES
        assert [str(one.UF) for one in after.Root.AF] == ["slides.txt", MANIFEST]
        assert after.Root.Metadata.read_raw_bytes() == METADATA
        assert after.docinfo.items() == before.docinfo.items()
        assert after.pages[0].Contents.read_raw_bytes() == before.pages[0].Contents.read_raw_bytes()
    assert attached(manifest, paper, "once.pdf").read_bytes() == out.read_bytes()


def test_no_file_is_overwritten_unless_that_is_asked(manifest: Path, paper: Path, tmp_path: Path) -> None:
    assert "--replace" in refused("attach", manifest, paper, "--out", paper, home=tmp_path, code=2)
    before = paper.read_bytes()
    attached(manifest, paper)
    assert paper.read_bytes() == before
    (tmp_path / MANIFEST).write_text("mine")
    assert "--replace" in refused("extract", tmp_path / "out.pdf", home=tmp_path, code=2)
    assert kit("attach", manifest, paper, "--out", paper, "--replace", home=tmp_path).returncode == 0
    assert kit("extract", paper, "--replace", home=tmp_path).returncode == 0
    assert (tmp_path / MANIFEST).read_bytes() == manifest.read_bytes()


def test_only_what_is_right_is_attached(bundle: Path, manifest: Path, paper: Path, tmp_path: Path) -> None:
    tampered = Path(shutil.copytree(bundle, tmp_path / "tampered"))
    (tampered / "payload/metrics.json").write_text("{}")
    assert "was changed after signing" in refused("attach", tampered, paper, home=tmp_path)
    manifest.write_text(json.dumps(sample_manifest(model={"path": "models/tiny", "dtype": "float32"})))
    assert "kit pin" in refused("attach", manifest, paper, home=tmp_path)


def encrypted(user: str) -> dict[str, Any]:
    return {"encryption": pikepdf.Encryption(owner="owner", user=user), "deterministic_id": False}


def sign(pdf: pikepdf.Pdf) -> None:
    pdf.Root.AcroForm = Dictionary(SigFlags=3, Fields=Array())


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda path: write_paper(path, **encrypted("user")), "is encrypted"),
        (lambda path: write_paper(path, **encrypted("")), "is encrypted"),
        (lambda path: path.write_bytes(write_paper(path).read_bytes()[:-300]), "is broken"),
        (lambda path: path.write_bytes(b"%PDF-1.7\n" + b"\0" * 500), "is broken"),
        (lambda path: path.write_bytes(b"%PDF-1.7\n" + b"<<" * 200_000), "is broken"),
        (lambda path: path.write_text("a text"), "is not a PDF"),
        (lambda path: path.write_bytes(b""), "is not a PDF"),
    ],
    ids=["encrypted", "protected", "truncated", "empty inside", "nested", "text", "nothing"],
)
def test_what_is_no_whole_open_pdf_is_refused(
    make: Callable[[Path], object], what: str, manifest: Path, tmp_path: Path
) -> None:
    paper = tmp_path / "paper.pdf"
    make(paper)
    assert what in refused("attach", manifest, paper, home=tmp_path)
    assert what in refused("extract", paper, home=tmp_path)
    assert what in refused("reproduce", paper, home=tmp_path)


def test_a_signed_pdf_is_not_broken(manifest: Path, tmp_path: Path) -> None:
    paper = write_paper(tmp_path / "paper.pdf", sign)
    assert "digitally signed" in refused("attach", manifest, paper, home=tmp_path)


def test_a_damaged_object_deep_in_a_paper_is_not_written_on(manifest: Path, paper: Path, tmp_path: Path) -> None:
    damaged = paper.read_bytes().replace(b"/BaseFont /Helvetica", b"/BaseFont <<elvetica")
    paper.write_bytes(damaged)
    assert "paper.pdf" in refused("attach", manifest, paper, home=tmp_path)


def test_a_paper_without_a_manifest_says_so(paper: Path, tmp_path: Path) -> None:
    assert "carries no manifest" in refused("extract", paper, home=tmp_path)
    assert "cannot be read" in refused("extract", tmp_path / "none.pdf", home=tmp_path, code=2)
    assert "is not a file" in refused("extract", tmp_path, home=tmp_path, code=2)


def whole(bundle: Path) -> list[tuple[str, bytes]]:
    return [(name, (bundle / file).read_bytes()) for name, file in INSIDE.items()]


def described(*contents: tuple[str, bytes]) -> Callable[[pikepdf.Pdf], None]:
    """Return a change that attaches files with the descriptions that fit them."""

    def change(pdf: pikepdf.Pdf) -> None:
        with_files(*contents)(pdf)
        for leaf, (name, data) in zip([*pdf.Root.Names.EmbeddedFiles.Names][1::2], contents, strict=True):
            leaf.Desc = String(attachment(name, data).description)

    return change


def test_no_attachment_can_be_exchanged(bundle: Path, tmp_path: Path) -> None:
    paper = tmp_path / "paper.pdf"
    files = dict(whole(bundle))
    changed = files[MANIFEST].replace(b'"max_steps":6', b'"max_steps":7')
    write_paper(paper, with_files((MANIFEST, changed)))
    assert "was changed after it was attached" in refused("extract", paper, home=tmp_path)
    write_paper(paper, described(*(files | {MANIFEST: changed}).items()))
    assert "is not the manifest that the signed statement" in refused("extract", paper, home=tmp_path)
    statement = files[STATEMENT].replace(b'"payload":"ey', b'"payload":"eX')
    write_paper(paper, described(*(files | {STATEMENT: statement}).items()))
    assert STATEMENT in refused("extract", paper, home=tmp_path)
    write_paper(paper, described(*(files | {PUBLIC_KEY: b"no key"}).items()))
    assert STATEMENT in refused("extract", paper, home=tmp_path)
    write_paper(paper, described((MANIFEST, files[MANIFEST]), (STATEMENT, files[STATEMENT])))
    assert f"{PUBLIC_KEY} is missing" in refused("extract", paper, home=tmp_path)
    write_paper(paper, described((MANIFEST, b"[" * 100_000)))
    assert "nested" in refused("extract", paper, home=tmp_path)


def test_two_attachments_of_one_name_are_refused(bundle: Path, tmp_path: Path) -> None:
    paper, data = tmp_path / "paper.pdf", (bundle / "manifest.json").read_bytes()
    write_paper(paper, described((MANIFEST, data), (MANIFEST, data.replace(b'"max_steps":6', b'"max_steps":7'))))
    assert "several attachments called" in refused("extract", paper, home=tmp_path)
    mended = attached(bundle, paper)
    assert kit("extract", mended, "--out", "taken", home=tmp_path).returncode == 0

    def other_content(pdf: pikepdf.Pdf) -> None:
        described((MANIFEST, data))(pdf)
        pdf.Root.Names.EmbeddedFiles.Names[1].EF.UF = pdf.make_stream(b"{}")

    write_paper(paper, other_content)
    assert "two contents" in refused("extract", paper, home=tmp_path)
    write_paper(paper, with_files((MANIFEST, data), **{"/UF": String("study.json")}))
    assert "two names" in refused("extract", paper, home=tmp_path)


def test_names_of_a_pdf_lead_nowhere(bundle: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    names = ("../evil", "/tmp/evil", f"../{MANIFEST}", f"a/{MANIFEST}", "..\\evil", "evil\0")
    paper = write_paper(home / "paper.pdf", described(*whole(bundle)))
    with pikepdf.open(paper, allow_overwriting_input=True) as pdf:
        leaves = pdf.Root.Names.EmbeddedFiles.Names
        for name in names:
            spec = Dictionary(F=String(name), UF=String(name), EF=Dictionary(F=pdf.make_stream(b"evil")))
            leaves.extend([String(name), spec])
        pdf.save(paper)
    assert kit("extract", paper, "--out", home / "taken", home=home).returncode == 0
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {"paper.pdf", *INSIDE}


def circle(pdf: pikepdf.Pdf) -> None:
    node = pdf.make_indirect(Dictionary())
    node.Kids = Array([node, node])
    pdf.Root.Names = Dictionary(EmbeddedFiles=node)


def chain(pdf: pikepdf.Pdf) -> None:
    node = pdf.make_indirect(Dictionary(Names=Array()))
    for _ in range(20_000):
        node = pdf.make_indirect(Dictionary(Kids=Array([node])))
    pdf.Root.Names = Dictionary(EmbeddedFiles=node)


def crowd(pdf: pikepdf.Pdf) -> None:
    leaf = pdf.make_indirect(Dictionary(F=String("a")))
    pdf.Root.Names = Dictionary(EmbeddedFiles=Dictionary(Names=Array([String("a"), leaf] * 20_000)))


def odd(pdf: pikepdf.Pdf) -> None:
    pdf.Root.AF = Array([1, Name.A, Dictionary(F=3), Dictionary(UF=String(MANIFEST), EF=Dictionary(F=4))])
    pdf.Root.Names = Array([Dictionary()])


@pytest.mark.parametrize("make", [circle, chain, crowd, odd])
def test_a_tree_of_attachments_without_end_is_refused(
    make: Callable[[pikepdf.Pdf], None], manifest: Path, tmp_path: Path
) -> None:
    paper = write_paper(tmp_path / "paper.pdf", make)
    assert refused("extract", paper, home=tmp_path).startswith(f"{paper}: ")
    result = kit("attach", manifest, paper, home=tmp_path)
    assert result.returncode in (0, 1)
    assert "Traceback" not in result.stderr


# The peak of this program alone: `ru_maxrss` of a process starts at the size of the one that started it, here pytest.
MEASURED = """
import re, resource, sys
from pathlib import Path
from kit.cli import main
try:
    main()
finally:
    own = int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
    print(max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
"""


@pytest.mark.parametrize("filters", [1, 2, 3])
def test_a_bomb_takes_little_memory(filters: int, tmp_path: Path) -> None:
    compress = zlib.compressobj(9)
    data = b"".join(compress.compress(bytes(1 << 24)) for _ in range(32)) + compress.flush()
    for _ in range(filters - 1):
        data = zlib.compress(data, 9)
    plain = {"compress_streams": False, "stream_decode_level": pikepdf.StreamDecodeLevel.none}
    paper = write_paper(tmp_path / "bomb.pdf", with_compressed(MANIFEST, data, *[Name.FlateDecode] * filters), **plain)
    result = subprocess.run(
        [sys.executable, "-c", MEASURED, "extract", paper],
        env=kit_environment(tmp_path),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "bomb.pdf" in result.stderr
    assert int(result.stdout) < 200 << 10, "KiB of 512 MiB"


@pytest.fixture(scope="module")
def carrier(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[Attachment]]:
    """Return an attached PDF, and what it carries."""
    folder = tmp_path_factory.mktemp("carrier")
    own = [attachment(name, data) for name, data in whole(bundle)]
    seam.embed(write_paper(folder / "paper.pdf"), folder / "out.pdf", own)
    return (folder / "out.pdf").read_bytes(), own


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_mutated_pdf_gives_the_same_bytes_or_nothing(
    data: st.DataObject, carrier: tuple[bytes, list[Attachment]], tmp_path: Path
) -> None:
    """In this process, without the child: whatever ends it there is a refusal to the user."""
    original, own = carrier
    mutated = bytearray(original)
    references = [match.start() for match in re.finditer(rb"\d 0 R", original)]
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(original) - 61))
        kind = data.draw(st.sampled_from(["flip", "refer", "refer", "overwrite", "cut", "repeat"]))
        if kind == "flip":
            mutated[place] ^= 1 << data.draw(st.integers(0, 7))
        elif kind == "refer":
            mutated[data.draw(st.sampled_from(references))] = data.draw(st.sampled_from(b"123456789"))
        elif kind == "overwrite":
            word = data.draw(
                st.sampled_from([b"/F ", b"/UF ", b"/EF ", b"/Kids", b"/AF ", b"null", b"<<", b">>", b"["])
            )
            mutated[place : place + len(word)] = word
        elif kind == "cut":
            mutated[place : place + data.draw(st.integers(1, 40))] = b""
        else:
            mutated[place:place] = mutated[place : place + data.draw(st.integers(1, 40))]
        if len(mutated) < len(original):
            break
    paper = tmp_path / "paper.pdf"
    paper.write_bytes(mutated)
    try:
        found = seam.attachments(paper)
        files = dict(of_attachments(found, paper, Places(tmp_path)).files)
    except (seam.PdfError, KitError):
        return
    assert files in ({one.name: one.data for one in own}, {MANIFEST: own[0].data})


@pytest.mark.parametrize("seed", range(12))
def test_the_command_ends_in_order_on_a_mutated_pdf(
    seed: int, carrier: tuple[bytes, list[Attachment]], tmp_path: Path
) -> None:
    original, own = carrier
    place = (seed * 2_654_435_761) % len(original)
    paper = tmp_path / "paper.pdf"
    paper.write_bytes(original[:place] + bytes([original[place] ^ (1 << seed % 8)]) + original[place + 1 :])
    result = kit("extract", paper, "--out", "taken", home=tmp_path)
    assert "Traceback" not in result.stderr
    if result.returncode == 0:
        assert (tmp_path / "taken" / MANIFEST).read_bytes() == own[0].data
    else:
        assert result.returncode == 1
        assert not (tmp_path / "taken").exists()


def test_the_kits_own_process_never_reads_a_pdf(bundle: Path, paper: Path, tmp_path: Path) -> None:
    """The library that does imports hashlib, which nothing that signs or verifies may."""
    listing = 'import sys\nfrom kit.cli import main\ntry:\n main()\nfinally:\n print(*sys.modules, sep="\\n")'
    for arguments in (["attach", bundle, paper, "--out", "out.pdf"], ["extract", "out.pdf"]):
        result = subprocess.run(
            [sys.executable, "-c", listing, *map(str, arguments)],
            env=kit_environment(tmp_path),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        assert not {"pikepdf", "hashlib", "lxml", "PIL"} & set(result.stdout.split())


def test_without_the_library_the_user_is_told_what_to_install(paper: Path, tmp_path: Path) -> None:
    hidden = (
        "import importlib.util as util\nfind = util.find_spec\n"
        "util.find_spec = lambda name, *rest: None if name == 'pikepdf' else find(name, *rest)\n"
        "from kit.cli import main\nmain()"
    )
    result = subprocess.run(
        [sys.executable, "-c", hidden, "extract", paper],
        env=kit_environment(tmp_path),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert "locks/papers.txt" in result.stderr
    assert (CHECKOUT / "locks/papers.txt").is_file()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """Return a project, and what a run of it gave."""
    folder = tmp_path_factory.mktemp("run")
    return folder / "project", run_scripted(write_project(folder / "project"), folder / "out")


def test_a_paper_is_reproduced(run: tuple[Path, Outcome], tmp_path: Path) -> None:
    project, outcome = run
    paper = attached(outcome.folder, write_paper(tmp_path / "paper.pdf"))
    result = kit("reproduce", paper, "--root", project, "--out", "rerun", "--json", home=tmp_path)
    assert result.returncode == 0, result.stderr
    answer = json.loads(result.stdout)
    assert answer["results_digest"] == answer["stated_results_digest"] == outcome.results_digest
    alone = attached(project / "scripted.json", paper, "alone.pdf")
    result = kit("reproduce", alone, "--root", project, "--out", "again", home=tmp_path)
    assert result.stdout.splitlines()[-1] == f"results digest: {outcome.results_digest}"


def test_a_rerun_with_other_results_than_the_paper_states_says_so(run: tuple[Path, Outcome], tmp_path: Path) -> None:
    project, outcome = run
    lie = Path(shutil.copytree(outcome.folder, tmp_path / "lie"))
    shutil.rmtree(lie / "signatures")
    metrics = lie / "payload/metrics.json"
    metrics.write_bytes(canonical_json({**json.loads(metrics.read_bytes()), "flags": []}) + b" ")
    stated = seal(lie, FixedSigner()).results_digest
    paper = attached(lie, write_paper(tmp_path / "paper.pdf"))
    result = kit("reproduce", paper, "--root", project, "--out", "rerun", home=tmp_path)
    assert result.returncode == 1
    assert f"NOT THE PAPER'S RESULTS DIGEST, {stated}" in result.stdout
    assert result.stdout.splitlines()[-1] == f"results digest: {outcome.results_digest}"
