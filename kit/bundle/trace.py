"""The form of what is recorded of a training (`kit.trainer.interface`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kit.canonical import Json

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


def trace_problem(document: Mapping[str, Json]) -> str | None:
    """Return why a document is not what a trainer recorded, with the place in it."""
    try:
        msgspec.convert(document, _Trace)
    except msgspec.ValidationError as error:
        return str(error)
    return None
