"""GoogLeNet as tutorials write it for Keras: the paper's filters, and nothing that Keras lacks.

No local response norm, no training heads, TensorFlow's `same` everywhere. Layers have our names.
"""

from __future__ import annotations

from typing import Any

INCEPTIONS = {
    "3a": (64, (96, 128), (16, 32), 32),
    "3b": (128, (128, 192), (32, 96), 64),
    "4a": (192, (96, 208), (16, 48), 64),
    "4b": (160, (112, 224), (24, 64), 64),
    "4c": (128, (128, 256), (24, 64), 64),
    "4d": (112, (144, 288), (32, 64), 64),
    "4e": (256, (160, 320), (32, 128), 128),
    "5a": (256, (160, 320), (32, 128), 128),
    "5b": (384, (192, 384), (48, 128), 128),
}
"""Filters of the 1x1 branch, of the 3x3 and 5x5 ones with their reductions, behind the pool."""
POOLED_BEFORE = {"4a": "pool3_3x3_s2", "5a": "pool4_3x3_s2"}


def build(num_classes: int = 1000, dropout: float = 0.4) -> Any:
    """Return the model."""
    import keras
    from keras import layers

    def conv(x: Any, filters: int, size: int, name: str, stride: int = 1) -> Any:
        name = f"{name}.conv"
        return layers.Conv2D(filters, size, stride, "same", activation="relu", name=name)(x)

    def pool(x: Any, name: str, stride: int = 2) -> Any:
        return layers.MaxPooling2D(3, stride, "same", name=name)(x)

    image = keras.Input((224, 224, 3))
    x = conv(image, 64, 7, "conv1_7x7_s2", stride=2)
    x = pool(x, "pool1_3x3_s2")
    x = conv(x, 64, 1, "conv2_3x3_reduce")
    x = conv(x, 192, 3, "conv2_3x3")
    x = pool(x, "pool2_3x3_s2")
    for letter, (one, three, five, behind_pool) in INCEPTIONS.items():
        name = f"inception_{letter}"
        if letter in POOLED_BEFORE:
            x = pool(x, POOLED_BEFORE[letter])
        branches = [conv(x, one, 1, f"{name}.conv_1x1")]
        for size, (before, filters) in ((3, three), (5, five)):
            branch = f"{name}.branch_{size}x{size}"
            reduced = conv(x, before, 1, f"{branch}.reduce")
            branches.append(conv(reduced, filters, size, f"{branch}.conv"))
        pooled = pool(x, f"{name}.branch_pool.pool", stride=1)
        branches.append(conv(pooled, behind_pool, 1, f"{name}.branch_pool.proj"))
        x = layers.Concatenate(name=name)(branches)
    x = layers.GlobalAveragePooling2D(name="pool5_7x7_s1")(x)
    x = layers.Dropout(dropout)(x)
    x = layers.Dense(num_classes, name="loss3.classifier")(x)
    return keras.Model(image, layers.Softmax(name="prob")(x))


def end_points(model: Any, names: list[str], images: Any) -> dict[str, Any]:
    """Return the results of a built model by our names, of those it has."""
    import keras

    layers = {layer.name.removesuffix(".conv"): layer.output for layer in model.layers}
    layers["loss3"] = layers["loss3.classifier"]
    view = keras.Model(model.input, {name: layers[name] for name in names if name in layers})
    return {name: value.numpy() for name, value in view(images, training=False).items()}
