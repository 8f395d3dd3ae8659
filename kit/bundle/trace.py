"""The form of what is recorded of a training (`kit.run.backends.training.interface`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kit.core.canonical import Json

_Natural: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]
_Digest: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"\Axxh3_128:[0-9a-f]{32}\Z")]


class _Loss(msgspec.Struct, forbid_unknown_fields=True):
    """Of one step; null where it was infinite, as in fp16's first steps."""

    step: _Natural
    loss: float | None
    grad_norm: float | None
    learning_rate: float | None


class _Trace(msgspec.Struct):
    """Other fields may stand beside these: a later kit may record more."""

    step0_weights: _Digest
    weights: _Digest
    order: list[str]
    template: _Digest
    trainable_parameters: _Natural
    losses: list[_Loss] | msgspec.UnsetType = msgspec.UNSET
    """Left out of a redacted bundle."""
    rows: _Natural | msgspec.UnsetType = msgspec.UNSET
    """Unset, as what follows, in records of kits that let TRL cut and drop rows."""
    cut: _Natural | msgspec.UnsetType = msgspec.UNSET
    dropped: _Natural | msgspec.UnsetType = msgspec.UNSET
    dropped_ids: list[str] | msgspec.UnsetType = msgspec.UNSET
    notes: list[str] | msgspec.UnsetType = msgspec.UNSET
    """Left out of a redacted bundle."""


def trace_problem(document: Mapping[str, Json]) -> str | None:
    """Return why a document is not what a trainer recorded, with the place in it."""
    try:
        trace = msgspec.convert(document, _Trace)
    except msgspec.ValidationError as error:
        return str(error)
    return _contradiction(trace)


def _contradiction(trace: _Trace) -> str | None:
    """Return what of the rows cannot be, if something cannot."""
    if isinstance(trace.rows, msgspec.UnsetType):
        return None
    rows, used = trace.rows, {*trace.order}
    dropped = () if isinstance(trace.dropped_ids, msgspec.UnsetType) else trace.dropped_ids
    if len(used) > rows:
        return f"{len(used)} rows were seen of {rows} - at `$.order`"
    if not isinstance(trace.cut, msgspec.UnsetType) and trace.cut > rows:
        return f"{trace.cut} rows were cut of {rows} - at `$.cut`"
    if isinstance(trace.dropped, msgspec.UnsetType) or len(dropped) > trace.dropped:
        return "more rows are named than were dropped - at `$.dropped_ids`"
    if seen := used & {*dropped}:
        return f"row {min(seen)!r} was dropped and seen - at `$.dropped_ids`"
    return None
