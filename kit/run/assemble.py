"""A bundle's folder, put together from finished steps: unsigned, and a pure function of them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from kit.bundle import layout
from kit.core.rows import Completion, LogprobMargins, load_rows, save_rows
from kit.report.write import write_document, write_numbers
from kit.run.backends.worker.jobs import ADAPTER, COMPLETIONS, LOGPROB_MARGINS, TRACE
from kit.run.plan import SELF_TEST_AT_ONCE
from kit.run.scoring import give_verdicts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from kit.core.canonical import Json
    from kit.core.cells import Cell
    from kit.core.rows import Judgement
    from kit.run.judge_steps import JudgeStep
    from kit.run.plan import GenerateStep, Plan
    from kit.run.store import Store
    from kit.spec.manifest.load import LoadedManifest


def assemble(
    folder: Path, loaded: LoadedManifest, plan: Plan, store: Store, records: Mapping[str, dict[str, Json]]
) -> dict[str, Json]:
    """Write the bundle into `folder`, which must not exist, and return its metrics.

    Args:
        folder: where to.
        loaded: the manifest that was run.
        plan: its plan, every step of which is in the store.
        store: the finished steps.
        records: what goes into `record/` beside the self-test and the logs: file name → content.
    """
    completions = {step.cell: _completions(step, plan, store) for step in plan.generation}
    answers = {(step.cell, step.judge): step.complete(_rows(step.key, store)) for step in plan.judging}
    judged = [(step.cell, name) for step in plan.generation for name in step.evaluation.judges]
    answer_after = {step.cell: step.evaluation.answer_after for step in plan.generation}
    verdicts = give_verdicts(judged, loaded.manifest.judges, plan.prompts, completions, answers, answer_after)
    write_document(folder / layout.MANIFEST, loaded.document)
    _write_training(folder, plan, store)
    for name, prompts in plan.prompts.items():
        save_rows(folder / layout.prompts_file(name), prompts)
    for cell, rows in completions.items():
        save_rows(folder / layout.completions_file(cell), rows)
    _write_margins(folder, plan, store)
    write_judged(folder, answers, verdicts)
    for name, content in records.items():
        write_document(folder / layout.RECORD / name, content)
    judges = judge_self_test_record(plan.judge_self_tests, store, answers)
    write_document(folder / layout.SELFTEST, {**self_test_record(plan, store, completions), "judges": judges})
    if (store.root / "logs").is_dir():  # where answers were recorded before, nothing may have run
        shutil.copytree(store.root / "logs", folder / layout.LOGS)
    return write_numbers(folder, loaded)


def write_judged(
    folder: Path,
    answers: Mapping[tuple[Cell, str], Sequence[Completion]],
    verdicts: Mapping[tuple[Cell, str], Sequence[Judgement]],
) -> None:
    """Write what the judges' models answered and what every judge said, by cell and judge."""
    for asked, rows in answers.items():
        save_rows(folder / layout.judging_file(*asked), rows)
    for judged, judgements in verdicts.items():
        save_rows(folder / layout.verdicts_file(*judged), judgements)


def self_test_record(plan: Plan, store: Store, completions: Mapping[Cell, Sequence[Completion]]) -> dict[str, Json]:
    """Return which of the prompts that were asked again, backwards and in small batches, were answered otherwise."""
    cells: dict[str, Json] = {}
    changed: list[Json] = []
    asked = 0
    for step in plan.self_tests:
        again = _rows(step.key, store)
        other = _changed(completions[step.cell], again)
        cells[str(step.cell)] = {"prompts": len(again), "changed": other}
        changed += [f"{step.cell}:{prompt_id}" for prompt_id in other]
        asked += len(again)
    return {"prompts": asked, "changed": changed, "order": "reversed", "at_once": SELF_TEST_AT_ONCE, "cells": cells}


def judge_self_test_record(
    steps: Iterable[JudgeStep], store: Store, answers: Mapping[tuple[Cell, str], Sequence[Completion]]
) -> dict[str, Json]:
    """Return, for each judge that asks a model, which of its answers came out otherwise when it was asked again."""
    record: dict[str, Json] = {}
    for step in steps:
        again = _rows(step.key, store)
        other = _changed(answers[step.cell, step.judge], again)
        record[step.judge] = {"cell": str(step.cell), "prompts": len(again), "changed": other}
    return record


def _changed(first: Iterable[Completion], again: Iterable[Completion]) -> list[Json]:
    """Return the ids of the prompts that were answered with other tokens the second time."""
    tokens = {row.prompt_id: row.token_ids for row in first}
    return [*sorted(row.prompt_id for row in again if row.token_ids != tokens[row.prompt_id])]


def _write_training(folder: Path, plan: Plan, store: Store) -> None:
    for step in plan.training:
        result = store.folder(step.key)
        target = folder / layout.training_file(step.weights)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(result / TRACE, target)
        # The weights of a full fine-tuning are gigabytes that a rerun makes again; their digest stands in the trace.
        if (result / ADAPTER).is_dir():
            shutil.copytree(result / ADAPTER, folder / layout.adapter_folder(step.weights))


def _completions(step: GenerateStep, plan: Plan, store: Store) -> list[Completion]:
    """Return the completions in the order of the data set, whatever order they were asked in."""
    rows = {row.prompt_id: row for row in _rows(step.key, store)}
    return [rows[prompt.id] for prompt in plan.prompts[step.cell.evaluation]]


def _write_margins(folder: Path, plan: Plan, store: Store) -> None:
    """Write how sure the models were, where the engine could tell and no older kit has done the step."""
    for step in plan.generation:
        path = store.folder(step.key) / LOGPROB_MARGINS
        if path.is_file():
            rows = {row.prompt_id: row for row in load_rows(path, LogprobMargins)}
            ordered = [rows[prompt.id] for prompt in plan.prompts[step.cell.evaluation]]
            save_rows(folder / layout.logprob_margins_file(step.cell), ordered)


def _rows(key: str, store: Store) -> list[Completion]:
    return load_rows(store.folder(key) / COMPLETIONS, Completion)
