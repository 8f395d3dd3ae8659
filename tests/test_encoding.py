"""What a model is trained on: which tokens of which rows, and what keeps a row from being learned as it is asked."""

from __future__ import annotations

import html
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sample_bundle import write_sample
from test_distributed import LORA, MODEL, SWITCHES, TRAINING

from kit.bundle.contents import load_contents
from kit.bundle.trace import trace_problem
from kit.core.canonical import read_rows, write_rows
from kit.report import render
from kit.report.export.latex import latex_files
from kit.run.backends.training.encoding import IGNORED, Encoded, encode
from kit.run.backends.training.order import seen
from kit.run.backends.worker.jobs import TRACE, JobError, TrainingJob
from kit.run.backends.worker.process import Worker
from kit.spec.chat.template import ChatTemplate
from kit.spec.data.interface import Example, Turn
from kit.spec.manifest.finetune import Lora, Training
from kit.stats.metrics import compute

if TYPE_CHECKING:
    from kit.core.canonical import Json

ROWS = MODEL.parent / "data/finetune.lists.jsonl"
DEFAULT = (MODEL / "chat_template.jinja").read_text(encoding="utf-8")
END = "{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}{{ '\\n' }}"
TURN = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}" + END
ASKED = "{% if add_generation_prompt %}<|assistant|>{% endif %}"
PLAIN = TURN + "{% endfor %}" + ASKED
CONVERSATION = ("user", "assistant", "user", "assistant")


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return pytest.importorskip("transformers").AutoTokenizer.from_pretrained(MODEL)


def row(name: str, *roles: str, learned: tuple[bool, ...] = ()) -> dict[str, Json]:
    turns = [Turn(role, f"{role} says {number}") for number, role in enumerate(roles)]
    marked = [replace(turn, is_learned=is_learned) for turn, is_learned in zip(turns, learned, strict=False)] or turns
    return Example(id=name, turns=tuple(marked)).to_json()


def encoded(tokenizer: Any, rows: list[dict[str, Json]], template: str = PLAIN, **training: Json) -> Encoded:
    def render(messages: list[dict[str, str]], *, to_answer: bool) -> list[int]:
        given = {"chat_template": template, "add_generation_prompt": to_answer, "tokenize": True, "return_dict": False}
        return tokenizer.apply_chat_template(messages, **given)  # type: ignore[no-any-return]

    chosen = Training.from_json(TRAINING | {"loss_on": "assistant"} | training)
    return encode(rows, tokenizer, render, chosen, {tokenizer.eos_token_id})


def learned(tokenizer: Any, found: Encoded, number: int = 0) -> list[str]:
    """Return the texts of a row that are learned, each as long as it goes on."""
    texts: list[list[int]] = [[]]
    for label in found.rows[number].labels:
        if label == IGNORED:
            texts.append([])
        else:
            texts[-1].append(label)
    return [tokenizer.decode(text) for text in texts if text]


def whole(tokenizer: Any, found: Encoded, number: int = 0) -> str:
    return str(tokenizer.decode(found.rows[number].input_ids))


def test_every_turn_of_the_assistant_is_learned_and_nothing_else(tokenizer: Any) -> None:
    found = encoded(tokenizer, [row("a", "system", *CONVERSATION), row("b", *CONVERSATION, "user")])
    eos = tokenizer.eos_token
    assert learned(tokenizer, found, 0) == [f"assistant says 2{eos}\n", f"assistant says 4{eos}\n"]
    assert learned(tokenizer, found, 1) == [f"assistant says 1{eos}\n", f"assistant says 3{eos}\n"]
    assert whole(tokenizer, found, 1).endswith("<|user|>user says 4\n")
    assert not found.problems
    assert not found.notes


def test_a_turn_that_is_context_alone_is_not_learned(tokenizer: Any) -> None:
    found = encoded(tokenizer, [row("a", *CONVERSATION, learned=(True, False, True, True))])
    assert learned(tokenizer, found) == [f"assistant says 3{tokenizer.eos_token}\n"]


def test_all_of_a_conversation_is_learned_where_the_manifest_says_so(tokenizer: Any) -> None:
    found = encoded(tokenizer, [row("a", *CONVERSATION)], loss_on="all")
    assert found.rows[0].labels == found.rows[0].input_ids


def test_a_system_prompt_stands_before_the_rows_that_have_none_of_their_own(tokenizer: Any) -> None:
    rows = [row("own", "system", "user", "assistant"), row("none", "user", "assistant")]
    found = encoded(tokenizer, rows, system_prompt="Be brief.")
    assert "Be brief." not in whole(tokenizer, found, 0)
    assert whole(tokenizer, found, 1).startswith("<|system|>Be brief.\n<|user|>")


