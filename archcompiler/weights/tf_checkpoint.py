"""TensorFlow's checkpoints: PREFIX.index and PREFIX.data-00000-of-00001, or one file as of old.

That one file is the first version of the format, which is how TF-slim's weights were published.
It is only read.

TensorFlow runs in a process of its own: it talks much, and what a damaged file does to it does
nothing to archc. The tensors pass through a safetensors file between the two.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from archcompiler.weights import safetensors_file
from archcompiler.weights.child import last_line, run, time_limit
from archcompiler.weights.files import regular, unwritable
from archcompiler.weights.libraries import need
from archcompiler.weights.problems import broken

if TYPE_CHECKING:
    from archcompiler.emitted import Array

SECONDS = 180.0
"""How long reading may take, beside the time for the files' size: TensorFlow starts slowly."""

INDEX = ".index"
DATA = ".data-00000-of-00001"


def prefix_of(path: Path) -> Path:
    """Return what a checkpoint is called without the ending of its index."""
    name = path.name.removesuffix(INDEX)
    return path.with_name(name) if name else path


def targets(path: Path) -> tuple[Path, ...]:
    """Return the files that `write` makes, in its order."""
    return tuple(Path(f"{prefix_of(path)}{ending}") for ending in (DATA, INDEX))


def read(path: Path, names: frozenset[str] = frozenset()) -> dict[str, Array]:
    """Read every tensor of numbers. Raises E101, E701, E901."""
    prefix = prefix_of(path)
    index = Path(f"{prefix}{INDEX}")
    regular(prefix if path == prefix and prefix.is_file() and not index.exists() else index)
    need("tensorflow", "this file is read with it")
    with tempfile.TemporaryDirectory(prefix="archc-") as folder:
        between = Path(folder, "tensors.safetensors")
        try:
            said = _child("read", prefix.resolve(), between, time_limit(SECONDS, _size(prefix)))
        except subprocess.TimeoutExpired:
            raise broken(prefix, "the checkpoint is damaged: to read it takes no end") from None
        if said is not None:
            raise broken(prefix, "the checkpoint is cut off or damaged", said)
        return safetensors_file.read(between)


def write(path: Path, tensors: Mapping[str, Array], depth_order: tuple[str, ...] = ()) -> None:
    """Write a checkpoint; the index, which makes it one, comes last. Raises E603, E701."""
    prefix = prefix_of(path)
    need("tensorflow", "this file is written with it")
    try:
        with tempfile.TemporaryDirectory(prefix=".archc-", dir=prefix.parent) as folder:
            between = Path(folder, "tensors.safetensors")
            beside = Path(folder, "checkpoint").resolve()
            safetensors_file.write(between, tensors, {})
            said = _child("write", beside, between)
            if said is not None:
                raise unwritable(prefix, OSError(said))
            for ending, target in zip((DATA, INDEX), targets(path), strict=True):
                os.replace(f"{beside}{ending}", target)
    except OSError as error:
        raise unwritable(prefix, error) from None


def _size(prefix: Path) -> int:
    """Return the bytes of all files of a checkpoint."""
    files = [f for f in prefix.parent.iterdir() if f.name.startswith(f"{prefix.name}.")]
    return sum(f.stat().st_size for f in (prefix, *files) if f.is_file())


def _child(what: str, prefix: Path, between: Path, seconds: float | None = None) -> str | None:
    """Run `tf_process`; return the last line it said where it failed."""
    done = run("tf_process", what, str(prefix), str(between), seconds=seconds)
    return last_line(done) if done.returncode else None
