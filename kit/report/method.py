"""How the numbers were made: everything of the manifest that a methods section names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.core.canonical import canonical_json
from kit.report.settings import Setting, settings
from kit.report.wording import NOTHING, count, listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kit.bundle.contents import Contents
    from kit.core.canonical import Json
    from kit.spec.manifest.model import DataSet, Manifest, RowSelection
    from kit.spec.manifest.parts import Source


@dataclass(frozen=True, slots=True)
class Group:
    """Settings under one heading."""

    heading: str
    rows: tuple[Setting, ...]


@dataclass(frozen=True, slots=True)
class DataRow:
    """One data set."""

    name: str
    use: str
    format: str
    rows: str
    license: str
    publish: bool


@dataclass(frozen=True, slots=True)
class Method:
    """How it was made."""

    groups: tuple[Group, ...]
    evaluations: tuple[str, ...]
    evaluation_rows: tuple[tuple[str, tuple[str, ...]], ...]
    """A setting, and its value in each evaluation."""
    data: tuple[DataRow, ...]
    files: tuple[tuple[str, str, str], ...]
    """What it belongs to, name, digest."""
    training: tuple[tuple[str, str, str], ...]
    """Weights, digest of the adapter before the first step, digest at the end."""
    rows: tuple[str, ...]
    """Sentences on rows that were not trained on as they are."""


def method(contents: Contents) -> Method:
    """Return the method as tables."""
    manifest = contents.manifest
    names = tuple(sorted(manifest.evaluations))
    return Method(
        groups=tuple(_groups(manifest)),
        evaluations=names,
        evaluation_rows=tuple(_evaluation_rows(manifest, names)),
        data=tuple(_data_row(contents, name, each) for name, each in sorted(manifest.data.items())),
        files=tuple(_files(manifest)),
        training=tuple(
            (str(weights), plain_digest(trace, "step0_weights"), plain_digest(trace, "weights"))
            for weights, trace in sorted(
                contents.training.items(), key=lambda item: (item[0].arm, item[0].training_seed or 0)
            )
        ),
        rows=tuple(_row_sentences(contents)),
    )


def _row_sentences(contents: Contents) -> Iterator[str]:
    """Yield what became of training rows that were too long, and what else is to be known of them, once an arm."""
    told = {
        (weights.arm, sentence) for weights, trace in contents.training.items() for sentence in _of_one_training(trace)
    }
    for arm, sentence in sorted(told):
        yield f"Training of “{arm}”: {sentence}"


def _of_one_training(trace: Mapping[str, Json]) -> Iterator[str]:
    rows, cut, dropped = (
        value if isinstance(value := trace.get(key), int) else 0 for key in ("rows", "cut", "dropped")
    )
    if cut:
        yield f"{cut:,} of {count(rows, 'row')} were longer than max_length and cut."
    if dropped:
        yield f"{dropped:,} of {count(rows + dropped, 'row')} were longer than max_length and left out."
    notes = trace.get("notes")
    for note in notes if isinstance(notes, list) else ():
        yield f"{note}."


def plain_digest(trace: Mapping[str, Json], key: str) -> str:
    """Return a digest from a training's trace, or a dash."""
    value = trace.get(key)
    return value if isinstance(value, str) else NOTHING


def _groups(manifest: Manifest) -> Iterator[Group]:
    template = manifest.model.template
    own = (("chat template", f"{template.name}/{min(template.files)}"),) if template else ()
    yield Group(
        "Base model",
        (
            ("repository" if manifest.model.source.repo else "path", manifest.model.source.name),
            ("answers", "recorded before") if manifest.model.is_recorded else ("dtype", manifest.model.dtype),
            *own,
        ),
    )
    if manifest.finetune is None:
        yield Group("Fine-tuning", (("method", "none"),))
    else:
        document = manifest.finetune.to_json()
        top: dict[str, Json] = {key: value for key, value in document.items() if not isinstance(value, dict)}
        yield Group("Fine-tuning", tuple(settings(top)))
        for key, part in (("training", manifest.finetune.training), ("lora", manifest.finetune.lora)):
            if part is not None:
                yield Group({"training": "Training", "lora": "LoRA"}[key], tuple(settings(part.to_json())))
    yield Group("Seeds", tuple(settings(manifest.seeds.to_json())))
    yield Group("Engine limits", tuple(settings(manifest.engine.to_json())))
    judges: dict[str, Json] = {name: judge.to_json() for name, judge in sorted(manifest.judges.items())}
    yield Group("Judges", tuple(settings(judges)))
    for variation in manifest.variations:
        patch = tuple((pointer, canonical_json(value).decode()) for pointer, value in sorted(variation.set.items()))
        yield Group(f"Variation “{variation.name}”", patch)


def _evaluation_rows(manifest: Manifest, names: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    columns = [dict(settings(manifest.evaluations[name].to_json())) for name in names]
    for key in dict.fromkeys(key for column in columns for key in column):
        yield key.removeprefix("generation · "), tuple(column.get(key, NOTHING) for column in columns)


def _data_row(contents: Contents, name: str, data: DataSet) -> DataRow:
    manifest = contents.manifest
    withheld = name in {manifest.evaluations[evaluation].data for evaluation in contents.withheld}
    uses = ["fine-tuning"] if manifest.finetune is not None and manifest.finetune.data == name else []
    uses += [f"“{key}”" for key, each in sorted(manifest.evaluations.items()) if each.data == name]
    return DataRow(
        name, listed(uses) or NOTHING, data.format, _selected(data.rows), data.license, data.publish and not withheld
    )


def _selected(rows: RowSelection) -> str:
    where = [f"{column} is {' or '.join(values)}" for column, values in sorted(rows.where.items())]
    where += [f"{column} is not empty" for column in rows.not_empty]
    if rows.limit is None:
        limit = "all"
    elif rows.seed is None:
        limit = f"the first {rows.limit:,}"
    else:
        limit = f"{rows.limit:,} drawn with seed {rows.seed}"
    return f"{limit} where {listed(where)}" if where else limit


def _files(manifest: Manifest) -> Iterator[tuple[str, str, str]]:
    sources: list[tuple[str, Source]] = [("model", manifest.model.source)]
    if manifest.model.template is not None:
        sources.append(("chat template", manifest.model.template))
    if manifest.finetune is not None and manifest.finetune.adapter is not None:
        sources.append(("adapter", manifest.finetune.adapter))
    sources += [(name, data.source) for name, data in sorted(manifest.data.items())]
    for name, source in sources:
        for file, digest in sorted(source.files.items()):
            yield name, f"{source.name}/{file}", digest
