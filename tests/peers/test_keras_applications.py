"""Inception V3, Inception-ResNet V2 and Xception are those of `keras.applications`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from support import Points, Twins, compare, softmax

from archcompiler import weights

# Keras turns variables into arrays in a way that numpy will drop.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def in_order(model: Any) -> list[Any]:
    """Return the layers of a functional Keras model in the order that its code creates them."""
    givers = {id(layer.output): layer for layer in model.layers}
    found: dict[int, Any] = {}

    def visit(tensor: Any) -> None:
        layer = givers[id(tensor)]
        inputs = layer.input if isinstance(layer.input, list) else [layer.input]
        for value in inputs:
            if id(value) not in found and value is not tensor:  # an image enters itself
                visit(value)
        found[id(tensor)] = layer

    visit(model.output)
    return list(found.values())


def copy_in_order(ours: Any, peer: Any) -> None:
    """Copy all weights from layer to layer; a dense layer takes those of a 1x1 convolution."""
    theirs = [layer for layer in in_order(peer) if layer.weights]
    sources = [layer for layer in in_order(ours) if layer.weights]
    for target, source in zip(theirs, sources, strict=True):
        pairs = zip(source.get_weights(), target.weights, strict=True)
        target.set_weights([value.reshape(variable.shape) for value, variable in pairs])


def peer_with_weights(pair: Twins) -> Any:
    import keras

    peer = keras.applications.InceptionV3(
        weights=None, classifier_activation=None, input_shape=pair.network.input.shape
    )
    copy_in_order(pair.keras_module.inference(pair.keras_model), peer)
    return peer


def points_of(peer: Any, pair: Twins) -> Points:
    """Run the peer and return its results by our names; only its blocks have names of their own."""
    import keras

    stem = [name for name in pair.end_points if name.startswith(("Conv2d", "MaxPool"))]
    blocks = [name for name in pair.end_points if name.startswith("Mixed")]
    kinds = (keras.layers.Activation, keras.layers.MaxPooling2D)
    layers = [layer for layer in in_order(peer) if isinstance(layer, kinds)][: len(stem)]
    layers += [peer.get_layer(f"mixed{number}") for number in range(len(blocks))]
    layers += [peer.get_layer("avg_pool"), peer.get_layer("predictions")]
    names = [*stem, *blocks, "PreLogits", "Logits"]
    outputs = {name: layer.output for name, layer in zip(names, layers, strict=True)}
    points = keras.Model(peer.input, outputs)(pair.images, training=False)
    found = {name: value.numpy() for name, value in points.items()}
    return found | {"Predictions": softmax(found["Logits"])}


@pytest.mark.parametrize(
    ("name", "size", "absent"),
    [
        ("inception_v3", 299, {"AuxLogits"}),  # which the peer has not
        ("inception_v3_keras", 107, set()),
        pytest.param("inception_v3_keras", 299, set(), marks=pytest.mark.long),
    ],
)
def test_inception_v3(
    twins: Callable[..., Twins], figure: Callable[..., None], name: str, size: int, absent: set[str]
) -> None:
    pair = twins(name, *([f"input={size}x{size}"] if size != 299 else []))
    peer = peer_with_weights(pair)
    assert peer.count_params() == pair.network.totals(inference=True).params == 23_851_784
    wanted = points_of(peer, pair)
    for framework, found in (("torch", pair.torch_points), ("tensorflow", pair.keras_points)):
        assert found.keys() - wanted.keys() == absent
        comparison = compare({name: found[name] for name in pair.end_points}, wanted)
        figure(f"{name}, {framework}", f"keras.applications.InceptionV3, {size}", comparison)
        assert not comparison.apart


# Inception-ResNet V2

STEM = {
    "Conv2d_1a_3x3": "activation",
    "Conv2d_2a_3x3": "activation_1",
    "Conv2d_2b_3x3": "activation_2",
    "MaxPool_3a_3x3": "max_pooling2d",
    "Conv2d_3b_1x1": "activation_3",
    "Conv2d_4a_3x3": "activation_4",
    "MaxPool_5a_3x3": "max_pooling2d_1",
}
BLOCKS = {
    **{name: name.lower() for name in ("Mixed_5b", "Mixed_6a", "Mixed_7a")},
    "Repeat": "block35_10_ac",
    "Repeat_1": "block17_20_ac",
    "PreAuxLogits": "block17_20_ac",
    "Repeat_2": "block8_9_ac",
    "Block8": "custom_scale_layer_39",  # the last block has no activation
    "Conv2d_7b_1x1": "conv_7b_ac",
    "PreLogitsFlatten": "avg_pool",
    "Logits": "predictions",
}


def give_weights(pair: Twins, peer: Any, folder: Path) -> None:
    """Give the peer our weights through the shipped map, which must bring them back, too."""
    file = folder / "theirs.weights.h5"
    weights.export_weights(file, pair.network, pair.weights, "keras")
    peer.load_weights(file)
    peer.save_weights(file)
    back = weights.import_weights(file, pair.network, "keras").tensors
    wanted = {n: w for n, w in pair.weights.items() if not n.startswith("AuxLogits/")}
    assert back.keys() == wanted.keys()
    assert all((back[name] == value).all() for name, value in wanted.items())


def named_points(pair: Twins, peer: Any, layers: Mapping[str, str]) -> Points:
    """Run the peer; return what its layers give, by our names, and the softmax of the logits."""
    import keras

    outputs = {name: peer.get_layer(layer).output for name, layer in layers.items()}
    points = keras.Model(peer.input, outputs)(pair.images, training=False)
    found = {name: value.numpy() for name, value in points.items()}
    return found | {"Predictions": softmax(found["Logits"])}


@pytest.mark.long
@pytest.mark.parametrize("size", [107, 299])
def test_inception_resnet_v2(
    twins: Callable[..., Twins], figure: Callable[..., None], tmp_path: Path, size: int
) -> None:
    """Its weights come through the shipped map, and go back."""
    import keras

    pair = twins("inception_resnet_v2", f"input={size}x{size}")
    keras.backend.clear_session()
    peer = keras.applications.InceptionResNetV2(
        weights=None, classifier_activation=None, input_shape=(size, size, 3)
    )
    assert peer.count_params() == pair.network.totals(inference=True).params == 55_873_736
    give_weights(pair, peer, tmp_path)
    theirs = named_points(pair, peer, STEM | BLOCKS)
    for framework, found in (("torch", pair.torch_points), ("tensorflow", pair.keras_points)):
        assert found.keys() - theirs.keys() == {"AuxLogits"}  # the peer has none
        comparison = compare({name: found[name] for name in pair.end_points}, theirs)
        peers = f"keras.applications.InceptionResNetV2, {size}"
        figure(f"inception_resnet_v2, {framework}", peers, comparison)
        assert not comparison.apart


# Xception

XCEPTION = {
    **{f"block1_conv{n}": f"block1_conv{n}_act" for n in (1, 2)},
    **{f"block{n + 2}": f"add_{n}".removesuffix("_0") for n in range(12)},
    **{f"block14_sepconv{n}": f"block14_sepconv{n}_act" for n in (1, 2)},
    "avg_pool": "avg_pool",
    "Logits": "predictions",
}


@pytest.mark.parametrize("size", [107, pytest.param(299, marks=pytest.mark.long)])
def test_xception(
    twins: Callable[..., Twins], figure: Callable[..., None], tmp_path: Path, size: int
) -> None:
    """At 107 one pool pads below and right alone, as at 299, and the others on every side."""
    import keras

    pair = twins("xception", f"input={size}x{size}")
    keras.backend.clear_session()
    peer = keras.applications.Xception(
        weights=None, classifier_activation=None, input_shape=(size, size, 3)
    )
    assert peer.count_params() == pair.network.totals().params == 22_910_480
    give_weights(pair, peer, tmp_path)
    theirs = named_points(pair, peer, XCEPTION)
    for framework, found in (("torch", pair.torch_points), ("tensorflow", pair.keras_points)):
        assert found.keys() == theirs.keys()
        comparison = compare({name: found[name] for name in pair.end_points}, theirs)
        figure(f"xception, {framework}", f"keras.applications.Xception, {size}", comparison)
        assert not comparison.apart
