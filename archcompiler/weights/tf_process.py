"""The process that reads or writes a TensorFlow checkpoint: `read|write PREFIX SAFETENSORS`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from archcompiler.weights import safetensors_file


def _read(tf: Any, prefix: str, between: Path) -> None:
    reader = tf.train.load_checkpoint(prefix)
    kinds = reader.get_variable_to_dtype_map()
    narrow = (tf.float16, tf.bfloat16)
    numbers = [n for n, d in kinds.items() if d.is_floating or d.is_integer or d.is_bool]
    tensors = {}
    for name in sorted(numbers):
        value = reader.get_tensor(name)
        tensors[name] = value.astype("float32") if kinds[name] in narrow else value
    safetensors_file.write(between, tensors, {})


def _write(tf: Any, prefix: str, between: Path) -> None:
    tensors = safetensors_file.read(between)
    names = sorted(tensors)
    tf.raw_ops.SaveV2(
        prefix=prefix,
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=[tf.constant(tensors[name]) for name in names],
    )


def main() -> None:
    """Do what the command line says."""
    import tensorflow as tf

    what, prefix, between = sys.argv[1:]
    {"read": _read, "write": _write}[what](tf, prefix, Path(between))


if __name__ == "__main__":
    main()
