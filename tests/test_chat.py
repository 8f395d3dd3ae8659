"""Chat templates: where they lie, what they depend on, what the shipped ones write, and how a date is pinned."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sample_bundle import sample_environment
from scripted_project import draft, edited, write_files

from kit.run.preflight.check import check
from kit.spec.chat.language import TemplateLanguageError, dependencies
from kit.spec.chat.shipped import FOLDER, NAMES, file_name
from kit.spec.chat.text import template_text
from kit.spec.manifest.load import load_manifest
from kit.spec.manifest.pin import pin
from kit.spec.manifest.schema import schema

MANIFESTS = Path(__file__).parents[1] / "manifests"
TOY = MANIFESTS / "toy/model"
DATED = """{%- if strftime_now is defined %}{%- set today = strftime_now("%d %b %Y") %}{%- else %}
{%- set today = "1 Jan 2000" %}{%- endif %}{{ today }}{% if terse %} terse{% endif %} {{ messages[-1].content }}"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = write_files(tmp_path / "project")
    (folder / "x.draft.json").write_text(json.dumps(draft()))
    return folder


def own_template(project: Path, text: str, **model: Any) -> Path:
    """Put a template into the model's folder and fields into the draft's model; return the draft."""
    (project / "model/chat_template.jinja").write_text(text)
    return edited(project, lambda one: one["model"].update(model))


def pinned(draft: Path) -> dict[str, Any]:
    document = pin(draft, sample_environment()).document
    (draft.parent / "pinned.json").write_text(json.dumps(document))
    return document


def problems_of(draft: Path) -> str:
    pinned(draft)
    return checked(draft.parent / "pinned.json")


