"""What archc refuses fails in the frameworks, or gives something that nobody meant.

The cases call a framework's layers as a careless emitter would, so that each rule of shapes is held
against what it keeps out.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from support import Array, from_torch

from archcompiler.compiler import compile_node
from archcompiler.errors import ArchcError
from archcompiler.source import parse
from archcompiler.yaml_writer import to_yaml

CASES = yaml.safe_load((Path(__file__).parents[1] / "cases" / "refused.yaml").read_text("utf-8"))
BOTH = [
    pytest.param(case, name, id=f"{case['what']}, {name}")
    for case in CASES
    for name in ("torch", "keras")
    if name in case
]
OF_SHAPES = {"E402", "E403", "E404", "E405", "E407", "E409", "E411", "E412"}
"""The codes of shapes that do not fit; E401, E406, E408 and E410 are of no framework."""


def in_torch(name: str, arguments: dict[str, Any], inputs: list[Array]) -> Array:
    import torch

    images = [torch.from_numpy(np.moveaxis(value, -1, 1).copy()) for value in inputs]
    if hasattr(torch.nn, name):
        return from_torch(getattr(torch.nn, name)(**arguments)(*images).detach())
    listed = [images] if name == "cat" else images
    return from_torch(getattr(torch, name)(*listed, **arguments))


def in_keras(name: str, arguments: dict[str, Any], inputs: list[Array]) -> Array:
    import keras

    listed = inputs if len(inputs) > 1 else inputs[0]
    if hasattr(keras.layers, name):
        return np.asarray(getattr(keras.layers, name)(**arguments)(listed, training=True))
    return np.asarray(getattr(keras.ops, name)(listed, **arguments))


RUN: dict[str, Callable[[str, dict[str, Any], list[Array]], Array]] = {
    "torch": in_torch,
    "keras": in_keras,
}


def told(result: Array) -> str:
    shape = "x".join(map(str, result.shape[1:]))
    if not np.isfinite(result).all():
        return f"{shape} nan"
    return shape if result.any() or not result.size else f"{shape} zeros"


@pytest.mark.parametrize("case", CASES, ids=[case["what"] for case in CASES])
def test_archc_refuses_it(case: dict[str, Any]) -> None:
    layers = {"stem": case["layers"], "body": [], "heads": {"Logits": "identity"}}
    spec = {"archc": 1, "name": "refused", "input": "8x8x3", **layers}
    with pytest.raises(ArchcError) as caught:
        compile_node(parse(to_yaml(spec), "refused.yaml"), source="refused.yaml")
    assert [d.code for d in caught.value.diagnostics] == [case["code"]]


@pytest.mark.parametrize(("case", "name"), BOTH)
def test_frameworks_fail_or_give_something_else(case: dict[str, Any], name: str) -> None:
    (layer, arguments), (outcome, wanted) = case[name].items()
    draw = np.random.default_rng(1)
    inputs = [
        draw.standard_normal((2, *map(int, str(size).split("x"))), "f") for size in case["inputs"]
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of weights without values, say
        if outcome == "gives":
            assert told(RUN[name](layer, arguments, inputs)) == wanted
            return
        with pytest.raises((ValueError, TypeError, RuntimeError), match=wanted):
            RUN[name](layer, arguments, inputs)


def test_every_rule_of_shapes_has_a_case() -> None:
    assert {case["code"] for case in CASES} >= OF_SHAPES
