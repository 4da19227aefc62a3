"""The two emitted frameworks are each other's peers, in float32 and in float64."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support import TOLERANCE, Twins, compare, difference

END_POINTS = {
    "inception_v3": 22, "googlenet": 23, "inception_v3_torchvision": 22, "inception_v1": 18,
    "inception_v4": 27, "inception_resnet_v1": 16, "inception_resnet_v2": 20,
    "googlenet_torchvision": 21, "xception": 19, "inception_v2": 17,
    "bn_inception": 18, "inception_next_tiny": 11,
}  # fmt: skip
"""The networks, and how many end points each has."""
LONG = (
    "inception_v1", "inception_v4", "inception_resnet_v1", "inception_resnet_v2",
    "googlenet_torchvision", "xception", "inception_v2", "bn_inception", "inception_next_tiny",
)  # fmt: skip


# Of the module, so that the tests of one network come together and share what is built for it.
@pytest.fixture(
    scope="module",
    params=[pytest.param(n, marks=[pytest.mark.long] * (n in LONG)) for n in END_POINTS],
)
def name(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


def test_no_activation_vanishes_or_explodes(twins: Callable[..., Twins], name: str) -> None:
    for point, value in twins(name).torch_points.items():
        if point not in ("Predictions", "prob"):
            assert 0.2 < value.std() < 20, point
            apart = difference(*value)
            assert apart > 100 * TOLERANCE["float32"], f"{point} hardly depends on the image"


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_torch_equals_tensorflow(
    twins: Callable[..., Twins], figure: Callable[..., None], name: str, dtype: str
) -> None:
    pair = twins(name, dtype=dtype)
    assert list(pair.torch_points) == pair.end_points
    assert pair.keras_points.keys() == set(pair.end_points)
    assert len(pair.end_points) == END_POINTS[name]
    comparison = compare(pair.torch_points, pair.keras_points)
    figure(f"{name}, torch", f"{name}, tensorflow", comparison)
    assert comparison.dtype == dtype
    assert not comparison.apart


def test_evaluation_returns_the_logits(twins: Callable[..., Twins], name: str) -> None:
    import torch

    pair = twins(name)
    output = pair.network.output
    with torch.inference_mode():
        logits = pair.torch_model(pair.torch_images).numpy()
    assert difference(logits, pair.torch_points[output]) <= TOLERANCE["float32"]
    view = pair.keras_module.inference(pair.keras_model)
    logits = view(pair.images, training=False).numpy()
    assert difference(logits, pair.keras_points[output]) <= TOLERANCE["float32"]
