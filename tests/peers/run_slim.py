"""Runs a network of tf-slim's in a process that has Keras 2 for it.

    run_slim.py FOLDER NAME [plain] [depth_multiplier=NUMBER]

`plain` leaves out the network's arg_scope, and every norm with it. Reads `images.npy` and
`weights.npz`, which has every variable by its name, no more and no fewer. Writes `points.npz`.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
from pathlib import Path

import numpy as np

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

# tf-slim looks for its layers where TensorFlow of its time had them.
source = importlib.import_module("tf_keras.src.legacy_tf_layers")
sys.modules["tf_keras.legacy_tf_layers"] = source
for module in pkgutil.iter_modules(source.__path__):
    found = importlib.import_module(f"{source.__name__}.{module.name}")
    sys.modules[f"tf_keras.legacy_tf_layers.{module.name}"] = found


def main(folder: Path, name: str, *options: str) -> None:
    import tensorflow.compat.v1 as tf
    import tf_slim as slim

    nets = importlib.import_module(f"tf_slim.nets.{name}")
    network = getattr(nets, name)
    scope = {} if "plain" in options else getattr(nets, f"{name}_arg_scope")()
    numbers = (option.split("=") for option in options if "=" in option)
    arguments = {argument: float(number) for argument, number in numbers}
    images = np.load(folder / "images.npy")
    weights = np.load(folder / "weights.npz")
    with tf.Graph().as_default(), tf.Session() as session:
        batch = tf.placeholder(tf.float32, images.shape)
        with slim.arg_scope(scope):
            _, points = network(batch, is_training=False, **arguments)
        variables = {v.op.name: v for v in tf.global_variables()}
        odd = variables.keys() ^ set(weights.files)
        if odd:
            sys.exit(f"not in both: {', '.join(sorted(odd))}")
        fed = {
            variable.initializer.inputs[1]: weights[name] for name, variable in variables.items()
        }
        session.run([v.initializer for v in variables.values()], fed)  # refuses another shape
        np.savez(folder / "points.npz", **session.run(points, {batch: images}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
