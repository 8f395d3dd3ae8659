"""Where two trainings of the same weights parted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.review.diff.evidence import Change, Influence, Parting
from kit.review.diff.sequences import first_difference

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kit.core.canonical import Json
    from kit.core.cells import ArmSeed

STAGES = {
    "step0_weights": "training began with other weights: another initialisation, hence another model",
    "template": "the training texts were put into another template",
    "order": "the data came in another order, hence other gradients from there on",
    "losses": "the same start and data, and other sums from there on: kernels, threads or roundings of the training",
    "weights": "the same start, data and losses, and other trained weights: a difference too small for the losses",
}
"""The fields of a training's trace (`kit.run.backends.training.interface`), in the order in which training passes
through them, and what a difference explains of the answers of the trained weights, if it is the first."""


def partings(a: Mapping[ArmSeed, dict[str, Json]], b: Mapping[ArmSeed, dict[str, Json]]) -> list[Parting]:
    """Return the first difference of each training that both sides have and that differs."""
    common = sorted(set(a) & set(b), key=str)
    found = (_parting(weights, a[weights], b[weights]) for weights in common)
    return [parting for parting in found if parting]


def training_changes(found: Sequence[Parting]) -> Iterator[Change]:
    """Yield each stage at which trainings parted, with what the first of them has there."""
    for stage in (*STAGES, *sorted({one.stage for one in found} - STAGES.keys())):
        if parted := [one for one in found if one.stage == stage]:
            first = parted[0]
            where = "" if first.index is None else f"[{first.index}]"
            others = f" and {len(parted) - 1} more" if len(parted) > 1 else ""
            explains = STAGES.get(stage, "something else that was recorded of the training")
            influence = Influence.LIKELY if stage in STAGES else Influence.POSSIBLE
            path = f"{stage}{where} of {first.weights}{others}"
            yield Change("training", path, first.a, first.b, influence, explains)


def _parting(weights: ArmSeed, a: dict[str, Json], b: dict[str, Json]) -> Parting | None:
    others = sorted({*a, *b} - {*STAGES})
    for stage in (*STAGES, *others):
        before, after = a.get(stage), b.get(stage)
        if before == after:
            continue
        if isinstance(before, list) and isinstance(after, list):
            return Parting(weights, stage, *first_difference(before, after))
        return Parting(weights, stage, None, before, after)
    return None
