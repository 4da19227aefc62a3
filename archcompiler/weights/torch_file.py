"""PyTorch's files (.pth, .pt): a state_dict, read without running anything that is in it."""

from __future__ import annotations

import io
import pickle
import pickletools
import warnings
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archcompiler.errors import ArchcError, Diagnostic
from archcompiler.weights.files import regular, write_whole
from archcompiler.weights.header import possible
from archcompiler.weights.libraries import library
from archcompiler.weights.problems import Problems, broken

if TYPE_CHECKING:
    from archcompiler.emitted import Array

CODE = ("GLOBAL", "STACK_GLOBAL", "INST")
"""The operations of a pickle that name a function or class."""

DTYPES = frozenset(
    {"float64", "float32", "float16", "bfloat16", "bool"}
    | {"int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8"}
)
"""What is read; all but bfloat16 are numpy's."""

INSIDE = ("state_dict", "model")
"""Where checkpoints of training loops keep the state_dict."""


def read(path: Path, names: frozenset[str] = frozenset()) -> dict[str, Array]:
    """Read every tensor by its key; float16 and bfloat16 become float32, which is exact.

    Raises E101, E901 for a damaged file, E905 for what is no plain tensor, E910 for a pickle that
    holds code: it is refused unread.
    """
    regular(path)
    torch = library("torch", "this file is read with it")
    try:
        mapped = zipfile.is_zipfile(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = torch.load(str(path), map_location="cpu", weights_only=True, mmap=mapped)
    except Exception as error:  # over a damaged file it raises nearly any kind
        raise _refused(path, str(error)) from None
    for key in INSIDE:
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
    if not isinstance(found, Mapping):
        raise broken(path, "the file holds no state_dict", "save `model.state_dict()`")
    problems = Problems()
    tensors = {}
    for key, value in found.items():
        if not isinstance(value, torch.Tensor) or not isinstance(key, str):
            problems.error("E905", f"`{key}` of the file is no tensor")
        elif not _is_plain(torch, value):
            problems.error("E905", f"`{key}` is {_kind(torch, value)}, which is not read")
        elif not _is_there(value):
            problems.error("E901", f"{path}: `{key}` claims more than the file has")
        else:
            narrow = value.dtype in (torch.float16, torch.bfloat16)
            plain = value.detach().to(torch.float32) if narrow else value.detach()
            tensors[key] = plain.contiguous().numpy().copy()
    problems.raise_errors()
    return tensors


def _is_plain(torch: Any, value: Any) -> bool:
    strided = value.layout is torch.strided and value.device.type == "cpu"
    return bool(strided and _dtype(value) in DTYPES and not value.is_neg())


def _is_there(value: Any) -> bool:
    """Tell whether the file holds each value; one that is spread over many places is but one."""
    room = value.untyped_storage().nbytes()
    return possible(value.shape) and value.numel() * value.element_size() <= room


def _dtype(value: Any) -> str:
    return str(value.dtype).removeprefix("torch.")


def _kind(torch: Any, value: Any) -> str:
    """Say what a tensor is that is not read."""
    layout = "" if value.layout is torch.strided else str(value.layout).removeprefix("torch.")
    view = "a negative view of" if layout == "" and value.is_neg() else layout
    return f"{view} {_dtype(value)}".strip()


def _refused(path: Path, error: str) -> ArchcError:
    """Tell code from damage: by what PyTorch says, else by the operations of the pickle."""
    if "GLOBAL" not in error and "TorchScript" not in error and not _names_code(path):
        return broken(path, "the file is cut off, damaged, or no state_dict of PyTorch")
    return ArchcError(
        Diagnostic(
            code="E910",
            message=f"{path} holds code that would run when it is read; archc runs none",
            hint="save `model.state_dict()` alone, best as safetensors",
        )
    )


def _names_code(path: Path) -> bool:
    """Tell whether a bare pickle names a function or class; its operations are listed, not run."""
    with path.open("rb") as file:
        if file.read(1) != pickle.PROTO:
            return False
        file.seek(0)
        with suppress(Exception):  # whatever stands in the file
            return any(operation.name in CODE for operation, _, _ in pickletools.genops(file))
    return False


def write(path: Path, tensors: Mapping[str, Array], depth_order: tuple[str, ...] = ()) -> None:
    """Write a state_dict, whole or not at all. Raises E603."""
    torch = library("torch", "this file is written with it")
    state = {key: torch.from_numpy(value) for key, value in tensors.items()}
    content = io.BytesIO()
    torch.save(state, content)
    write_whole(path, content.getvalue())