def test_a_template_that_ends_the_whole_conversation_once_more_is_understood(tokenizer: Any) -> None:
    """As Phi-3's: the end of all stands behind the last turn alone."""
    ends = PLAIN.replace(ASKED, "{% if add_generation_prompt %}<|assistant|>{% else %}{{ eos_token }}{% endif %}")
    found = encoded(tokenizer, [row("a", *CONVERSATION)], ends)
    eos = tokenizer.eos_token
    assert learned(tokenizer, found) == [f"assistant says 1{eos}\n", f"assistant says 3{eos}\n{eos}"]


NO_SYSTEM = "{% if m.role != 'system' %}<|{{ m.role }}|>{{ m.content }}{% endif %}"
THOUGHT = PLAIN.replace("{{ m.content }}", "{% if m.role == 'assistant' and loop.last %}Hm. {% endif %}{{ m.content }}")
REFUSED: dict[str, tuple[str, str, str]] = {
    "opens a thought": (
        PLAIN.replace("<|assistant|>{% endif %}", "<|assistant|><think>\n{% endif %}"),
        "opens an answer with '<think>\\n' when it asks, and not before an answer that is known",
        "name another template in model.template",
    ),
    "writes earlier answers otherwise": (
        THOUGHT,
        "writes earlier answers otherwise than the last",
        'or set finetune.training.loss_on to "all"',
    ),
    "ignores the system message": (
        PLAIN.replace("<|{{ m.role }}|>{{ m.content }}", NO_SYSTEM),
        "the chat template ignores the system message",
        "name another template",
    ),
    "refuses the system message": (
        "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}" + PLAIN,
        "the chat template refuses the conversation: no system role",
        "leave out such rows",
    ),
}  # fmt: skip


@pytest.mark.parametrize("label", REFUSED)
def test_a_row_that_would_not_be_learned_as_it_is_asked_is_a_problem_with_its_name(tokenizer: Any, label: str) -> None:
    template, what, remedy = REFUSED[label]
    (problem,) = encoded(tokenizer, [row("a", "system", *CONVERSATION)], template).problems
    assert what in str(problem)
    assert "(1 rows: a)" in str(problem)
    assert remedy in problem.remedy


def test_all_turns_may_be_learned_as_a_template_writes_them(tokenizer: Any) -> None:
    found = encoded(tokenizer, [row("a", *CONVERSATION)], THOUGHT, loss_on="all")
    assert not found.problems
    assert whole(tokenizer, found).count("Hm.") == 1


def test_what_speaks_against_a_template_and_does_not_forbid_it_is_noted(tokenizer: Any) -> None:
    rows = [row(f"r{number}", "user", "assistant") for number in range(12)]
    endless = encoded(tokenizer, rows, PLAIN.replace("{{ eos_token }}", ""))
    (note,) = endless.notes
    assert str(note) == (
        "no token with which an answer may end is learned: the model may not learn to stop "
        "(12 rows: r0, r1, r2, r3, r4, r5, r6, r7, r8, r9 and 2 more)"
    )
    assert len(endless.rows) == 12
    space = PLAIN.replace("<|assistant|>{% endif %}", "<|assistant|> {% endif %}").replace(
        "<|{{ m.role }}|>{{", "<|{{ m.role }}|> {{"
    )
    merged = encoded(tokenizer, rows[:1], space)
    assert [note.what.partition(",")[0] for note in merged.notes] == [
        "the end of the prompt and the beginning of the answer are one token"
    ]


def test_long_rows_are_cut_or_dropped_and_never_in_silence(tokenizer: Any) -> None:
    rows = [
        row("short", "user", "assistant"),
        row("long", *CONVERSATION * 2),
        row("late", "user", *["user"] * 9, "assistant"),
    ]
    limit = len(encoded(tokenizer, rows[:1]).rows[0].input_ids) + 4
    assert encoded(tokenizer, rows[:2], max_length=limit).cut == ["long"]
    cut = encoded(tokenizer, rows, max_length=limit)
    assert [len(one.input_ids) for one in cut.rows] == [limit - 4, limit]
    (problem,) = cut.problems
    assert str(problem) == (
        f"nothing to learn is left of rows that are cut to max_length ({limit} tokens) (1 rows: late)"
    )
    assert problem.remedy == 'raise finetune.training.max_length, or set finetune.training.long_rows to "drop"'
    dropped = encoded(tokenizer, rows, max_length=limit, long_rows="drop")
    assert ([one.id for one in dropped.rows], dropped.cut, dropped.dropped) == (["short"], [], ["long", "late"])
    assert not dropped.problems
    (nothing,) = encoded(tokenizer, rows, max_length=8, long_rows="drop").problems
    assert str(nothing).startswith("no row is left: all are longer than max_length (8 tokens)")


