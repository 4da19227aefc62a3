"""Safetensors files: bytes to arrays and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from archcompiler.weights.files import write_whole
from archcompiler.weights.header import DTYPES, Header, read_header
from archcompiler.weights.libraries import library, numpy
from archcompiler.weights.problems import Problems

if TYPE_CHECKING:
    from archcompiler.emitted import Array


def tensors_of(path: Path, header: Header, names: Iterable[str]) -> dict[str, Array]:
    """Read some tensors; float16 and bfloat16 become float32, which is exact."""
    np = numpy()
    found = {}
    with path.open("rb") as file:
        for name in names:
            stored = header.tensors[name]
            file.seek(header.start + stored.begin)
            data = file.read(stored.end - stored.begin)
            flat = np.frombuffer(data, DTYPES[stored.dtype])
            if stored.dtype == "BF16":
                flat = (flat.astype("<u4") << 16).view("<f4")
            wide = flat.astype("f4") if stored.dtype == "F16" else flat.copy()
            found[name] = wide.reshape(stored.shape)
    return found


def read(path: Path, names: frozenset[str] = frozenset()) -> dict[str, Array]:
    """Read a safetensors file of any library. Raises E101, E901, E902, E905, E907."""
    header = read_header(path)
    problems = Problems()
    for name in header.twice:
        problems.error("E907", f"{path} has two tensors that are called `{name}`")
    for name, stored in header.tensors.items():
        if stored.dtype not in DTYPES:
            problems.error("E905", f"`{name}` is of the dtype {stored.dtype}, which is not read")
    problems.raise_errors()
    return tensors_of(path, header, header.tensors)


def write(path: Path, tensors: Mapping[str, Array], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file, whole or not at all. Raises E603."""
    np = numpy()
    save = library("safetensors.numpy", "weights are written with it")
    data = {name: np.asarray(value, order="C") for name, value in tensors.items()}
    said = dict(metadata) or None  # the library writes no JSON of empty metadata without tensors
    write_whole(path, save.save(data, said))
