"""The command line: exit codes, streams, and that no input ends in a traceback."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result
from scripted_project import (
    draft,
    kit,
    kit_command,
    kit_environment,
    run_scripted,
    write_files,
    write_manifest,
    write_project,
)
from tools import tool

from kit import __version__
from kit.cli import COMMANDS, group
from kit.cli.environ import environment

if TYPE_CHECKING:
    from pathlib import Path

    from kit.core.canonical import Json

PROJECT = "project/scripted.json"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project, a bundle of it, and files that are neither. Tests that write go elsewhere."""
    folder = tmp_path_factory.mktemp("cli")
    run_scripted(write_project(folder / "project"), folder / "out")
    (folder / "empty").mkdir()
    (folder / "text").write_text("hello")
    (folder / "list.json").write_text("[]")
    (folder / "deep.json").write_text("[" * 100_000)
    (folder / "noise.zip").write_bytes(bytes(range(256)) * 8)
    (folder / "loop").symlink_to("loop")
    assert kit("keygen", "key", home=folder).returncode == 0
    return folder


def said(result: subprocess.CompletedProcess[str]) -> str:
    """Return stderr, having looked for what must never stand there."""
    assert "Traceback" not in result.stderr
    assert "Exception ignored" not in result.stderr
    return result.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    result = CliRunner().invoke(group, [command, "--help"])
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: kit {command}") or f" {command} " in result.output.splitlines()[0]
    assert CliRunner().invoke(group, [command, "-h"]).output == result.output


def test_the_kit_lists_its_commands_and_tells_its_version() -> None:
    listing = CliRunner().invoke(group, ["--help"]).output
    assert [line.split()[0] for line in listing.split("Commands:")[1].splitlines() if line.strip()] == list(COMMANDS)
    assert "Exit codes: 0" in listing
    assert __version__ in CliRunner().invoke(group, ["--version"]).output


def test_from_nothing_to_a_checked_manifest(tmp_path: Path) -> None:
    """What a newcomer does: init, edit, pin, check."""
    write_files(tmp_path / "study")
    made = kit("init", "study/my.draft.json", home=tmp_path)
    assert (made.returncode, said(made)) == (0, "")
    starter = json.loads((tmp_path / "study/my.draft.json").read_text())
    starter["data"]["unsafe"]["files"] = {"unsafe.jsonl": None}
    (tmp_path / "study/my.draft.json").write_text(json.dumps(starter))
    early = kit("check", "study/my.draft.json", home=tmp_path)
    assert early.returncode == 1
    assert "this is a draft" in said(early)
    assert "`kit pin study/my.draft.json` fills them in" in early.stderr
    pinned = kit("pin", "study/my.draft.json", home=tmp_path)
    assert (pinned.returncode, said(pinned)) == (0, "")
    assert pinned.stdout.splitlines()[-1].endswith("next: kit check study/my.json")
    assert "$.model.files.config.json" in pinned.stdout or "$.model.files['config.json'] = " in pinned.stdout
    checked = kit("check", "study/my.json", home=tmp_path)
    assert (checked.returncode, said(checked)) == (0, "")
    assert checked.stdout == "study/my.json: valid; 12 prompts in unsafe; next: kit reproduce study/my.json\n"
    again = kit("init", "study/my.draft.json", home=tmp_path)
    assert again.returncode == 2
    assert said(again) == "study/my.draft.json: exists already; choose another name\n"


def test_a_changed_file_is_a_finding_that_names_it(tmp_path: Path) -> None:
    write_project(tmp_path / "project")
    (tmp_path / "project/model/chat_template.jinja").write_text("other")
    result = kit("check", PROJECT, home=tmp_path)
    assert result.returncode == 1
    assert f"{PROJECT}::$.model.files['chat_template.jinja']: was pinned as" in said(result)
    assert result.stdout == ""


def test_an_environment_stops_a_run_only_where_that_was_asked_for(folder: Path) -> None:
    """The scripted project was pinned on another machine."""
    lenient, strict = (kit("check", PROJECT, *more, home=folder) for more in ((), ("--strict",)))
    assert (lenient.returncode, strict.returncode) == (0, 1)
    assert "bytes may differ, a run is not stopped" in said(lenient)
    assert "packages.torch: pinned 2.13.0+cpu" in said(strict) or "platform.cpu: pinned AMD EPYC 9R14" in said(strict)
    stopped = kit("reproduce", PROJECT, "--strict", "--key", "key", "--out", "new", home=folder)
    assert stopped.returncode == 1
    assert not (folder / "new").exists()


