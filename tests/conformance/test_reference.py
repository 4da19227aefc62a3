"""Whole networks: both frameworks equal NumPy at every end point, in evaluation and training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import harness
import numpy as np
import pytest
from emitted import SHIPPED, SPECS, network
from harness import FRAMEWORKS, Case, Results, difference

from archcompiler.reference import evaluate

NAMES = tuple(name for name in SPECS if name not in SHIPPED)
LIMIT = 1e-12

Run = Mapping[str, Results]
"""The results by framework."""


@pytest.fixture(scope="session")
def run(shared_folder: Path) -> Run:
    def cases(framework: str) -> list[Case]:
        checks = ("points", "training")
        return [
            Case(name=name, network=network(name), checks=checks, dtypes=("float64",))
            for name in NAMES
        ]

    return harness.run(shared_folder / "reference", cases)


def _evaluate(name: str, *, training: bool) -> tuple[Mapping[str, np.ndarray], ...]:
    made = network(name)
    images = harness.images(name, made)
    found = evaluate(made, harness.weights(made), images, training=training)
    return found.values, found.statistics


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("name", NAMES)
def test_every_end_point_is_that_of_the_definition(run: Run, name: str, framework: str) -> None:
    found = run[framework].numbers(name, "points_float64")
    values, _ = _evaluate(name, training=False)
    assert {n.path for n in network(name).walk()} == {*values}
    for point in network(name).end_points:
        given = harness.map_from_framework(framework, found[point.name])
        assert difference(given, values[point.node.path]) <= LIMIT, point.name


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("name", NAMES)
def test_training_is_that_of_the_definition(run: Run, name: str, framework: str) -> None:
    made = network(name)
    found = harness.canonical(framework, made, run[framework].numbers(name, "training_float64"))
    values, statistics = _evaluate(name, training=True)
    assert difference(found["output"], values[made.output_head.node.path]) <= LIMIT
    assert statistics.keys() == {
        n.weight_name(w) for n in made.walk() for w in n.weights if not w.trainable
    }


@pytest.mark.parametrize("name", ["ceil_pools", "many_ops", "split_forks", "vector_norms"])
def test_a_network_in_float32_stays_in_float32(name: str) -> None:
    made = network(name)
    weights = {k: v.astype(np.float32) for k, v in harness.weights(made).items()}
    images = harness.images(name, made).astype(np.float32)
    for training in (False, True):
        found = evaluate(made, weights, images, training=training)
        arrays = (*found.values.values(), *found.statistics.values())
        assert {v.dtype for v in arrays} == {np.dtype(np.float32)}
