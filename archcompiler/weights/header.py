"""The header of a safetensors file, read with more care than libraries take.

A file is 8 bytes of length, that many bytes of JSON, and the tensors one after the other. Of two
tensors with one name libraries keep the last without a word; here that is an error, as are gaps,
overlaps, and a size that does not follow from shape and dtype.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archcompiler.errors import ArchcError, Diagnostic
from archcompiler.weights.files import regular
from archcompiler.weights.problems import broken

MAX_HEADER = 100_000_000
"""The format's own limit, in bytes."""

DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4",
    "I16": "<i2", "I8": "|i1", "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "|u1",
    "BOOL": "|b1",
}  # fmt: skip
"""Each dtype that is read, and numpy's word for its bytes; numpy has no bfloat16."""

SIZES = {dtype: int(word[-1]) for dtype, word in DTYPES.items()}
"""Bytes of one value."""

FLOATS = {"F32": "float32", "F64": "float64"}
"""What weights are, by the format's word and by numpy's name."""

MAX_RANK = 32
MAX_VALUES = 2**60
"""What every numpy can make, 8 bytes a value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One tensor of a file: its dtype by the format's word, its shape, its place in bytes."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a file says about itself; `start` is where the tensors' bytes begin.

    `twice` are the names that stand there more than once.
    """

    metadata: Mapping[str, str]
    tensors: Mapping[str, Stored]
    twice: tuple[str, ...]
    start: int


class _Pairs(list[tuple[str, Any]]):
    """A JSON object as written: its keys may come twice."""


def read_header(path: Path) -> Header:
    """Read and check a header. Raises E101, E901 (cut off or padded), E902 (no header)."""
    size = regular(path)
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8:
            raise broken(path, f"the file is cut off: it has {size} bytes")
        if length > MAX_HEADER:
            raise _no_header(path, "it does not start with the length of a header")
        if length > size - 8:
            raise broken(
                path, f"the file is cut off in its header: {size:,} of {length + 8:,} bytes"
            )
        text = file.read(length)
    entries = _objects(path, text)
    metadata: dict[str, str] = {}
    tensors: dict[str, Stored] = {}
    twice: dict[str, None] = {}
    for name, value in entries:
        if name == "__metadata__":
            metadata = _metadata(path, value)
        else:
            if name in tensors:
                twice[name] = None
            tensors[name] = _stored(path, name, value)
    header = Header(metadata=metadata, tensors=tensors, twice=tuple(twice), start=8 + length)
    if not twice:
        _check_places(path, header, size - 8 - length)
    return header


def _objects(path: Path, text: bytes) -> _Pairs:
    try:
        found = json.loads(text.decode("utf-8"), object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        raise _no_header(path, "its header is no JSON") from None
    if not isinstance(found, _Pairs):
        raise _no_header(path, "its header is no JSON object")
    return found


def _metadata(path: Path, value: object) -> dict[str, str]:
    if not isinstance(value, _Pairs) or not all(isinstance(text, str) for _, text in value):
        raise _no_header(path, "its metadata are no words")
    return dict(value)


def _stored(path: Path, name: str, value: object) -> Stored:
    entry = dict(value) if isinstance(value, _Pairs) else {}
    dtype, shape, place = (entry.get(k) for k in ("dtype", "shape", "data_offsets"))
    numbers = [*shape, *place] if isinstance(shape, list) and isinstance(place, list) else [-1]
    whole = all(type(n) is int and 0 <= n < 2**63 for n in numbers)
    if not isinstance(dtype, str) or not whole or len(place or ()) != 2:
        raise _no_header(path, f"its header does not say what `{name}` is")
    assert isinstance(shape, list)
    assert isinstance(place, list)
    if not possible(shape):
        raise _no_header(path, f"its header gives `{name}` a shape that cannot be")
    return Stored(dtype=dtype, shape=tuple(shape), begin=place[0], end=place[1])


def possible(shape: Sequence[int]) -> bool:
    """Tell whether an array can have a shape; numpy counts the bytes as if no size were 0."""
    return len(shape) <= MAX_RANK and math.prod(n for n in shape if n) < MAX_VALUES


def _check_places(path: Path, header: Header, room: int) -> None:
    """Hold the places of the tensors against their sizes, each other and the file."""
    end = 0
    for name, tensor in sorted(header.tensors.items(), key=lambda item: item[1].begin):
        wanted = math.prod(tensor.shape) * SIZES.get(tensor.dtype, 0)
        if tensor.begin != end or (tensor.dtype in SIZES and tensor.end - tensor.begin != wanted):
            raise _no_header(path, f"its header gives `{name}` a place that cannot be")
        end = tensor.end
    if end > room:
        start = header.start
        raise broken(path, f"the file is cut off: {start + room:,} of {start + end:,} bytes")
    if end < room:
        raise broken(path, f"{room - end:,} bytes follow the last tensor")


def _no_header(path: Path, message: str) -> ArchcError:
    return ArchcError(
        Diagnostic(
            code="E902",
            message=f"{path} is no safetensors file: {message}",
            hint="`archc weights import` reads the files of other libraries",
        )
    )
