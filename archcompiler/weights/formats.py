"""The kinds of weights files, told by their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from archcompiler.errors import USAGE_OR_ENVIRONMENT, ArchcError, Diagnostic
from archcompiler.weights import keras_file, safetensors_file, tf_checkpoint, torch_file

if TYPE_CHECKING:
    from archcompiler.emitted import Array

Reader = Callable[[Path, frozenset[str]], "dict[str, Array]"]
Writer = Callable[[Path, "Mapping[str, Array]", tuple[str, ...]], None]


def _itself(path: Path) -> tuple[Path, ...]:
    return (path,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One kind of file; a reader is told the names that are wanted, a writer the layers' order.

    `targets` are the files that a writer makes of a name. One that `needs_order` has no names of
    tensors but the order of the layers.
    """

    endings: tuple[str, ...]
    title: str
    read: Reader
    write: Writer | None
    targets: Callable[[Path], tuple[Path, ...]] = _itself
    needs_order: bool = False


def _write_safetensors(path: Path, tensors: Mapping[str, Array], order: tuple[str, ...]) -> None:
    safetensors_file.write(path, tensors, {"format": "pt"})


FORMATS = (
    Format(
        endings=(".safetensors",),
        title="safetensors",
        read=safetensors_file.read,
        write=_write_safetensors,
    ),
    Format(
        endings=(".pth", ".pt", ".bin"),
        title="PyTorch state_dict",
        read=torch_file.read,
        write=torch_file.write,
    ),
    Format(
        endings=(".weights.h5",),
        title="Keras weights",
        read=keras_file.read,
        write=keras_file.write,
        needs_order=True,
    ),
    Format(endings=(".keras",), title="Keras model", read=keras_file.read, write=None),
    Format(
        endings=(".h5", ".hdf5"),
        title="Keras weights, legacy",
        read=keras_file.read,
        write=keras_file.write_legacy,
    ),
    Format(
        endings=(".ckpt", ".index"),
        title="TensorFlow checkpoint",
        read=tf_checkpoint.read,
        write=tf_checkpoint.write,
        targets=tf_checkpoint.targets,
    ),
)
"""In the order in which endings are tried: the longer of two comes first."""


def format_of(path: Path, *, to_write: bool = False) -> Format:
    """Return the kind of a file by its name. Raises E915 for no such kind, or one only read."""
    for form in FORMATS:
        if path.name.lower().endswith(form.endings):
            if to_write and form.write is None:
                raise _no_format(f"{path.name} would be a {form.title}, which is only read", True)
            return form
    if not to_write and Path(f"{path}{tf_checkpoint.INDEX}").is_file():
        return next(f for f in FORMATS if f.read is tf_checkpoint.read)
    raise _no_format(f"the name {path} does not say what kind of file it is", to_write)


def _no_format(message: str, to_write: bool) -> ArchcError:
    fit = [f for f in FORMATS if f.write or not to_write]
    endings = [e for f in fit for e in f.endings if e != tf_checkpoint.INDEX]
    return ArchcError(
        Diagnostic(code="E915", message=message, hint=f"it ends in {', '.join(endings)}"),
        exit_code=USAGE_OR_ENVIRONMENT,
    )
