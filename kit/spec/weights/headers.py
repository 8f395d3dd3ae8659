"""The tensors that a model's safetensors files hold, by name, read from their headers alone."""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass
from os import SEEK_END
from typing import TYPE_CHECKING, cast

from kit.core.canonical import MAX_SAFE_INTEGER
from kit.core.errors import CheckFailed, Problem
from kit.core.lenient import parse_lenient_json, read_lenient_json
from kit.spec.checkpoint.files import INDEX, SUFFIX, WEIGHTS
from kit.spec.checkpoint.loadable import weight_map

if TYPE_CHECKING:
    from pathlib import Path

    from kit.core.canonical import Json
    from kit.spec.manifest.parts import Source
    from kit.spec.manifest.places import Places

MAX_HEADER_BYTES = 32 << 20
"""Of one file; the format itself allows 100 MB, and a model of a thousand layers takes 2 MB."""
MAX_DIMS = 64
"""Of one tensor; torch has no more."""
_DTYPE = re.compile(r"[A-Z]{1,8}[0-9]{0,3}(_[A-Z0-9]{1,8})?")
_BITS = {"BOOL": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6}


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor as it lies on disk."""

    dtype: str
    """As the format names it: `F32`, `BF16`, `I8`, …"""
    dims: tuple[int, ...]

    @property
    def numbers(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.dims)

    @property
    def is_float(self) -> bool:
        """Whether loading it in a dtype converts it: true of full and half precision, false of quantized formats."""
        return self.dtype in ("F64", "F32", "F16", "BF16")

    @property
    def stored_bytes(self) -> int:
        """How many bytes it takes as it is."""
        bits = _BITS.get(self.dtype) or int("".join(filter(str.isdigit, self.dtype.split("_")[0])) or 8)
        return self.numbers * bits // 8


def tensors_of(places: Places, source: Source) -> dict[str, Tensor]:
    """Return the tensors of a model whose files are there; of copies in another layout only those that a loader takes.

    Raises:
        CheckFailed: a file is not in the format, or lacks tensors that the index says are in it.
    """
    files = sorted(name for name in source.files if name.endswith(SUFFIX))
    if WEIGHTS in source.files:
        return read_header(places.file(source, WEIGHTS))
    if INDEX not in source.files:
        return {name: tensor for file in files for name, tensor in read_header(places.file(source, file)).items()}
    path = places.file(source, INDEX)
    index = read_lenient_json(path)
    listed = weight_map(index)
    headers = {file: read_header(places.file(source, file)) for file in files if file in listed.values()}
    missing = [name for name, file in listed.items() if name not in headers.get(file, {})]
    if missing:
        what = f"names {len(missing)} tensors that are not where it says, the first is {missing[0]!r}"
        raise CheckFailed.of(path, what, "get it and its files again, from one place")
    return {name: tensor for header in headers.values() for name, tensor in header.items()}


def read_header(path: Path) -> dict[str, Tensor]:
    """Return the tensors of one file (format: huggingface/safetensors, README, "Format").

    Raises:
        CheckFailed: it is not in the format, or not as long as its header says.
    """
    with path.open("rb") as stream:
        start = stream.read(8)
        size = struct.unpack("<Q", start)[0] if len(start) == 8 else MAX_HEADER_BYTES + 1
        if size > MAX_HEADER_BYTES:
            raise _not_weights(path)
        data = stream.read(size)
        length = stream.seek(0, SEEK_END)
    header = parse_lenient_json(data, str(path))
    header.pop("__metadata__", None)
    tensors = {name: _tensor(entry, path) for name, entry in header.items()}
    expected = 8 + size + max((_end(entry, path) for entry in header.values()), default=0)
    if length != expected:
        what = f"has {length} bytes where its own header tells of {expected}: it was cut off on its way, or changed"
        raise CheckFailed([Problem(str(path), what, "fetch it again")])
    return tensors


def _tensor(entry: Json, path: Path) -> Tensor:
    dtype, dims = (entry.get("dtype"), entry.get("shape")) if isinstance(entry, dict) else (None, None)
    if not isinstance(dtype, str) or not isinstance(dims, list):
        raise _not_weights(path)
    if not _DTYPE.fullmatch(dtype) or len(dims) > MAX_DIMS or not all(type(one) is int and one >= 0 for one in dims):
        raise _not_weights(path)
    tensor = Tensor(dtype, tuple(cast("list[int]", dims)))
    if tensor.numbers > MAX_SAFE_INTEGER:
        raise _not_weights(path)
    return tensor


def _end(entry: Json, path: Path) -> int:
    """Return where a tensor ends, in bytes behind the header."""
    offsets = entry.get("data_offsets") if isinstance(entry, dict) else None
    if not isinstance(offsets, list) or len(offsets) != 2 or type(offsets[1]) is not int:
        raise _not_weights(path)
    return offsets[1]


def _not_weights(path: Path) -> CheckFailed:
    return CheckFailed([Problem(str(path), "is not a safetensors file", "fetch it again, or convert the weights")])
