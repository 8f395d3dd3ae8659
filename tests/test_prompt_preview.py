"""`kit check --show-prompt`: what the model will see, by the very code that asks it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from real_kit import kit

from kit.bundle.contents import load_contents
from kit.core.cells import Cell
from kit.core.digests import json_digest

MANIFESTS = Path(__file__).parents[1] / "manifests"


def project(folder: Path, *, template: str | None = None, **changes: Any) -> Path:
    """Write the quickstart's draft beside the toy, changed, and pin it."""
    shutil.copytree(MANIFESTS / "toy", folder / "toy")
    document = json.loads((MANIFESTS / "quickstart.draft.json").read_text(encoding="utf-8")) | changes
    if template is not None:
        (folder / "own.jinja").write_text(template, encoding="utf-8")
        document["model"]["template"] = {"path": ".", "files": {"own.jinja": None}}
    path = folder / "study.draft.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    kit("pin", path, home=folder)
    return folder / "study.json"


def shown(manifest: Path, home: Path, *, code: int = 0) -> dict[str, dict[str, Any]]:
    """Return what is shown, by evaluation."""
    done = kit("check", manifest, "--show-prompt", "--json", home=home, code=code)
    return {one["evaluation"]: one for one in json.loads(done.stdout)["prompts"]}


def test_the_tokens_are_those_that_a_run_asks(tmp_path: Path, quickstart_bundle: Path) -> None:
    found = shown(MANIFESTS / "quickstart.json", tmp_path)
    contents = load_contents(quickstart_bundle)
    for evaluation, one in found.items():
        first = contents.completions[Cell.parse(f"base.{evaluation}@11")][0]
        assert one["prompt_id"] == first.prompt_id
        assert json_digest(one["token_ids"]) == first.prompt_tokens
        assert contents.prompts[evaluation][0].text in one["text"]
        assert one["arms"] == ["base", "tuned"]
        assert not one["problems"]


def test_it_is_readable(tmp_path: Path) -> None:
    said = kit("check", MANIFESTS / "quickstart.json", "--show-prompt", home=tmp_path).stdout
    assert "unsafe (base, tuned): prompt " in said
    assert "the longest of 225 prompts" in said


NO_TURN = "{% for message in messages %}{{ message.content }} {% endfor %}"
NO_SYSTEM = (
    "{% for message in messages if message.role == 'user' %}{{ message.content }}{% endfor %}"
    "{% if add_generation_prompt %} answer{% endif %}"
)
TWICE = "{{ bos_token }}{{ bos_token }}{{ messages[0].content }}{% if add_generation_prompt %} answer{% endif %}"


@pytest.mark.parametrize(
    ("template", "system_prompt", "problem"),
    [
        (NO_TURN, None, "the template has no generation prompt"),
        (NO_SYSTEM, "help", "the template ignores the system prompt"),
        (TWICE, None, "it begins with two beginning-of-sequence tokens"),
    ],
)
def test_what_is_wrong_with_a_template_is_named(
    tmp_path: Path, template: str, system_prompt: str | None, problem: str
) -> None:
    manifest = project(tmp_path, template=template)
    document = json.loads(manifest.read_text(encoding="utf-8"))
    for evaluation in document["evaluations"].values():
        evaluation["system_prompt"] = system_prompt
    manifest.write_text(json.dumps(document), encoding="utf-8")
    found = shown(manifest, tmp_path, code=1)
    assert all(any(problem in one for one in each["problems"]) for each in found.values()), found


def test_a_template_that_refuses_a_system_prompt_says_so(tmp_path: Path) -> None:
    refusing = "{{ raise_exception('System role not supported') if messages[0].role == 'system' }}" + NO_SYSTEM
    manifest = project(tmp_path, template=refusing)
    document = json.loads(manifest.read_text(encoding="utf-8"))
    document["evaluations"]["unsafe"]["system_prompt"] = "help"
    manifest.write_text(json.dumps(document), encoding="utf-8")
    done = kit("check", manifest, "--show-prompt", home=tmp_path, code=2)
    assert "the chat template refuses the prompt: System role not supported" in done.stderr


def test_a_prompt_that_does_not_fit_is_found_before_a_run(tmp_path: Path) -> None:
    manifest = project(tmp_path)
    document = json.loads(manifest.read_text(encoding="utf-8"))
    document["engine"]["max_model_len"] = 70
    manifest.write_text(json.dumps(document), encoding="utf-8")
    found = shown(manifest, tmp_path, code=1)
    assert "which engine.max_model_len (70) does not hold" in found["unsafe"]["problems"][0]


def test_a_mark_at_the_end_of_the_users_turn_opens_the_answer_too(tmp_path: Path) -> None:
    marked = (
        "{% for message in messages %}{% if message.role == 'user' %}[INST] {{ message.content }} [/INST]"
        "{% else %} {{ message.content }}{{ eos_token }}{% endif %}{% endfor %}"
    )
    assert all(not one["problems"] for one in shown(project(tmp_path, template=marked), tmp_path).values())
