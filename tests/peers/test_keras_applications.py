"""Inception V3 is that of `keras.applications`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support import Points, Twins, compare, softmax


@pytest.fixture
def pair(twins: Callable[..., Twins]) -> Twins:
    return twins("inception_v3")


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

    peer = keras.applications.InceptionV3(weights=None, classifier_activation=None)
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


def test_every_common_end_point_agrees(pair: Twins, figure: Callable[..., None]) -> None:
    wanted = points_of(peer_with_weights(pair), pair)
    for framework, found in (("torch", pair.torch_points), ("tensorflow", pair.keras_points)):
        assert found.keys() - wanted.keys() == {"AuxLogits"}  # the peer has none
        comparison = compare({name: found[name] for name in pair.end_points}, wanted)
        figure(f"inception_v3, {framework}", "keras.applications.InceptionV3", comparison)
        assert not comparison.apart


def test_weights_are_as_many(pair: Twins) -> None:
    peer = peer_with_weights(pair)
    assert peer.count_params() == 23_851_784
    assert pair.network.totals(inference=True).params == 23_851_784