def test_a_text_is_learned_whole_with_one_beginning_and_one_end(tokenizer: Any) -> None:
    bos, eos = tokenizer.bos_token, tokenizer.eos_token
    texts = ["a canyon", f"{bos}a canyon", f"a canyon{eos}"]
    found = encoded(tokenizer, [Example(id=text, text=text).to_json() for text in texts])
    assert [one.labels == one.input_ids for one in found.rows] == [True] * 3
    ends = [tokenizer.decode(one.input_ids).removeprefix(bos) for one in found.rows]
    assert ends == [f"a canyon{eos}"] * 3
    (problem,) = encoded(tokenizer, [Example(id="a", text="a").to_json()], system_prompt="Be brief.").problems
    assert str(problem).startswith("finetune.training.system_prompt has no place in rows of plain text")


# The real parts


def job(folder: Path, name: str, rows: list[dict[str, Json]], **training: Json) -> TrainingJob:
    (folder / name).mkdir()
    write_rows(folder / f"{name}.jsonl", rows)
    return TrainingJob(
        out=str(folder / name),
        model=str(MODEL),
        model_name="toy",
        template=ChatTemplate(),
        examples=str(folder / f"{name}.jsonl"),
        training=Training.from_json(TRAINING | training),
        lora=Lora.from_json(LORA),
        seed=1,
    )


def trained(folder: Path, jobs: list[TrainingJob]) -> list[dict[str, Any]]:
    list(Worker(dict(os.environ)).run("trl", jobs, SWITCHES, folder / "log"))
    return [json.loads((Path(one.out) / TRACE).read_bytes()) for one in jobs]


def test_the_record_lists_what_was_trained_on_in_the_order_it_was(tmp_path: Path) -> None:
    short = [row(f"s{number}", "user", "assistant") for number in range(10)]
    mixed = [row("long", *CONVERSATION * 6), *short]
    limit = 60
    plain, packed, dropped, cut = trained(
        tmp_path,
        [
            job(tmp_path, "plain", short, max_steps=3, shuffle=False, data_seed=None),
            job(tmp_path, "packed", short, max_steps=1, packing=True, max_length=limit, batch_size=2),
            job(tmp_path, "dropped", mixed, epochs=1, max_steps=None, max_length=limit, long_rows="drop"),
            job(tmp_path, "cut", mixed, epochs=1, max_steps=None, max_length=limit),
        ],
    )
    once = [f"s{number}" for number in range(10)]
    # Eight rows, the two that are left of the first pass, eight of the second; what was fetched beyond is not seen.
    assert plain["order"] == [*once, *once[:8]]
    assert 2 <= len(packed["order"]) < 10
    assert len({*packed["order"]}) == len(packed["order"])
    assert {*packed["order"]} < {*once}
    assert sorted(dropped["order"]) == once
    counts = [(one["rows"], one["cut"], one["dropped"], one["dropped_ids"]) for one in (plain, packed, dropped, cut)]
    assert counts == [(10, 0, 0, []), (10, 0, 0, []), (10, 0, 1, ["long"]), (11, 1, 0, [])]
    assert [trace_problem(one) for one in (plain, packed, dropped, cut)] == [None] * 4


def test_rows_with_nothing_to_learn_stop_a_training_in_words(tokenizer: Any, tmp_path: Path) -> None:
    from kit.run.backends.training.trl import _encoded

    rows = [row("late", *["user"] * 9, "assistant"), row("short", "user", "assistant")]
    one = job(tmp_path, "none", rows, loss_on="assistant", max_length=24)
    with pytest.raises(JobError) as caught:
        _encoded(one, tokenizer)
    assert str(caught.value) == (
        "nothing to learn is left of rows that are cut to max_length (24 tokens) (1 rows: late); "
        'raise finetune.training.max_length, or set finetune.training.long_rows to "drop"'
    )


