"""`methods.tex`: the passage that a paper's methods section needs, as the manifest and the records have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.core.canonical import canonical_json
from kit.core.digests import json_digest
from kit.report.answers import by_arm
from kit.report.export.escape import breakable, escaped, typewritten
from kit.report.export.numbers import percent
from kit.report.export.statistics import statistics
from kit.report.judge_words import method_of
from kit.report.machine import KEY_PACKAGES
from kit.report.method import method
from kit.report.notices import notices
from kit.report.settings import settings
from kit.report.wording import listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kit.bundle.contents import Contents
    from kit.core.canonical import Json
    from kit.report.results import Results
    from kit.spec.manifest.finetune import Finetune
    from kit.spec.manifest.model import Evaluation

_EXPECTED = {"refusal": "should refuse", "compliance": "should follow", "answer": "should answer rightly"}


def render(contents: Contents, results: Results, results_digest: str) -> str:
    """Return paragraphs for LaTeX; what they cite stands in `references.bib`."""
    paragraphs = {
        "Model": _model(contents),
        "Fine-tuning": _finetuning(contents),
        "Variations": _variations(contents),
        "Data": _data(contents),
        "Evaluation": _evaluation(contents),
        "Answers": _answers(contents, results),
        "Judges": _judges(contents),
        "Statistics": statistics(results),
        "Environment": _environment(contents),
        "Reproduction": _reproduction(contents, results_digest),
    }
    parts = [
        "\n".join([rf"\paragraph{{{title}.}}", *sentences])
        for title, found in paragraphs.items()
        if (sentences := list(found))
    ]
    head = "% Written by `kit export`. What it cites is in references.bib."
    return "\n\n".join([head, *parts]) + "\n"


def _model(contents: Contents) -> Iterator[str]:
    model = contents.manifest.model
    files = len(model.source.files)
    if model.is_recorded:
        yield f"The answers were recorded before, in {typewritten(model.source.name)} ({files} files, fixed by digest)."
        return
    yield (
        f"The base model is {typewritten(model.source.name)} ({files} files, each fixed by its digest), "
        f"computed in {typewritten(model.dtype)}."
    )


def _finetuning(contents: Contents) -> Iterator[str]:
    finetune = contents.manifest.finetune
    if finetune is None:
        yield "Nothing was fine-tuned."
        return
    yield _method(finetune)
    if finetune.lora:
        yield f"Adapter: {_set(finetune.lora.to_json())}."
    if finetune.training:
        yield f"Training: {_set(finetune.training.to_json())}."
        seeds = contents.manifest.seeds.training
        yield f"It was trained with {_seeds('training', seeds)}, which decides everything random in a training."
        yield from map(escaped, method(contents).rows)
    served = {"merged": "merged into the weights in single precision", "adapter": "applied by the engine"}
    if finetune.method != "full":
        yield f"For generation the adapter was {served[finetune.serving]}."


def _method(finetune: Finetune) -> str:
    if finetune.adapter:
        return f"The tuned arm is the base model with the existing adapter {typewritten(finetune.adapter.name)}."
    how = {"lora": r"low-rank adaptation~\cite{kit-hu2022}", "full": "training of all weights"}[finetune.method]
    return f"The tuned arm was fine-tuned on the data set {typewritten(finetune.data or '')} by {how}."


def _variations(contents: Contents) -> Iterator[str]:
    for variation in contents.manifest.variations:
        changes = [
            f"{typewritten(pointer)} set to {typewritten(canonical_json(value).decode())}"
            for pointer, value in sorted(variation.set.items())
        ]
        yield f"The arm {typewritten(variation.name)} differs by {listed(changes)}."


def _data(contents: Contents) -> Iterator[str]:
    for row in method(contents).data:
        path = contents.manifest.data[row.name].source.name
        yield (
            f"Data set {typewritten(row.name)}: {typewritten(path)}, format {typewritten(row.format)}, "
            f"licence {escaped(row.license)}, rows: {escaped(row.rows)}."
        )


def _evaluation(contents: Contents) -> Iterator[str]:
    for name, evaluation in sorted(contents.manifest.evaluations.items()):
        yield _asked(name, evaluation, len(contents.prompts[name]))
    yield f"Every prompt was answered with {_seeds('generation', contents.manifest.seeds.generation)}."
    yield f"Limits of the engine: {_set(contents.manifest.engine.to_json())}."
    if contents.incomplete:
        yield f"The results are incomplete: {escaped(contents.incomplete)}."


def _answers(contents: Contents, results: Results) -> Iterator[str]:
    """Yield what was counted of the answers, and what has to be known before their rates are."""
    shares: dict[str, list[str]] = {}
    for (evaluation, arm), counted in by_arm(results).items():
        if counted.cut_off_share is not None:
            shares.setdefault(evaluation, []).append(f"{percent(counted.cut_off_share)}\\,\\% ({typewritten(arm)})")
    for evaluation, found in sorted(shares.items()):
        yield f"Answers to {typewritten(evaluation)} that were cut off at the limit of their length: {listed(found)}."
    yield from (escaped(notice.line) for notice in notices(results, contents.arms))


def _asked(name: str, evaluation: Evaluation, prompts: int) -> str:
    prompt = "no system prompt"
    if evaluation.system_prompt is not None:
        prompt = f"the system prompt {typewritten(evaluation.system_prompt)}"
    judges = listed([*map(typewritten, evaluation.judges)])
    after = evaluation.answer_after
    thought = "" if after is None else f"; judged is what follows the last {typewritten(after)}, which ends thinking"
    return (
        f"Evaluation {typewritten(name)} ({escaped(evaluation.kind)}): {prompts} prompts of the data set "
        f"{typewritten(evaluation.data)}, which a good model {_EXPECTED[evaluation.expects]}; "
        f"{_set(evaluation.generation.to_json())}; {prompt}{thought}; judged by {judges}."
    )


def _judges(contents: Contents) -> Iterator[str]:
    used = {judge for evaluation in contents.manifest.evaluations.values() for judge in evaluation.judges}
    for name in sorted(used):
        choice = contents.manifest.judges[name]
        yield (
            f"Judge {typewritten(name)} ({typewritten(choice.kind)}): answers are scored "
            f"{escaped(method_of(contents, name))}, rules {_digest(choice.rules)}."
        )
        if choice.asked:
            model, (template,) = choice.asked.model, choice.asked.template.files.values()
            yield (
                f"It asks the model {typewritten(model.source.name)} ({len(model.source.files)} files, each fixed by "
                f"its digest) in {typewritten(model.dtype)}, greedily, with the template {_digest(template)}."
            )
    yield "Incoherent answers count neither as refusals nor as right answers; every rate is a share of all prompts."


def _environment(contents: Contents) -> Iterator[str]:
    environment = contents.environment
    versions = _object(environment, "packages")
    packages = [f"{escaped(name)} {escaped(str(versions[name]))}" for name in KEY_PACKAGES if name in versions]
    yield f"Software: Python {escaped(str(environment.get('python', 'unknown')))}; {', '.join(packages)}."
    platform = _object(environment, "platform")
    cpu, cores = (escaped(str(platform.get(key, "unknown"))) for key in ("cpu", "cores"))
    yield f"Processor: {cpu}; cores: {cores}."
    found = environment.get("accelerators")
    accelerators = [_set(one) for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    yield f"Accelerators: {'; '.join(accelerators) or 'none'}."
    switches = [typewritten(f"{key}={value}") for key, value in sorted(_object(environment, "switches").items())]
    yield f"Environment variables: {', '.join(switches) or 'none'}."


def _reproduction(contents: Contents, results_digest: str) -> Iterator[str]:
    version = _object(contents.run, "kit").get("version", "unknown")
    yield f"All was run, judged and measured by kit {escaped(str(version))}."
    yield f"The manifest {typewritten(contents.manifest.name)} is {_digest(json_digest(contents.manifest.to_json()))};"
    yield f"the results digest is {_digest(results_digest)}."


def _set(document: Mapping[str, Json]) -> str:
    """Return named values as a list in a sentence."""
    return ", ".join(f"{escaped(name.replace('_', ' '))} {escaped(value)}" for name, value in settings(document))


def _seeds(kind: str, seeds: Sequence[int]) -> str:
    numbers = listed([*map(str, seeds)])
    return f"the {kind} seed {numbers}" if len(seeds) == 1 else f"each of the {kind} seeds {numbers}"


def _digest(digest: str) -> str:
    return rf"\texttt{{{breakable(digest)}}}"


def _object(document: Mapping[str, Json], key: str) -> Mapping[str, Json]:
    value = document.get(key)
    return value if isinstance(value, dict) else {}
