"""Runs emitted Keras code in the IR's terms."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from archc_tensorflow.weights import path as variable_path
from archcompiler.emitted import DType, Emitted
from archcompiler.ir import Network
from archcompiler.ops.convolution import is_depthwise

if TYPE_CHECKING:
    from archcompiler.emitted import Array, Arrays


class TensorflowEmitted(Emitted):
    """A Keras build."""

    def __init__(self, folder: Path, network: Network, dtype: DType) -> None:
        import keras

        sys.path.insert(0, str(folder))
        self.model = importlib.import_module("model")
        self.weights = importlib.import_module("weights")
        keras.backend.clear_session(free_memory=False)
        keras.utils.set_random_seed(0)
        keras.config.set_floatx(dtype)
        keras.config.set_dtype_policy(dtype)
        self.built = self.model.build()
        for layer in self.built.layers:
            if isinstance(layer, keras.layers.Dropout):
                layer.rate = 0.0
        self.network = network
        tensors = [(n, w) for n in network.walk() for w in n.weights]
        self.names = {variable_path(n, w): n.weight_name(w) for n, w in tensors}
        self.depthwise = {n.weight_name(w): w.shape for n, w in tensors if is_depthwise(n, w)}

    @override
    def load_weights(self, path: Path) -> None:
        self.weights.load_weights(self.built, path)

    @override
    def save_weights(self, path: Path) -> None:
        self.weights.save_weights(self.built, path)

    @override
    def end_points(self, images: Array) -> Arrays:
        return _arrays(self.model.end_points(self.built)(images, training=False))

    @override
    def nodes(self, images: Array) -> Arrays:
        import keras

        layers = {layer.name: layer for layer in self.built.layers}
        outputs = {
            node.path: layers[name].output
            for node in self.network.walk()
            if (name := node.path.replace("/", ".")) in layers
        }
        return _arrays(keras.Model(self.built.input, outputs)(images, training=False))

    @override
    def differentiate(self, images: Array, weighing: Array, *, training: bool) -> Arrays:
        import tensorflow as tf

        network = self.model.inference(self.built)
        variables = network.trainable_variables
        moving = [v for v in network.non_trainable_variables if v.path in self.names]
        before = [v.numpy() for v in moving]
        x = tf.constant(images)
        with tf.GradientTape() as tape:
            tape.watch(x)
            output = network(x, training=training)
            total = tf.reduce_sum(output * weighing)
        first, *others = tape.gradient(total, [x, *variables])
        found = {"output": output}
        if first is not None:
            found["input"] = first
        for variable, gradient in zip(variables, others, strict=True):
            if gradient is not None:
                found[self.names[variable.path]] = gradient
        for variable, values in zip(moving, before, strict=True):
            if training:
                found[self.names[variable.path]] = variable.numpy()
            variable.assign(values)
        arrays = dict(_arrays(found))
        for name in self.depthwise.keys() & arrays.keys():
            arrays[name] = arrays[name].reshape(self.depthwise[name])
        return arrays

    @override
    def step(self, images: Array, labels: Array, rate: float) -> float:
        import keras
        import tensorflow as tf

        # A new optimizer each time: plain descent remembers nothing.
        optimizer = keras.optimizers.SGD(rate)
        variables = self.built.trainable_variables
        with tf.GradientTape() as tape:
            loss = self.model.loss(self.built(images, training=True), labels)
            total = loss + sum(self.built.losses)
        gradients = tape.gradient(total, variables)
        known = [(g, v) for g, v in zip(gradients, variables, strict=True) if g is not None]
        optimizer.apply_gradients(known)
        return float(loss)


def _arrays(found: dict[str, Any]) -> Arrays:
    import numpy as np

    return {name: np.asarray(value) for name, value in found.items()}
