"""TF-slim's Inception V3 in a process of its own: `save|restore CHECKPOINT NPZ`.

`save` draws every variable, writes them as slim's own checkpoint, and the values to the npz.
`restore` lets slim's model take a checkpoint, and writes what it then has to the npz.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys

os.environ |= {"TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}

import numpy as np
import tensorflow as tf

CLASSES = 1001


def import_slim():
    """Import tf_slim, which looks for a part of tf_keras where it no longer is."""
    import tf_keras.src.legacy_tf_layers as layers

    sys.modules["tf_keras.legacy_tf_layers"] = layers
    for module in pkgutil.iter_modules(layers.__path__):
        found = importlib.import_module(f"{layers.__name__}.{module.name}")
        sys.modules[f"tf_keras.legacy_tf_layers.{module.name}"] = found
    return importlib.import_module("tf_slim"), importlib.import_module("tf_slim.nets.inception_v3")


def main() -> None:
    what, checkpoint, values = sys.argv[1:]
    slim, nets = import_slim()
    v1 = tf.compat.v1
    rng = np.random.default_rng(5)
    with tf.Graph().as_default():
        images = v1.placeholder(tf.float32, (1, 299, 299, 3))
        with slim.arg_scope(nets.inception_v3_arg_scope()):
            nets.inception_v3(images, num_classes=CLASSES, is_training=False)
        variables = v1.global_variables()
        with v1.Session() as session:
            if what == "save":
                v1.train.get_or_create_global_step()
                session.run(v1.train.get_global_step().initializer)
                fed = {
                    v.initializer.inputs[1]: rng.uniform(0.1, 2, v.shape).astype("f")
                    for v in variables
                }
                session.run([v.initializer for v in variables], fed)
                v1.train.Saver().save(session, checkpoint, write_meta_graph=False)
            else:
                v1.train.Saver(variables).restore(session, checkpoint)
            drawn = session.run(variables)
            found = {v.op.name: value for v, value in zip(variables, drawn, strict=True)}
    np.savez(values, **found)


if __name__ == "__main__":
    main()
