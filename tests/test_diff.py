"""Two bundles side by side: the grade, what may explain it, and what flipped."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from sample_bundle import sample_manifest, write_sample

from kit.bundle.contents import Contents, load_contents
from kit.core.canonical import Json, canonical_json
from kit.core.cells import BASE, TUNED, ArmSeed, Cell
from kit.core.rows import Completion, Judgement, Prompt, Verdict
from kit.review.diff.compare import DEFAULT_MARGIN, Comparison, compare
from kit.review.diff.document import to_json
from kit.review.diff.evidence import Divergence, Influence
from kit.review.diff.grade import Grade
from kit.review.diff.text import WIDTH, render
from kit.spec.manifest.model import Manifest
from kit.stats.paired import PairedCounts

if TYPE_CHECKING:
    from collections.abc import Callable

CELL = Cell(ArmSeed(TUNED, 1), "unsafe", 11)
SAME, OTHER = ("sha256:" + "a" * 64,) * 2, ("sha256:" + "a" * 64, "sha256:" + "b" * 64)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Contents:
    folder = write_sample(tmp_path_factory.mktemp("sample") / "bundle", per_category=200)
    return load_contents(folder)


def difference(a: Contents, b: Contents, margin: float | None = None) -> Comparison:
    return compare(a, b, results_digests=OTHER, margin=margin)


def with_manifest(contents: Contents, path: str, value: Json) -> Contents:
    """Change one field of the manifest, given as `a/b/c`."""
    document: Any = json.loads(json.dumps(contents.manifest.to_json()))
    *parents, last = path.split("/")
    place = document
    for key in parents:
        place = place[key]
    place[last] = value
    return replace(contents, manifest=Manifest.from_json(document))


def with_tokens(contents: Contents, tokens: dict[str, tuple[int, ...]], cell: Cell = CELL) -> Contents:
    """Replace the tokens of some completions in one cell."""

    def changed(row: Completion) -> Completion:
        return replace(row, token_ids=tokens[row.prompt_id]) if row.prompt_id in tokens else row

    rows = [changed(row) for row in contents.completions[cell]]
    return replace(contents, completions={**contents.completions, cell: rows})


def with_flips(
    contents: Contents, *, refusals: int, compliances: int, cell: Cell = CELL, judge: str = "pattern"
) -> Contents:
    """Flip so many refusals to compliance, and so many compliances to refusal, in one cell."""
    left = {Verdict.REFUSAL: refusals, Verdict.COMPLIANCE: compliances}
    opposite = {Verdict.REFUSAL: Verdict.COMPLIANCE, Verdict.COMPLIANCE: Verdict.REFUSAL}
    rows: list[Judgement] = []
    for row in contents.verdicts[cell, judge]:
        flip = left.get(row.verdict, 0) > 0
        if flip:
            left[row.verdict] -= 1
        rows.append(replace(row, verdict=opposite[row.verdict]) if flip else row)
    return replace(contents, verdicts={**contents.verdicts, (cell, judge): rows})


def in_both(contents: Contents, *, refusals: int, compliances: int) -> Contents:
    """Flip as many after both trainings."""
    first = with_flips(contents, refusals=refusals, compliances=compliances)
    second = Cell(ArmSeed(TUNED, 2), "unsafe", 11)
    return with_flips(first, refusals=refusals, compliances=compliances, cell=second)


def only(contents: Contents, wanted: Callable[[Cell], bool]) -> Contents:
    """Leave out cells."""
    completions = {cell: rows for cell, rows in contents.completions.items() if wanted(cell)}
    verdicts = {key: rows for key, rows in contents.verdicts.items() if wanted(key[0])}
    return replace(contents, completions=completions, verdicts=verdicts)


def test_a_bundle_compared_with_itself_is_bitwise(sample: Contents) -> None:
    comparison = compare(sample, sample, results_digests=SAME)
    assert comparison.grade is Grade.BITWISE
    assert (comparison.evidence.changes, comparison.evidence.flips, comparison.evidence.training) == ((), (), ())


def test_same_bytes_of_another_experiment_are_bitwise_and_say_so(sample: Contents) -> None:
    other = with_manifest(sample, "finetune/training/learning_rate", 0.001)
    comparison = compare(sample, other, results_digests=SAME)
    assert comparison.grade is Grade.BITWISE
    assert "$.finetune.training.learning_rate" in comparison.reason


def test_grades_from_tokens_to_different(sample: Contents) -> None:
    first = sample.prompts["unsafe"][0].id
    assert difference(sample, sample).grade is Grade.TOKENS
    assert difference(sample, with_tokens(sample, {first: (1, 2)})).grade is Grade.VERDICTS
    assert difference(sample, with_flips(sample, refusals=12, compliances=10), 0.05).grade is Grade.EQUIVALENT
    assert difference(sample, with_flips(sample, refusals=30, compliances=20), 0.01).grade is Grade.INCONCLUSIVE
    assert difference(sample, in_both(sample, refusals=60, compliances=2), 0.05).grade is Grade.DIFFERENT
    # As clear, and yet not shown to be more than what matters.
    perhaps = difference(sample, in_both(sample, refusals=40, compliances=2), 0.06)
    assert perhaps.grade is Grade.INCONCLUSIVE
    assert "it differs, perhaps within 6 points" in perhaps.reason
    # Significant, and yet shown to be smaller than what matters.
    assert difference(sample, in_both(sample, refusals=12, compliances=0), 0.05).grade is Grade.EQUIVALENT
    # One of two trainings moved: two say too little of trainings.
    assert difference(sample, with_flips(sample, refusals=60, compliances=0), 0.05).grade is Grade.INCONCLUSIVE
    # The same tokens and another verdict: not even `verdicts`.
    assert difference(sample, with_flips(sample, refusals=1, compliances=0)).evidence.flips[0].divergence is None


def test_answers_that_turn_incoherent_are_no_agreement_although_the_refusal_rate_is(sample: Contents) -> None:
    turned = {
        (cell, judge): [
            replace(row, verdict=Verdict.INCOHERENT) if row.verdict is Verdict.COMPLIANCE else row for row in rows
        ]
        for (cell, judge), rows in sample.verdicts.items()
        if (cell.weights.arm, cell.evaluation) == (TUNED, "unsafe")
    }
    comparison = difference(sample, replace(sample, verdicts={**sample.verdicts, **turned}))
    assert comparison.grade is Grade.DIFFERENT
    refusal = next(one for one in comparison.evidence.rates if (one.cell, one.rate) == (CELL, "refusal_rate"))
    assert refusal.counts.discordant == 0


def test_one_small_cell_with_a_flip_is_too_little_data(tmp_path_factory: pytest.TempPathFactory) -> None:
    small = load_contents(write_sample(tmp_path_factory.mktemp("small") / "bundle"))
    comparison = difference(small, with_flips(small, refusals=1, compliances=0))
    assert comparison.grade is Grade.INCONCLUSIVE
    assert not comparison.agrees()


def test_agreement_is_the_wanted_grade_or_a_stronger_one(sample: Contents) -> None:
    comparison = difference(sample, with_tokens(sample, {sample.prompts["unsafe"][0].id: ()}))
    assert comparison.agrees()
    assert comparison.agrees(Grade.VERDICTS)
    assert not comparison.agrees(Grade.TOKENS)
    order = list(Grade)
    assert [one.is_at_least(two) for one in order for two in order] == [a <= b for a in range(7) for b in range(7)]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("model/files/model.safetensors", "xxh3_128:" + "f" * 32),
        ("finetune/training/learning_rate", 0.001),
        ("finetune/lora/rank", 4),
        ("data/benign-train/files/test.jsonl", "xxh3_128:" + "f" * 32),
        ("data/benign-train/rows/limit", 10),
        ("evaluations/unsafe/generation/temperature", 0.7),
        ("evaluations/unsafe/system_prompt", "Be safe."),
        ("judges/pattern/rules", "xxh3_128:" + "f" * 32),
    ],
)
def test_another_experiment_is_incomparable_and_named(sample: Contents, path: str, value: Json) -> None:
    comparison = difference(sample, with_manifest(sample, path, value))
    assert comparison.grade is Grade.INCOMPARABLE
    assert path.partition("/")[0] in comparison.reason
    assert comparison.evidence.texts  # what can be compared still is


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("name", "another"),
        ("model/path", "elsewhere"),
        ("model/dtype", "bfloat16"),
        ("finetune/serving", "adapter"),
        ("engine/max_num_seqs", 1),
        ("evaluations/unsafe/prompt_order_seed", 5),
        ("data/unsafe/files/test.jsonl", "xxh3_128:" + "f" * 32),
        ("expect", None),
        ("seeds/training", [1, 2, 3]),
        ("variations", [{"name": "hot", "set": {"/engine/max_num_seqs": 8}}]),
    ],
)
def test_what_ought_not_to_matter_is_listed_and_stays_comparable(sample: Contents, path: str, value: Json) -> None:
    comparison = difference(sample, with_manifest(sample, path, value))
    assert comparison.grade is Grade.TOKENS
    assert [change.place for change in comparison.evidence.changes] == ["manifest"]


def test_what_touches_no_cell_in_common_does_not_make_another_experiment(sample: Contents) -> None:
    base_only = only(sample, lambda cell: cell.weights.arm == BASE)
    comparison = difference(base_only, with_manifest(base_only, "finetune/training/learning_rate", 0.001))
    assert comparison.grade is Grade.TOKENS


def test_other_prompts_are_incomparable_and_counted(sample: Contents) -> None:
    prompts = list(sample.prompts["unsafe"])
    prompts[3] = replace(prompts[3], text="another text")
    prompts[4] = replace(prompts[4], id="fraud-004b")
    completions, verdicts = dict(sample.completions), dict(sample.verdicts)
    for cell in sample.completions:
        if cell.evaluation == "unsafe":
            ids = [prompt.id for prompt in prompts]
            completions[cell] = [replace(row, prompt_id=one) for row, one in zip(completions[cell], ids, strict=True)]
            verdicts[cell, "pattern"] = [
                replace(row, prompt_id=one) for row, one in zip(verdicts[cell, "pattern"], ids, strict=True)
            ]
    other = replace(sample, prompts={**sample.prompts, "unsafe": prompts}, completions=completions, verdicts=verdicts)
    comparison = difference(sample, other)
    assert comparison.grade is Grade.INCOMPARABLE
    assert "the prompts of unsafe" in comparison.reason
    (change,) = comparison.evidence.prompts
    assert (len(change.only_a), change.only_b, len(change.altered)) == (1, ("fraud-004b",), 1)
    assert {texts.n for texts in comparison.evidence.texts if texts.cell.evaluation == "unsafe"} == {598}


def test_agreement_of_the_base_alone_is_not_agreement(sample: Contents) -> None:
    comparison = difference(sample, only(sample, lambda cell: cell.weights.arm == BASE))
    assert comparison.grade is Grade.INCONCLUSIVE
    assert "tuned on unsafe" in comparison.reason
    assert len(comparison.evidence.only_a) == 6
    assert comparison.evidence.only_b == ()


def test_fewer_seeds_are_compared_where_both_have_them(sample: Contents) -> None:
    comparison = difference(sample, only(sample, lambda cell: cell.weights.training_seed != 2))
    assert comparison.grade is Grade.TOKENS
    assert {cell.weights for cell in comparison.evidence.only_a} == {ArmSeed(TUNED, 2)}


def test_nothing_in_common_is_incomparable(sample: Contents) -> None:
    nothing = only(sample, lambda _: False)
    assert difference(sample, nothing).grade is Grade.INCOMPARABLE
    assert difference(nothing, nothing).grade is Grade.INCOMPARABLE


def test_the_likeliest_cause_comes_first(sample: Contents) -> None:
    packages: Any = sample.environment["packages"]
    environment = {**sample.environment, "python": "3.12.1", "packages": {**packages, "torch": "2.14.0", "click": "9"}}
    other = with_manifest(replace(sample, environment=environment), "engine/max_num_seqs", 1)
    other = with_manifest(other, "description", "other words")
    changes = difference(sample, other).evidence.changes
    assert [change.path for change in changes] == [
        "packages.torch", "$.engine.max_num_seqs", "python", "packages.click", "$.description",
    ]  # fmt: skip
    assert (changes[0].a, changes[0].b, changes[3].a) == ("2.13.0+cpu", "2.14.0", None)
    another = difference(sample, with_manifest(other, "finetune/lora/rank", 4)).evidence.changes
    assert (another[0].path, another[0].influence) == ("$.finetune.lora.rank", Influence.EXPERIMENT)


def test_requests_that_reached_the_model_as_other_tokens_are_named(sample: Contents) -> None:
    rows = [replace(row, prompt_tokens="xxh3_128:" + "e" * 32, template="t") for row in sample.completions[CELL]]
    changes = difference(sample, replace(sample, completions={**sample.completions, CELL: rows})).evidence.changes
    assert [(change.place, change.path) for change in changes] == [("prompts", "unsafe")]
    assert changes[0].explains == "600 requests reached the model as other tokens: another template"


def test_an_engine_that_does_not_repeat_itself_is_named(sample: Contents) -> None:
    changes = difference(sample, replace(sample, selftest={"changed": ["fraud-001"]})).evidence.changes
    assert [(change.place, change.influence) for change in changes] == [("self-test", Influence.LIKELY)]
    judged = replace(sample, selftest={"judges": {"llm": {"changed": ["fraud-001"]}, "other": {"changed": []}}})
    changes = difference(sample, judged).evidence.changes
    assert [(change.path, change.influence) for change in changes] == [("judges.llm.changed", Influence.LIKELY)]


@pytest.mark.parametrize(
    ("stage", "value", "index"),
    [
        ("step0_weights", "another", None),
        ("order", ["row-1", "row-2", "elsewhere"], 2),
        ("losses", [{"step": 1, "loss": 2.5}, {"step": 2, "loss": 9.0}], 1),
        ("losses", [], 0),
        ("a-field-of-tomorrow", 1, None),
    ],
)
def test_where_two_trainings_parted(sample: Contents, stage: str, value: Json, index: int | None) -> None:
    weights = ArmSeed(TUNED, 1)
    losses = [{"step": 1, "loss": 2.5}, {"step": 2, "loss": 1.5}]
    trace: dict[str, Any] = {"step0_weights": "one", "order": ["row-1", "row-2", "row-3"], "losses": losses}
    last = {} if stage == "a-field-of-tomorrow" else {"weights": "another"}
    first = replace(sample, training={weights: {**trace, "weights": "one"}})
    second = replace(sample, training={weights: {**trace, "weights": "one", **last, stage: value}})
    (parting,) = difference(first, second).evidence.training
    assert (parting.weights, parting.stage, parting.index) == (weights, stage, index)


def test_where_trainings_parted_is_among_the_causes(sample: Contents) -> None:
    def trained(contents: Contents, **changed: Json) -> Contents:
        return replace(contents, training={key: {**trace, **changed} for key, trace in contents.training.items()})

    other = trained(with_tokens(sample, {sample.prompts["unsafe"][0].id: (1, 2)}), order=["elsewhere"], weights="b")
    evidence = difference(sample, other).evidence
    (cause,) = evidence.changes
    assert (cause.place, cause.path, cause.influence) == (
        "training",
        "order[0] of tuned@1 and 1 more",
        Influence.LIKELY,
    )
    assert "the data came in another order" in cause.explains
    assert evidence.notes == (
        "the base answers the same, and only weights that were trained otherwise do not: the cause is in training",
    )
    start = difference(sample, trained(other, step0_weights="b")).evidence.changes[0]
    assert start.explains.startswith("training began with other weights")
    base = only(sample, lambda cell: cell.weights.arm == BASE)
    assert not difference(base, trained(base, order=[])).evidence.changes, "the base was not trained"


def test_what_nothing_explains_is_said_to_be_unexplained(sample: Contents) -> None:
    other = with_tokens(sample, {sample.prompts["unsafe"][0].id: (1, 2)})
    assert not difference(sample, sample).evidence.notes
    generated, unexplained = difference(sample, other).evidence.notes
    assert generated == "the trained weights of tuned@1 are the same on both sides: the cause is in the generation"
    assert unexplained.startswith("nothing that is recorded differs beside the results; not recorded are firmware")
    words = with_manifest(other, "description", "other words")
    assert "nothing of what differs is known to move results" in render(difference(sample, words)).replace("\n", " ")
    batches = difference(sample, with_manifest(other, "engine/max_num_seqs", 1))
    assert batches.evidence.notes == (generated,)


def test_the_same_environment_is_told_from_another(sample: Contents) -> None:
    assert difference(sample, with_manifest(sample, "engine/max_num_seqs", 1)).same_environment
    assert not difference(sample, replace(sample, environment={**sample.environment, "python": "3"})).same_environment


def test_flips_say_where_the_tokens_part(sample: Contents) -> None:
    rows = {row.prompt_id: row for row in sample.completions[CELL]}
    refused = [row.prompt_id for row in sample.verdicts[CELL, "pattern"] if row.verdict is Verdict.REFUSAL][:3]
    first, second, third = (rows[one].token_ids for one in refused)
    changed = with_tokens(
        sample,
        {refused[0]: (*first[:5], 9999, *first[6:]), refused[1]: second[:7], refused[2]: (*third, 5)},
    )
    comparison = difference(sample, with_flips(changed, refusals=3, compliances=0))
    assert [flip.prompt_id for flip in comparison.evidence.flips] == refused
    assert {(flip.a, flip.b) for flip in comparison.evidence.flips} == {(Verdict.REFUSAL, Verdict.COMPLIANCE)}
    assert [flip.divergence for flip in comparison.evidence.flips] == [
        Divergence(5, first[5], 9999),
        Divergence(7, second[7], None),
        Divergence(len(third), None, 5),
    ]


def test_rates_are_paired_by_prompt_and_count_every_flip(sample: Contents) -> None:
    comparison = difference(sample, with_flips(sample, refusals=7, compliances=3))
    (rate,) = [one for one in comparison.evidence.rates if (one.cell, one.rate) == (CELL, "refusal_rate")]
    refused = Counter(row.verdict for row in sample.verdicts[CELL, "pattern"])[Verdict.REFUSAL]
    assert rate.counts == PairedCounts(refused - 7, 7, 3, 600 - refused - 3)
    assert rate.difference.estimate == -4 / 600
    assert (rate.a.estimate, rate.b.estimate) == (refused / 600, (refused - 4) / 600)
    (pooled,) = [one for one in comparison.evidence.pooled if one.rate == "refusal_rate"]
    assert (pooled.arm, pooled.runs, pooled.prompts, pooled.discordant) == (TUNED, 2, 600, 10)
    assert pooled.difference.estimate == pytest.approx(-4 / 1200)
    assert pooled.b - pooled.a == pytest.approx(-4 / 1200)
    narrow, wide = pooled.difference_90, pooled.difference
    assert wide.low < narrow.low < -4 / 1200 < narrow.high < wide.high


def test_swapping_the_bundles_mirrors_the_comparison(sample: Contents) -> None:
    other = with_tokens(sample, {sample.prompts["unsafe"][0].id: (1, 2)})
    other = only(with_flips(other, refusals=40, compliances=5), lambda cell: cell.weights.training_seed != 2)
    other = replace(other, environment={**other.environment, "python": "3.12.1"})
    forth: Any = to_json(difference(sample, other, 0.05))
    back: Any = to_json(difference(other, sample, 0.05))
    assert forth["grade"] == back["grade"] == "inconclusive"
    assert _mirrored(back) == {**forth, "reason": None, "results_digests": None}


def _mirrored(document: Any) -> Any:
    """Swap the sides of a comparison that was written as JSON."""
    swap = {"a": "b", "b": "a", "only_a": "only_b", "only_b": "only_a"}
    if isinstance(document, list):
        return [_mirrored(one) for one in document]
    if not isinstance(document, dict):
        return document
    result = {swap.get(key, key): _mirrored(one) for key, one in document.items()}
    for name in ("difference", "difference_90"):
        if name in result:
            one = result[name]
            result[name] = {"estimate": -one["estimate"], "low": -one["high"], "high": -one["low"]}
    return {key: None if key in ("reason", "results_digests") else one for key, one in result.items()}


def test_a_difference_is_within_the_margin_when_its_90_percent_interval_is(sample: Contents) -> None:
    other = with_flips(sample, refusals=30, compliances=20)
    rates = difference(sample, other).evidence.pooled
    reach = max(max(-rate.difference_90.low, rate.difference_90.high) for rate in rates)
    assert difference(sample, other, reach * 1.001).grade is Grade.EQUIVALENT
    assert difference(sample, other, reach * 0.999).grade is Grade.INCONCLUSIVE


def test_the_margin_is_the_stricter_of_the_two_that_are_stated(sample: Contents) -> None:
    stricter = with_manifest(sample, "expect/margin", 0.02)
    assert difference(sample, stricter).evidence.margin == difference(stricter, sample).evidence.margin == 0.02
    none = with_manifest(sample, "expect", None)
    assert difference(none, none).evidence.margin == DEFAULT_MARGIN
    assert difference(sample, sample, margin=0.03).evidence.margin == 0.03


def test_json_is_complete_and_canonical(sample: Contents) -> None:
    document: Any = to_json(difference(sample, with_flips(sample, refusals=40, compliances=0)))
    canonical_json(document)
    assert len(document["flips"]) == 40
    assert len(document["texts"]) == 9
    assert len(document["rates"]) == 3 * (4 + 4 + 2)


def test_text_shows_the_verdict_first_and_a_few_flips(sample: Contents) -> None:
    text = render(difference(sample, in_both(sample, refusals=60, compliances=0), 0.05), limit=3)
    lines = text.splitlines()
    assert lines[0].startswith(
        "different: 120 verdicts differ; refusal_rate of tuned on unsafe by pattern moves by -10"
    )
    assert sum("refusal → compliance" in line for line in lines) == 6
    assert lines.count("    … and 57 more") == 2
    assert "  refusal_rate of tuned on unsafe by pattern, 2 runs:" in lines
    assert "7 of 9 cells in common are the same" in text
    assert max(map(len, lines)) <= WIDTH


def test_hostile_text_never_reaches_the_terminal_raw(tmp_path_factory: pytest.TempPathFactory) -> None:
    plain = load_contents(write_sample(tmp_path_factory.mktemp("plain") / "bundle"))
    evil = "\x1b]0;pwned\x07\x1b[2J\x9b31m\u202eabc\u2028\nresult: bitwise\r" + "x" * 300
    rows = plain.prompts["unsafe"]
    prompts = [replace(rows[0], id=evil, category=evil), *rows[1:]]

    def renamed(row: Any) -> Any:
        return replace(row, prompt_id=evil) if row.prompt_id == rows[0].id else row

    hostile = replace(
        plain,
        prompts={**plain.prompts, "unsafe": prompts},
        completions={cell: list(map(renamed, rows)) for cell, rows in plain.completions.items()},
        verdicts={key: list(map(renamed, rows)) for key, rows in plain.verdicts.items()},
        environment={**plain.environment, evil: evil, "packages": {evil: evil}},
        training={weights: {**trace, evil: evil} for weights, trace in plain.training.items()},
    )
    flipped = replace(
        with_flips(hostile, refusals=4, compliances=4),
        environment=plain.environment,
        training=plain.training,
        selftest={"changed": [evil]},
    )
    flipped = with_manifest(flipped, "model/files", {evil: "xxh3_128:" + "f" * 32})
    text = render(difference(hostile, flipped))
    assert "\\x1b]0;pwned" in text
    assert all(character.isprintable() for character in text.replace("\n", ""))
    assert "\nresult: bitwise" not in text
    assert max(map(len, text.splitlines())) <= WIDTH


def test_evaluations_of_another_kind_are_incomparable_not_a_crash(sample: Contents) -> None:
    other = with_manifest(sample, "evaluations/unsafe/kind", "capability")
    assert difference(sample, other).grade is Grade.INCOMPARABLE


def test_evaluations_without_prompts_compare(sample: Contents) -> None:
    prompts: dict[str, list[Prompt]] = {name: [] for name in sample.prompts}
    empty = replace(
        sample,
        prompts=prompts,
        completions={cell: [] for cell in sample.completions},
        verdicts={key: [] for key in sample.verdicts},
    )
    comparison = difference(empty, empty)
    assert comparison.grade is Grade.TOKENS
    canonical_json(to_json(comparison))
    render(comparison)


def test_a_manifest_without_finetuning_compares_on_the_base(sample: Contents) -> None:
    base_only = only(sample, lambda cell: cell.weights.arm == BASE)
    document = sample_manifest(finetune=None)
    other = replace(base_only, manifest=Manifest.from_json(document), training={})
    assert difference(base_only, other).grade is Grade.TOKENS
