"""What a Keras model costs, by the TensorFlow graph that it makes; archc's IR takes no part."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from archcompiler.ir import Totals

COUNTED = ("Conv2D", "DepthwiseConv2dNative", "MatMul")
"""Operations that multiply each number of a kernel with each pixel of their output."""
HIDING = ("Conv", "MatMul", "Einsum", "Call", "While", "If", "Case", "XlaLaunch")
"""What the names of all other operations contain that would have multiply-adds."""


def operations(model: Any) -> Iterator[Any]:
    """Yield the operations of the graph that evaluates one image."""
    import tensorflow as tf

    image = tf.TensorSpec((1, *model.inputs[0].shape[1:]), model.inputs[0].dtype)
    function = tf.function(lambda images: model(images, training=False))
    yield from function.get_concrete_function(image).graph.get_operations()


def multiply_adds(model: Any) -> int:
    """Add up the multiply-adds of convolutions and dense layers for one image."""
    total = 0
    for operation in operations(model):
        if operation.type in COUNTED:
            kernel, output = operation.inputs[1].shape, operation.outputs[0].shape
            assert output[0] == 1
            total += math.prod(kernel) * math.prod(output[1:-1])
        else:
            assert not any(part in operation.type for part in HIDING), operation.type
    return total


def count(model: Any) -> Totals:
    """Return how many weights a model has, statistics of norms included, and its multiply-adds."""
    trainable = sum(math.prod(variable.shape) for variable in model.trainable_variables)
    return Totals(params=model.count_params(), trainable=trainable, macs=multiply_adds(model))
