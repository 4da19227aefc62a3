"""Every example of every op: both frameworks, and NumPy, give the same numbers and gradients.

What the examples cover is in `test_features.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import harness
import numpy as np
import pytest
from harness import FRAMEWORKS, Case, Results, difference

from archcompiler.agreement import BOUNDS
from archcompiler.op import Example
from archcompiler.ops import OPS
from archcompiler.ops.activate import Activate
from archcompiler.ops.dropout import Dropout
from archcompiler.ops.unit import Unit
from archcompiler.reference import OPS as REFERENCE
from archcompiler.reference import evaluate, slopes
from archcompiler.testing import example_network, example_networks

EXAMPLES = {e.network.name: e for e in example_networks()}
NORMED = [
    name
    for name, example in EXAMPLES.items()
    if any(not w.trainable for w in example.network.output_head.node.weights)
]
BIG_DROPOUT = example_network(
    Dropout, Example(inputs=((16, 16, 8),), written={"rate": 0.3}, output=(16, 16, 8)), 99
)

Run = Mapping[str, Results]
"""The results by framework."""


def _images(name: str) -> np.ndarray:
    """Return a batch of images, large ones where relu6 must have something to cut."""
    images = harness.images(name, EXAMPLES[name].network)
    return 4.0 * images if EXAMPLES[name].op is Activate else images


def _cases(framework: str) -> list[Case]:
    dtypes, checks = tuple(BOUNDS), ("gradients", "training")
    found = [
        Case(name=name, network=example.network, checks=checks, dtypes=dtypes, images=_images(name))
        for name, example in EXAMPLES.items()
    ]
    chance = Case(name="chance", network=BIG_DROPOUT.network, checks=("chance",), dtypes=dtypes)
    return [*found, chance]


@pytest.fixture(scope="session")
def run(shared_folder: Path) -> Run:
    return harness.run(shared_folder / "ops", _cases)


def _numbers(run: Run, framework: str, name: str, check: str, dtype: str) -> dict[str, np.ndarray]:
    """Return a check's arrays in canonical layout, weights by the IR's names."""
    network = EXAMPLES[name].network
    found = run[framework].numbers(name, harness.check_of(check, dtype))
    return harness.canonical(framework, network, found)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_says_what_its_op_infers(name: str) -> None:
    example, node = EXAMPLES[name].example, EXAMPLES[name].network.output_head.node
    found = (node.output.shape, sum(w.count for w in node.weights), node.macs)
    assert found == (example.output, example.params, example.macs)


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("name", EXAMPLES)
def test_outputs_are_those_of_the_definition(
    run: Run, name: str, framework: str, dtype: str
) -> None:
    network = EXAMPLES[name].network
    weights, images = harness.weights(network), _images(name)
    for check, training in (("gradients", False), ("training", True)):
        found = _numbers(run, framework, name, check, dtype)
        wanted = evaluate(network, weights, images, training=training).values
        error = difference(found["output"], wanted[network.output_head.node.path])
        assert error <= BOUNDS[dtype], check


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("name", EXAMPLES)
def test_gradients_are_those_of_the_definition(run: Run, name: str, framework: str) -> None:
    network = EXAMPLES[name].network
    weights, images = harness.weights(network), _images(name)
    path = network.output_head.node.path
    weighings = {path: harness.weighing(name, network)}
    for check, training in (("gradients", False), ("training", True)):
        found = _numbers(run, framework, name, check, "float64")
        # A bias before a norm has no gradient but rounding: the largest one is the measure.
        directions = harness.directions(name, network)
        measure = max(float(np.abs(found[k] * d).sum()) for k, d in directions.items())
        for key, direction in directions.items():
            wanted = slopes(
                network, weights, images, weighings, {key: direction}, training=training
            )
            error = abs(float((found[key] * direction).sum()) - wanted[path])
            assert error <= 1e-7 * measure + 1e-12, (check, key)


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("name", EXAMPLES)
def test_gradients_agree(run: Run, name: str, dtype: str) -> None:
    network = EXAMPLES[name].network
    for check in ("gradients", "training"):
        torch, tensorflow = (_numbers(run, f, name, check, dtype) for f in FRAMEWORKS)
        trained = {n.weight_name(w) for n in network.walk() for w in n.weights if w.trainable}
        assert torch.keys() == tensorflow.keys() >= {"input", *trained}
        # A bias before a norm has no gradient but rounding: the largest one is the measure.
        largest = max(np.abs(torch[k]).max() for k in ("input", *trained))
        for key in ("input", *trained):
            error = np.abs(torch[key] - tensorflow[key]).max()
            assert error <= BOUNDS[dtype] * max(largest, 1e-30), key


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("name", NORMED)
def test_training_moves_the_statistics(run: Run, name: str, framework: str) -> None:
    network = EXAMPLES[name].network
    weights, images = harness.weights(network), _images(name)
    node = network.output_head.node
    norm = node.op.norm if isinstance(node.op, Unit) else node.op
    statistics = evaluate(network, weights, images, training=True).statistics
    found = _numbers(run, framework, name, "training", "float64")
    count = harness.batch_size(network) * int(np.prod(node.output.shape[:-1]))
    assert len(statistics) == 2
    for key, batch in statistics.items():
        # torch writes the unbiased variance, Keras 3 the biased one.
        if framework == "torch" and key.endswith("variance"):
            batch = batch * count / (count - 1)
        wanted = norm.decay * weights[key] + (1 - norm.decay) * batch
        assert difference(found[key], wanted) <= 1e-12


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_dropout_drops_its_rate_and_scales_the_rest(run: Run, framework: str, dtype: str) -> None:
    found = run[framework].numbers("chance", harness.check_of("chance", dtype))["output"]
    network = BIG_DROPOUT.network
    images = harness.images("chance", network)
    kept = harness.map_from_framework(framework, found)
    assert 0.25 < (kept == 0).mean() < 0.35
    np.testing.assert_allclose(kept[kept != 0], images[kept != 0] / 0.7, rtol=BOUNDS[dtype])


def test_every_op_has_a_reference_and_examples() -> None:
    for op in OPS:
        assert op.key in REFERENCE, f'add to OPS of testing/reference.py: "{op.key}": {op.key},'
        assert op.examples, f"add to {op.__name__}: examples = (Example(inputs=..., output=...),)"


def test_activations_meet_what_relu6_cuts() -> None:
    for name, example in EXAMPLES.items():
        if isinstance(example.network.output_head.node.op, Activate):
            assert _images(name).max() > 6.0
