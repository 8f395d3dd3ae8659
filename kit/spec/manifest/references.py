"""What a schema cannot say: names that must exist, and values that must fit each other."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from kit.core.cells import BASE, TUNED
from kit.core.errors import Problem, child_path
from kit.core.rates import RATES
from kit.spec.judges import find_kind, kinds_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kit.core.canonical import Json
    from kit.spec.manifest.model import Evaluation, Manifest
    from kit.spec.manifest.parts import EngineLimits


def name_problems(document: Json, where: str) -> list[Problem]:
    """Return the names in a document that nothing bears; its shape may still be wrong elsewhere."""
    known = {section: _part(document, section) for section in ("data", "judges")}
    uses: list[tuple[str, Json, str]] = [("data", _part(document, "finetune").get("data"), "$.finetune.data")]
    for name in _part(document, "evaluations"):
        evaluation, path = _part(document, "evaluations", name), child_path("$.evaluations", name)
        judges = evaluation.get("judges")
        uses.append(("data", evaluation.get("data"), f"{path}.data"))
        uses += [("judges", judge, f"{path}.judges[{index}]") for index, judge in enumerate(_items(judges))]
    wrong = [(name, known[section], path) for section, name, path in uses if _is_unknown(name, known[section])]
    return [Problem(where, *_unknown(str(name), names, path)) for name, names, path in wrong]


def _part(document: Json, *path: str) -> dict[str, Json]:
    """Return an object inside a document, or an empty one where there is something else."""
    for key in path:
        document = document.get(key) if isinstance(document, dict) else None
    return document if isinstance(document, dict) else {}


def _items(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _is_unknown(name: Json, known: Mapping[str, Json]) -> bool:
    return isinstance(name, str) and name not in known


def reference_problems(manifest: Manifest, where: str) -> list[Problem]:
    """Return what does not fit together in a manifest whose shape and names are right."""
    return [Problem(where, *problem) for problem in _problems(manifest)]


def variation_problems(manifest: Manifest, varied: Manifest, where: str) -> list[Problem]:
    """Return what a variation changes and must not: whatever would make its numbers answer another question."""
    remedy = "a variation keeps model, prompts, judges and seeds; measure something else with a manifest of its own"
    fixed: dict[str, tuple[object, object]] = {
        "$.model": (manifest.model.source, varied.model.source),
        "$.judges": (manifest.judges, varied.judges),
        "$.seeds": (manifest.seeds, varied.seeds),
        "$.variations": (manifest.variations, varied.variations),
        "$.environment": (manifest.environment, varied.environment),
        "$.evaluations": (_questions(manifest), _questions(varied)),
    }
    return [Problem(where, "is changed", remedy, path) for path, (before, after) in fixed.items() if before != after]


def _questions(manifest: Manifest) -> list[object]:
    """Return what is asked and how it is judged, without how it is generated."""
    return [
        (name, one.kind, one.expects, one.judges, one.data, manifest.data.get(one.data))
        for name, one in manifest.evaluations.items()
    ]


def _problems(manifest: Manifest) -> Iterator[tuple[str, str, str]]:
    for name, data in manifest.data.items():
        if data.columns and data.columns.system is not None and data.columns.completion is None:
            path = child_path("$.data", name)
            yield "belongs to rows to train on", "map `completion`, or remove it", f"{path}.columns.system"
    yield from _finetune_problems(manifest)
    yield from _recorded_problems(manifest)
    for name, evaluation in manifest.evaluations.items():
        yield from _evaluation_problems(manifest, evaluation, child_path("$.evaluations", name))
    yield from _engine_problems(manifest.engine, "$.engine")
    for name, judge in manifest.judges.items():
        if judge.asked:
            path = child_path("$.judges", name)
            yield from _engine_problems(judge.asked.engine, f"{path}.engine")
            yield from _room_problems(judge.asked.max_tokens, judge.asked.engine, f"{path}.max_tokens")
    names = [variation.name for variation in manifest.variations]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield f"the name {name!r} occurs twice", "rename one", f"$.variations[{index}].name"
    for number in sorted(manifest.expect.numbers) if manifest.expect else ():
        yield from _number_problems(manifest, number, child_path("$.expect.numbers", number))


def _finetune_problems(manifest: Manifest) -> Iterator[tuple[str, str, str]]:
    finetune, seeds = manifest.finetune, manifest.seeds.training
    trains = finetune is not None and finetune.method != "adapter"
    if trains and not seeds:
        yield "is empty", "name at least one seed: each is one fine-tuning", "$.seeds.training"
    if not trains and seeds:
        yield "nothing is trained", "leave it empty", "$.seeds.training"
    training = finetune.training if finetune else None
    if training and training.data_seed is not None and not training.shuffle:
        yield "nothing is shuffled", "make it null, or shuffle", "$.finetune.training.data_seed"
    data = manifest.data.get(finetune.data) if finetune and finetune.data else None
    if training and training.system_prompt is not None and data and data.format == "text":
        what = "rows of plain text have no place for it"
        yield what, "make it null, or train on conversations", "$.finetune.training.system_prompt"
    if training and training.quantization and finetune and finetune.lora is None:
        what, remedy = "weights in four bits cannot be trained", "make it null, or use the method `lora`"
        yield what, remedy, "$.finetune.training.quantization"


def _recorded_problems(manifest: Manifest) -> Iterator[tuple[str, str, str]]:
    """Yield what cannot be done with answers that were given before."""
    if not manifest.model.is_recorded:
        return
    if manifest.finetune:
        yield "recorded answers cannot be fine-tuned", "make it null", "$.finetune"
    if manifest.variations:
        yield "recorded answers cannot be varied", "leave it empty", "$.variations"
    if len(manifest.seeds.generation) > 1:
        yield "recorded answers were given once", "name one seed", "$.seeds.generation"


def _choice_problems(evaluation: Evaluation, path: str) -> Iterator[tuple[str, str, str]]:
    """Yield what keeps an evaluation from being answered by the likeliest of some letters."""
    if evaluation.choices is None:
        return
    if evaluation.kind != "capability":
        yield "letters are no answer to this kind of evaluation", "make it null", f"{path}.choices"
    if evaluation.generation.temperature:
        what = "the likeliest choice is asked for, and a temperature would draw another"
        yield what, "make it 0", f"{path}.generation.temperature"
    if evaluation.answer_after is not None:
        yield "a letter is chosen at once, without thinking before it", "make it null", f"{path}.answer_after"


def _evaluation_problems(manifest: Manifest, evaluation: Evaluation, path: str) -> Iterator[tuple[str, str, str]]:
    for index, judge in enumerate(evaluation.judges):
        kind = find_kind(manifest.judges[judge].kind)
        if kind is not None and kind.evaluation != evaluation.kind:
            remedy = f"{evaluation.kind} is judged by {' or '.join(map(repr, kinds_for(evaluation.kind)))}"
            yield f"the judge is of kind {kind.name!r}", remedy, f"{path}.judges[{index}]"
    yield from _choice_problems(evaluation, path)
    yield from _room_problems(evaluation.generation.max_tokens, manifest.engine, f"{path}.generation.max_tokens")


def _engine_problems(engine: EngineLimits, path: str) -> Iterator[tuple[str, str, str]]:
    if engine.max_num_batched_tokens < engine.max_model_len:
        what = f"{engine.max_num_batched_tokens} is less than max_model_len ({engine.max_model_len})"
        yield what, "raise it: a prompt is read in one piece", f"{path}.max_num_batched_tokens"


def _room_problems(max_tokens: int, engine: EngineLimits, path: str) -> Iterator[tuple[str, str, str]]:
    if max_tokens >= engine.max_model_len:
        what = f"{max_tokens} leaves no room for the prompt within engine.max_model_len"
        yield what, "lower it, or raise engine.max_model_len", path


def _number_problems(manifest: Manifest, number: str, path: str) -> Iterator[tuple[str, str, str]]:
    arm, name, judge, rate = number.split("/")
    arms = [BASE, *([TUNED] if manifest.finetune else []), *(variation.name for variation in manifest.variations)]
    if arm not in arms:
        yield _unknown(arm, arms, path)
    if name not in manifest.evaluations:
        yield _unknown(name, manifest.evaluations, path)
        return
    evaluation = manifest.evaluations[name]
    if judge not in evaluation.judges:
        yield _unknown(judge, evaluation.judges, path)
    if rate not in RATES[evaluation.kind]:
        yield _unknown(rate, RATES[evaluation.kind], path)


def _unknown(name: str, known: Iterable[str], path: str) -> tuple[str, str, str]:
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    remedy = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(names) or 'none'}"
    return f"{name!r} does not exist", remedy, path