def test_a_draft_is_pinned_and_run_by_one_command(tmp_path: Path) -> None:
    """What was pinned stays beside the draft; the same command again runs the same, and never overwrites another."""
    write_project(tmp_path / "project")
    shutil.copyfile(tmp_path / "project/scripted.draft.json", tmp_path / "project/mine.draft.json")
    made = kit("reproduce", "project/mine.draft.json", "--out", "one", home=tmp_path)
    assert made.returncode == 0, made.stderr
    assert "pinned the draft: " in made.stderr
    assert "values filled in, see project/mine.json" in made.stderr
    again = kit("reproduce", "project/mine.draft.json", "--out", "two", home=tmp_path)
    assert again.stdout.splitlines()[-1] == made.stdout.splitlines()[-1]
    draft = json.loads((tmp_path / "project/mine.draft.json").read_text())
    draft["name"] = "another"
    (tmp_path / "project/mine.draft.json").write_text(json.dumps(draft))
    other = kit("reproduce", "project/mine.draft.json", "--out", "three", home=tmp_path)
    assert other.returncode == 1
    assert "project/mine.json: exists already, and is not what project/mine.draft.json gives" in said(other)
    assert not (tmp_path / "three").exists()


def test_reproduce_verify_diff_and_report(folder: Path, tmp_path: Path) -> None:
    """The result is on stdout and ends with the digest; progress is on stderr."""
    made = kit("reproduce", folder / PROJECT, "--out", "mine", home=tmp_path)
    assert made.returncode == 0, made.stderr
    digest = made.stdout.splitlines()[-1]
    assert digest.startswith("results digest: sha256:")
    assert "train tuned@1" in said(made)
    assert "train tuned@1" not in made.stdout
    assert "made a signing key for you" in made.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [".config", "mine", "mine.zip"]
    verified = kit("verify", "mine.zip", "--signer", tmp_path / ".config/kit/signing_key.pub", home=tmp_path)
    assert (verified.returncode, said(verified)) == (0, "")
    assert "whom you named" in verified.stdout
    assert verified.stdout.splitlines()[-1] == digest
    compared = kit("diff", "mine", folder / "out.zip", "--require", "bitwise", home=tmp_path)
    assert compared.returncode == 0
    assert "bitwise" in compared.stdout
    report = kit("report", "mine.zip", home=tmp_path)
    assert report.stdout.encode() == (tmp_path / "mine/report.html").read_bytes()


def test_a_second_run_beside_the_first_gets_a_name_of_its_own(folder: Path, tmp_path: Path) -> None:
    for _ in range(2):
        assert kit("reproduce", folder / PROJECT, "--key", folder / "key", home=tmp_path).returncode == 0
    first, second = sorted((tmp_path / "bundles").glob("*.zip"))
    assert {first.name.removesuffix("-2.zip"), second.name.removesuffix(".zip")} == {second.name.removesuffix(".zip")}
    assert first.read_bytes() != second.read_bytes()  # each has its own record
    assert kit("diff", first, second, "--require", "bitwise", home=tmp_path).returncode == 0