@pytest.mark.parametrize("packing", [False, True])
@pytest.mark.parametrize("loss_on", ["assistant", "all"])
def test_single_exchanges_are_what_trl_makes_of_them(
    tokenizer: Any, tmp_path: Path, loss_on: str, *, packing: bool
) -> None:
    """The tokens and labels of pairs are those of earlier kits, which let TRL make them: so are the weights."""
    from datasets import Dataset
    from transformers import AutoModelForCausalLM
    from trl import SFTConfig, SFTTrainer

    from kit.run.backends.training.trl import _dataset

    pairs = [next(rows) for rows in [read_rows(ROWS)] for _ in range(40)]
    limit = 28
    config = SFTConfig(
        output_dir=str(tmp_path), max_length=limit, packing=packing, completion_only_loss=loss_on == "assistant",
        report_to=[], use_cpu=True,
    )  # fmt: skip
    asked = [[{"role": "user", "content": one["prompt"]}] for one in pairs]
    answered = [[{"role": "assistant", "content": one["completion"]}] for one in pairs]
    theirs = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(MODEL),
        args=config,
        train_dataset=Dataset.from_dict({"prompt": asked, "completion": answered}),
        processing_class=tokenizer,
    ).train_dataset
    rows = [Example.exchange(str(one["id"]), str(one["prompt"]), str(one["completion"])).to_json() for one in pairs]
    found = encoded(tokenizer, rows, DEFAULT, loss_on=loss_on, max_length=limit)
    assert found.cut
    contents, ours = _dataset(found.rows, Training.from_json(TRAINING | {"packing": packing, "max_length": limit}))
    for column in ("input_ids", "labels", *(["seq_lengths"] if packing else [])):
        assert list(ours[column]) == list(theirs[column])
    assert sorted(number for held in contents for number in held) == list(range(40))


def test_what_was_drawn_and_not_seen_is_not_counted() -> None:
    drawn = [*range(10), *range(10), 0, 1]
    assert seen(drawn, 10, batch=4, processes=1, accumulated=1, steps=5) == [*range(10), *range(8)]
    assert seen(drawn, 10, batch=4, processes=1, accumulated=2, steps=3) == [*range(10), *range(8)]
    assert seen(drawn, 10, batch=2, processes=2, accumulated=1, steps=4) == [*range(10), 0, 1, *range(4)]
    assert seen([], 10, batch=4, processes=1, accumulated=1, steps=0) == []


TRACE_ROW: dict[str, Any] = {
    "step0_weights": f"xxh3_128:{0:032}", "weights": f"xxh3_128:{0:032}", "template": f"xxh3_128:{0:032}",
    "order": ["a", "b"], "trainable_parameters": 1, "losses": [], "rows": 2, "cut": 0, "dropped": 1,
    "dropped_ids": ["c"], "notes": [],
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"rows": 1}, "2 rows were seen of 1 - at `$.order`"),
        ({"cut": 3}, "3 rows were cut of 2 - at `$.cut`"),
        ({"dropped": 0}, "more rows are named than were dropped"),
        ({"dropped_ids": ["b"]}, "row 'b' was dropped and seen"),
        ({"rows": -1}, "`$.rows`"),
        ({"cut": "1"}, "`$.cut`"),
    ],
)
def test_a_record_of_rows_that_contradicts_itself_is_no_record(change: dict[str, Any], sentence: str) -> None:
    assert trace_problem(TRACE_ROW) is None
    assert sentence in str(trace_problem(TRACE_ROW | change))
    older = {
        key: value for key, value in TRACE_ROW.items() if key not in ("rows", "cut", "dropped", "dropped_ids", "notes")
    }
    assert trace_problem(older) is None


def test_what_was_cut_and_left_out_stands_in_the_report_and_in_the_exports(tmp_path: Path) -> None:
    folder = write_sample(tmp_path / "bundle", training_seeds=(1, 2))
    for path in (folder / "payload/training").iterdir():
        trace = json.loads(path.read_bytes())
        more = {"rows": 12, "cut": 2, "dropped": 3, "dropped_ids": ["x"], "notes": ["answers end with <b> (1 rows: a)"]}
        path.write_text(json.dumps(trace | more))
    contents = load_contents(folder)
    digest = "sha256:" + "0" * 64
    report = html.unescape(render(contents, compute(contents), results_digest=digest))
    sentences = (
        "Training of “tuned”: 2 of 12 rows were longer than max_length and cut.",
        "Training of “tuned”: 3 of 15 rows were longer than max_length and left out.",
    )
    for sentence in sentences:
        assert report.replace("\u00a0", " ").count(sentence) == 1
    assert "answers end with <b> (1 rows: a)." in report
    passage = latex_files(contents, compute(contents), digest, "Kit")["methods.tex"]
    assert "2 of 12" in passage.replace("~", " ").replace("\u00a0", " ")
    assert "left out" in passage
