"""What the emitters of this package write of Keras: the list that the gate holds them to."""

from __future__ import annotations

_OF = {
    "keras": "Input KerasTensor Model",
    "keras.initializers": """
        Constant GlorotNormal GlorotUniform HeNormal HeUniform Ones RandomNormal RandomUniform
        TruncatedNormal VarianceScaling Zeros
    """,
    "keras.layers": """
        Activation AdaptiveAveragePooling2D Add AveragePooling2D BatchNormalization Concatenate
        Conv2D Dense DepthwiseConv2D Dropout Flatten GlobalAveragePooling2D Identity
        LayerNormalization MaxPooling2D ZeroPadding2D
    """,
    "keras.losses": "sparse_categorical_crossentropy",
    "keras.ops": "mean",
    "keras.regularizers": "L2",
}
NAMES = frozenset(f"{module}.{name}" for module, names in _OF.items() for name in names.split())