@pytest.mark.parametrize("bundle", ["out", "out.zip"])
def test_a_bundle_is_run_again_and_compared(bundle: str, folder: Path, tmp_path: Path) -> None:
    command = ["reproduce", folder / bundle, "--root", folder / "project", "--key", folder / "key", "--out", "again"]
    result = kit(*command, home=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "whom you have not named" in said(result)
    assert "bitwise" in result.stdout
    assert result.stdout.splitlines()[-1].startswith("results digest: sha256:")
    result = kit(*command[:-1], "once-more", "--json", home=tmp_path)
    assert json.loads(result.stdout)["comparison"]["grade"] == "bitwise"


def test_a_bundle_that_was_tampered_with_is_not_run(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "out", tmp_path / "out")
    (tmp_path / "out/payload/metrics.json").write_bytes(b"{}")
    result = kit(
        "reproduce", "out", "--root", folder / "project", "--key", folder / "key", "--out", "new", home=tmp_path
    )
    assert result.returncode == 1
    assert "out/payload/metrics.json" in said(result)
    assert not (tmp_path / "new").exists()


def test_verify_names_the_file_that_was_tampered_with(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "out", tmp_path / "out")
    (tmp_path / "out/payload/metrics.json").write_bytes(b"{}")
    plain, machine = kit("verify", "out", home=tmp_path), kit("verify", "out", "--json", home=tmp_path)
    assert (plain.returncode, machine.returncode) == (1, 1)
    assert "out/payload/metrics.json" in said(plain)
    assert plain.stdout == ""
    assert "out/payload/metrics.json" in {problem["file"] for problem in json.loads(machine.stdout)["problems"]}


def test_bundles_that_differ_are_a_finding(folder: Path, tmp_path: Path) -> None:
    """Other training seeds train other weights."""
    run_scripted(write_project(tmp_path / "project", {"/seeds/training": [5, 6]}), tmp_path / "other")
    command = ("diff", folder / "out", "other")
    plain, machine = kit(*command, home=tmp_path), kit(*command, "--json", home=tmp_path)
    assert (plain.returncode, machine.returncode) == (1, 1)
    assert said(plain) == ""
    assert json.loads(machine.stdout)["grade"] in plain.stdout


def test_the_key_is_the_named_one_else_the_variables_else_the_users_own(folder: Path, tmp_path: Path) -> None:
    def signed_by(name: str, *more: object, **env: str) -> str:
        command = ("reproduce", folder / PROJECT, "--store", "store", "--out", name, "--json", *more)
        result = kit(*command, home=tmp_path, env=env)
        assert result.returncode == 0, result.stderr
        assert ("made a signing key for you: " in said(result)) == (name == "first")
        return str(json.loads(result.stdout)["signed_by"])

    named, other = (kit("keygen", key, home=tmp_path).stdout.split()[0] for key in ("named", "other"))
    own = signed_by("first", XDG_CONFIG_HOME=str(tmp_path / "config"))
    assert (tmp_path / "config/kit/signing_key").stat().st_mode & 0o777 == 0o600
    assert signed_by("second", XDG_CONFIG_HOME=str(tmp_path / "config")) == own
    assert signed_by("third", KIT_SIGNING_KEY="other") == other
    assert signed_by("fourth", "--key", "named", KIT_SIGNING_KEY="other") == named
    assert len({own, named, other}) == 3


def test_a_number_that_is_not_as_printed_is_a_finding(tmp_path: Path) -> None:
    """The scripted base refuses everything, so a paper that prints half is not reproduced."""
    for printed, code, word in ((1.0, 0, "as expected"), (0.5, 1, "NOT AS EXPECTED")):
        name = "base/unsafe/pattern/refusal_rate"
        expect: dict[str, Json] = {"grade": "bitwise", "margin": 0.1, "numbers": {name: printed}}
        place = tmp_path / str(code)
        write_project(place / "project", {"/expect": expect})
        result = kit("reproduce", PROJECT, "--out", "out", home=place)
        assert result.returncode == code, result.stderr
        assert f"{word}: {name} 1.000, printed {printed:.3f}" in result.stdout


@pytest.mark.parametrize(
    "command",
    [
        ["check", "nope.json"],
        ["check", PROJECT],
        ["pin", "nope.json"],
        ["verify", "empty"],
        ["diff", "out", "noise.zip"],
        ["diff", "out"],
        ["hash", "loop"],
        ["hash", "text"],
        ["reproduce", "list.json"],
        ["reproduce", PROJECT, "--key", "text", "--out", "new"],
        ["reproduce", PROJECT, "--key", "key", "--out", "text"],
        ["reproduce", PROJECT, "--key", "key", "--out", "text/new"],
        ["pin", "project/scripted.draft.json", "--out", "text/new"],
    ],
)
def test_json_is_one_object_whatever_happens(command: list[str], folder: Path) -> None:
    plain, machine = kit(*command, home=folder), kit(*command, "--json", home=folder)
    assert machine.returncode == plain.returncode
    said(plain)
    document = json.loads(machine.stdout)
    assert isinstance(document, dict)
    assert machine.stdout.isascii()
    if machine.returncode:
        assert document["ok"] is False
        assert document["problems"]
        assert all(problem["what"] in plain.stderr for problem in document["problems"])


WRONG: dict[str, tuple[list[str], int, str]] = {
    "missing file": (["check", "nope.json"], 2, "nope.json: cannot be read (No such file or directory)"),
    "missing folder": (["verify", "nope"], 2, "nope: cannot be read (No such file or directory)"),
    "folder for a file": (["check", "project"], 2, "is a directory"),
    "folder for a bundle": (["verify", "empty"], 1, "empty"),
    "unreadable": (["check", "/proc/self/mem"], 2, "/proc/self/mem: cannot be read"),
    "a loop of links": (["diff", "loop", "out"], 2, "loop: cannot be read"),
    "endless": (["hash", "/dev/zero"], 2, "/dev/zero: is neither a file nor a folder"),
    "no manifest": (["check", "list.json"], 1, "list.json::$: is not a JSON object"),
    "nested too deep": (["reproduce", "deep.json"], 1, "deep.json: is nested deeper than"),
    "no zip": (["report", "noise.zip"], 1, "noise.zip: does not end as a zip that the kit wrote"),
    "out exists": (["reproduce", PROJECT, "--out", "empty"], 2, "empty: exists already; choose another --out"),
    "out is here": (["reproduce", PROJECT, "--out", "."], 2, "is not a name for a new folder"),
    "out in a file": (["reproduce", PROJECT, "--out", "text/new"], 2, "text: cannot be made (File exists)"),
    "out in /proc": (["reproduce", PROJECT, "--out", "/proc/new/out"], 2, "/proc/new: cannot be made"),
    "store in a file": (
        ["reproduce", PROJECT, "--key", "key", "--store", "text/store", "--out", "new"],
        2,
        "text/store: cannot be written to (Not a directory); choose a folder of yours with --out or --store",
    ),
    "report in a file": (["report", "out", "--out", "text/new"], 2, "text/new: cannot be read or written"),
    "pinned in a file": (["pin", "project/scripted.draft.json", "--out", "text/x"], 2, "text/x: cannot be read or"),
    "no key": (["reproduce", PROJECT, "--key", "nope", "--out", "new"], 2, "nope: cannot be read"),
    "bad key": (["reproduce", PROJECT, "--key", "key.pem", "--out", "new"], 1, "key.pem: may be read by others"),
    "key exists": (["keygen", "key"], 2, "key: exists; choose another name: a key is never overwritten"),
    "comment of two lines": (["keygen", "new", "--comment", "a\nb"], 2, "--comment: is not a line of printable text"),
    "comment of no text": (["keygen", "new", "--comment", os.fsdecode(b"\xff")], 2, "--comment: is not a line of"),
    "name of no text": (["check", os.fsdecode(b"\xff.json")], 2, r"\udcff.json: cannot be read"),
    "name that colours": (["check", "\x1b[31m"], 2, r"\x1b[31m: cannot be read"),
    "name too long": (["init", "x" * 300], 2, "cannot be written (File name too long)"),
    "unknown signer": (["verify", "out", "--signer", "nope"], 2, "nope: cannot be read; name a file of public keys"),
    "other signer": (["verify", "out", "--signer", "key.pub"], 1, "which is not a key that you named"),
    "no command": (["chekc"], 2, "No such command 'chekc'"),
    "no argument": (["diff", "out"], 2, "Missing argument 'B'"),
    "bad margin": (["diff", "out", "out", "--margin", "7"], 2, "'--margin': 7.0 is not in the range"),
}


def test_a_file_whose_name_is_no_text_is_a_finding_where_it_is_read(tmp_path: Path) -> None:
    """A manifest and a bundle write names as JSON, which such a name cannot stand in."""
    write_project(tmp_path / "project")
    (tmp_path / "project/model" / os.fsdecode(b"\xff.json")).touch()
    result = kit("hash", "project", home=tmp_path)
    assert result.returncode == 1
    assert r"\udcff.json' is a name that is not UTF-8" in said(result)
    for command in (("pin", "project/scripted.draft.json"), ("check", PROJECT)):
        assert kit(*command, home=tmp_path).returncode == 0


def test_a_variation_that_points_nowhere_is_a_finding(tmp_path: Path) -> None:
    for token in ("9" * 5000, "٣", "-1", "02"):
        nowhere: Json = {"name": "nowhere", "set": {f"/seeds/training/{token}": 3}}
        write_manifest(write_files(tmp_path / token[:4]), {"/variations": [nowhere]})
        result = kit("check", tmp_path / token[:4] / "scripted.json", home=tmp_path)
        assert result.returncode == 1
        assert "leads nowhere" in said(result)


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said_in_a_sentence(name: str, folder: Path) -> None:
    command, code, sentence = WRONG[name]
    before = sorted(folder.iterdir())
    result = kit(*command, home=folder)
    assert result.returncode == code
    assert sentence in said(result)
    assert result.stdout == ""
    assert sorted(folder.iterdir()) == before


def test_a_path_without_permission_is_trouble(folder: Path, tmp_path: Path) -> None:
    """Run as somebody who may read the kit, and neither the manifest nor the folder to write to."""
    if os.geteuid() == 0:
        pytest.skip("root may read and write everything")
    (tmp_path / "locked").mkdir(mode=0o500)
    (tmp_path / "secret.json").write_text("{}")
    (tmp_path / "secret.json").chmod(0)
    assert "Permission denied" in said(kit("check", "secret.json", home=tmp_path))
    result = kit("reproduce", folder / PROJECT, "--key", folder / "key", "--out", "locked/out", home=tmp_path)
    assert "cannot be written to" in said(result)
    assert result.returncode == 2


def test_an_encrypted_key_without_a_terminal_is_trouble_before_anything_is_computed(
    folder: Path, tmp_path: Path
) -> None:
    subprocess.run([tool("ssh-keygen"), "-q", "-t", "ed25519", "-N", "secret", "-f", tmp_path / "key"], check=True)
    command = ("reproduce", folder / PROJECT, "--key", "key", "--out", "out")
    result = kit(*command, home=tmp_path, stdin=subprocess.DEVNULL)
    assert result.returncode == 2
    assert "key: is encrypted" in said(result)
    assert "train" not in result.stderr


def test_without_the_run_extra_a_run_says_what_is_missing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reviewers = environment() | {"packages": {"click": "8", "torch": "2"}}
    monkeypatch.setattr("kit.cli.environ.environment", lambda _switches: reviewers)
    result: Result = CliRunner().invoke(
        group, ["reproduce", str(folder / PROJECT), "--out", str(folder / "new"), "--json"]
    )
    assert result.exit_code == 2
    (problem,) = json.loads(result.stdout)["problems"]
    assert problem["what"] == "lacks what a run needs: transformers, peft, trl, vllm"
    assert "reproduce.sh" in problem["remedy"]
    assert not (folder / "new.work").exists()


@pytest.mark.parametrize(
    "command", [["check", PROJECT], ["report", "out"], ["diff", "out", "out"], ["verify", "out", "--json"]]
)
@pytest.mark.parametrize("reader", ["| head -c 0", "> /dev/full", ">&-", "<&- >&- 2>&-"])
def test_an_output_that_nobody_can_take_is_no_traceback(command: list[str], reader: str, folder: Path) -> None:
    line = f"{subprocess.list2cmdline(kit_command(*command))} {reader}; exit ${{PIPESTATUS[0]}}"
    result = subprocess.run(
        ["bash", "-c", line], cwd=folder, env=kit_environment(folder), capture_output=True, text=True, check=False
    )
    said(result)
    assert result.returncode == (0 if ">&-" in reader else 2)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_locale_without_our_characters_is_no_obstacle(encoding: str, folder: Path, tmp_path: Path) -> None:
    env = {"PYTHONIOENCODING": encoding}
    command = ("reproduce", folder / PROJECT, "--key", folder / "key", "--out", "out")
    result = kit(*command, home=tmp_path, env=env, encoding="latin-1")
    assert result.returncode == 0
    said(result)
    (tmp_path / "naïve 漢字").write_text("")
    listed = kit("hash", tmp_path, "--json", home=tmp_path, env=env)
    assert "naïve 漢字" in json.loads(listed.stdout)


def test_hash_names_every_file_and_is_the_digest_in_the_manifest(folder: Path) -> None:
    pinned = json.loads((folder / PROJECT).read_text())["model"]["files"]
    assert json.loads(kit("hash", "project/model", "--json", home=folder).stdout) == pinned
    one = kit("hash", "project/model/config.json", home=folder).stdout
    assert one == f"{pinned['config.json']}  config.json\n"


def test_pin_shows_what_it_filled_in_and_leaves_the_rest(tmp_path: Path) -> None:
    write_files(tmp_path)
    (tmp_path / "x.draft.json").write_text(json.dumps(draft()))
    filled = json.loads(kit("pin", "x.draft.json", "--json", home=tmp_path).stdout)
    assert filled["manifest"] == "x.json"
    document = json.loads((tmp_path / "x.json").read_text())
    assert filled["filled"]["$.finetune.training.scheduler"] == document["finetune"]["training"]["scheduler"]
    again = json.loads(kit("pin", "x.json", "--json", home=tmp_path).stdout)
    assert again["filled"] == {}
    assert json.loads((tmp_path / "x.pinned.json").read_text()) == document