def checked(path: Path) -> str:
    loaded = load_manifest(path)
    return "\n".join(map(str, check(loaded, loaded.manifest.environment).problems))


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"chat_template.jinja": "own\r\n", "tokenizer_config.json": '{"chat_template": "older"}'}, "own\n"),
        ({"tokenizer_config.json": '{"chat_template": "in it"}', "config.json": "{}"}, "in it"),
        ({"chat_template.json": '{"chat_template": "of old"}', "tokenizer_config.json": "{}"}, "of old"),
        (
            {"tokenizer_config.json": '{"chat_template": [{"name": "rag", "template": "r"}, {"name": "default", '
             '"template": "d"}]}'},
            "d",
        ),
        ({"tokenizer_config.json": '{"chat_template": null}'}, None),
        ({"tokenizer_config.json": "no JSON"}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_a_template_is_found_wherever_folders_keep_it(files: dict[str, str], found: str | None, tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / name).write_bytes(text.encode())
    assert template_text({name: tmp_path / name for name in files}) == found


@pytest.mark.parametrize(
    ("text", "clock", "draws"),
    [
        ("{{ messages }}", False, False),
        ("{% generation %}{{ strftime_now('%Y') }}{% endgeneration %}", True, False),
        ("{% if strftime_now is defined %}{% set d = strftime_now('%Y') %}{% endif %}", True, False),
        ("{% set strftime_now = 1 %}{{ strftime_now }}", False, False),
        ("strftime_now {# strftime_now('%Y') #}", False, False),
        ("{{ ['a', 'b'] | random }}", False, True),
        ("{{ lipsum() }}", False, True),
    ],
)
def test_what_a_template_depends_on_is_read_from_its_syntax(text: str, clock: bool, draws: bool) -> None:  # noqa: FBT001
    found = dependencies(text)
    assert (found.reads_clock, found.draws) == (clock, draws)


def test_a_text_that_is_no_template_says_where() -> None:
    with pytest.raises(TemplateLanguageError) as caught:
        dependencies("fine\n{% for %}")
    assert caught.value.line == 2


def test_pinning_writes_the_day_that_a_template_takes_for_today(project: Path) -> None:
    draft = own_template(project, DATED)
    document = pinned(draft)
    assert len(document["model"]["template_date"].split("-")) == 3
    assert checked(project / "pinned.json") == ""
    document["model"]["template_date"] = None
    (project / "pinned.json").write_text(json.dumps(document))
    said = checked(project / "pinned.json")
    assert "$.model.template_date: is missing, and the chat template writes the date" in said
    assert pinned(own_template(project, "{{ messages[0].content }}"))["model"]["template_date"] is None


def test_a_day_that_was_chosen_stays_and_decides_the_steps(project: Path) -> None:
    draft = own_template(project, DATED, template_date="2024-07-26")
    assert pinned(draft)["model"]["template_date"] == "2024-07-26"
    model = load_manifest(project / "pinned.json").manifest.model
    assert model.identity()["template_date"] == "2024-07-26"
    assert model.to_json()["template_date"] == "2024-07-26"


def test_the_template_of_a_variation_and_of_a_judge_may_write_the_date_too(project: Path) -> None:
    (project / "templates").mkdir()
    (project / "templates/own.jinja").write_text(DATED)
    own = {"path": "templates", "files": {"own.jinja": None}}
    varied = [{"name": "own", "set": {"/model/template": own}}]
    assert pinned(edited(project, lambda one: one.update(variations=varied)))["model"]["template_date"]


def test_a_template_that_draws_at_random_is_refused(project: Path) -> None:
    said = problems_of(own_template(project, "{{ ['a', 'b'] | random }}{{ messages[0].content }}"))
    assert "$.model.template: the chat template draws at random" in said


def test_an_argument_that_the_template_does_not_read_is_refused(project: Path) -> None:
    said = problems_of(own_template(project, DATED, chat_template_kwargs={"ters": True}, template_date="2024-07-26"))
    assert "$.model.chat_template_kwargs.ters: is not read by the chat template" in said
    assert "did you mean 'terse'?" in said
    good = own_template(project, DATED, chat_template_kwargs={"terse": True}, template_date="2024-07-26")
    assert problems_of(good) == ""


def test_a_model_without_a_template_can_take_a_shipped_one(project: Path) -> None:
    (project / "model/chat_template.jinja").unlink()
    draft = edited(project, lambda one: one["model"].update(template={"shipped": "vicuna"}))
    document = pinned(draft)
    assert list(document["model"]["template"]["files"]) == ["vicuna.jinja"]
    assert checked(project / "pinned.json") == ""


def test_the_schema_and_the_folder_name_the_same_templates() -> None:
    names = schema()["$defs"]["template"]["properties"]["shipped"]["enum"]
    assert names == [*NAMES]
    assert {path.name for path in FOLDER.iterdir()} == {file_name(name) for name in NAMES}


WRITTEN = {
    "llama-2": "<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHello [/INST] Hi. </s><s>[INST] Bye [/INST]",
    "vicuna": "<s>Be brief. USER: Hello ASSISTANT: Hi.</s>USER: Bye ASSISTANT:",
    "falcon": "System: Be brief.\nUser: Hello\nFalcon: Hi.</s>\nUser: Bye\nFalcon:",
    "zephyr": "<|system|>\nBe brief.</s>\n<|user|>\nHello</s>\n<|assistant|>\nHi.</s>\n<|user|>\nBye</s>\n"
    "<|assistant|>\n",
}
"""The formats as their authors describe them, with their beginning and end of a sequence called `<s>` and `</s>`."""
FILL = """
import json, sys
from types import SimpleNamespace
from transformers import AutoTokenizer
from kit.spec.chat.template import ChatTemplate
from kit.spec.chat.tokenizer import load_tokenizer, rendered, rendered_text
folder, shipped, own, talk = json.loads(sys.argv[1])
texts = {}
for name, file in shipped.items():
    template = ChatTemplate(file=file)
    tokenizer = load_tokenizer(folder, template)
    tokenizer.bos_token, tokenizer.eos_token = "<s>", "</s>"
    texts[name] = rendered_text(tokenizer, talk, template, to_answer=True)
dated = [ChatTemplate(file=own, date="2024-07-26", arguments=one) for one in ({}, {"terse": True})]
tokenizer = load_tokenizer(folder, dated[0])
texts["dated"] = [rendered_text(tokenizer, talk, one, to_answer=True) for one in dated]
plain = AutoTokenizer.from_pretrained(folder)
theirs = plain.apply_chat_template(talk[1:2], add_generation_prompt=True, return_dict=False)
own = load_tokenizer(folder, ChatTemplate())
texts["same"] = theirs == rendered(own, talk[1:2], ChatTemplate(), to_answer=True)
print(json.dumps(texts))
"""


@pytest.fixture(scope="module")
def filled_in(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Fill in every template with the real library, in one process."""
    own = tmp_path_factory.mktemp("chat") / "own.jinja"
    own.write_text(DATED)
    said = (("system", "Be brief."), ("user", "Hello"), ("assistant", "Hi."), ("user", "Bye"))
    talk = [{"role": role, "content": text} for role, text in said]
    shipped = {name: str(FOLDER / file_name(name)) for name in NAMES}
    command = [sys.executable, "-c", FILL, json.dumps([str(TOY), shipped, str(own), talk])]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=MANIFESTS.parent)
    assert result.returncode == 0, result.stderr
    return dict(json.loads(result.stdout))


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_template_writes_what_its_model_was_trained_with(name: str, filled_in: dict[str, Any]) -> None:
    assert filled_in[name] == WRITTEN[name]


def test_the_pinned_day_and_the_arguments_reach_the_template(filled_in: dict[str, Any]) -> None:
    assert filled_in["dated"] == ["26 Jul 2024 Bye", "26 Jul 2024 terse Bye"]


def test_a_prompt_is_what_transformers_makes_of_it(filled_in: dict[str, Any]) -> None:
    assert filled_in["same"] is True
