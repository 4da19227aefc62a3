"""Initial values as distributions: each kind pooled over at least 100,000 values, both frameworks.

What is tried is `tests/cases/initial_values.yaml`, as emitted; every tensor is divided by the
number that its kind and shape give it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

import harness
import numpy as np
import pytest
from emitted import ROOT
from harness import FRAMEWORKS, Case, Results

from archcompiler.compiler import compile_file
from archcompiler.initializer import DISTRIBUTIONS, FAN_MODES, INIT_NUMBERS, INIT_WORDS, Init
from archcompiler.ir import Network

CUT = 0.8796
"""The deviation of a standard normal that is cut at two: 0.87962566."""
STANDARD = {
    # distribution: deviation, largest value
    "truncated_normal": (CUT, 2.0),
    "normal": (1.0, math.inf),
    "uniform": (3**-0.5, 1.0),
}
SCALED = {
    "glorot_uniform": (1.0, "fan_avg", "uniform"),
    "glorot_normal": (1.0, "fan_avg", "truncated_normal"),
    "he_uniform": (2.0, "fan_in", "uniform"),
    "he_normal": (2.0, "fan_in", "truncated_normal"),
}
CUT_AT = "cut at"
CONSTANTS = {"zeros": 0.0, "ones": 1.0}

Run = Mapping[str, Results]
"""The results by framework."""


@functools.cache
def network() -> Network:
    return compile_file(ROOT / "tests/cases/initial_values.yaml").network


def _inits() -> dict[str, Init]:
    """Return the initialisers that are random, by what they are called."""
    found = {w.init for n in network().walk() for w in n.weights if w.name == "kernel"}
    drawn = [i for i in found if i.kind not in ("constant", "zeros", "ones")]
    said = {i: (i.kind, i.value, i.mode, i.distribution, i.cut) for i in drawn}
    named = {" ".join(str(p) for p in parts if p): i for i, parts in said.items()}
    return dict(sorted(named.items()))


@pytest.fixture(scope="session")
def run(shared_folder: Path) -> Run:
    def cases(framework: str) -> list[Case]:
        return [Case(name="initial_values", network=network(), checks=("init",))]

    return harness.run(shared_folder / "initial_values", cases)


def _drawn(run: Run, framework: str) -> dict[str, tuple[Init, np.ndarray]]:
    """Return every kernel as it starts, by its name."""
    found = run[framework].numbers("initial_values", "init")
    values = harness.canonical(framework, network(), found)
    kernels = [(n.weight_name(w), w) for n in network().walk() for w in n.weights]
    return {k: (w.init, values[k].astype(float)) for k, w in kernels if w.name == "kernel"}


def _standard(init: Init, values: np.ndarray) -> tuple[str, np.ndarray]:
    """Return the distribution, and the values divided by what it is stretched by."""
    if init.cut is not None:
        return f"{CUT_AT} {init.cut / init.value}", values / init.value
    if init.kind not in SCALED and init.kind != "variance_scaling":
        return init.kind, values / init.value
    own = (init.value, init.mode, init.distribution)
    scale, mode, distribution = SCALED.get(init.kind, own)
    *window, inputs, outputs = values.shape
    fan_in, fan_out = math.prod(window) * inputs, math.prod(window) * outputs
    fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[mode]
    return distribution, values / (math.sqrt(scale / fan) / STANDARD[distribution][0])


def _standards(distribution: str) -> tuple[float, float]:
    """Return the deviation and the largest value of what is drawn."""
    if not distribution.startswith(CUT_AT):
        return STANDARD[distribution]
    cut = float(distribution.removeprefix(CUT_AT))
    share = math.erf(cut / math.sqrt(2.0))
    density = math.exp(-(cut**2) / 2.0) / math.sqrt(2.0 * math.pi)
    return math.sqrt(1.0 - 2.0 * cut * density / share), cut


def _share_below(distribution: str, x: np.ndarray) -> np.ndarray:
    """Return how much of a distribution lies below x."""
    if distribution == "uniform":
        return (x.clip(-1.0, 1.0) + 1.0) / 2.0
    below = 0.5 * (1.0 + np.vectorize(math.erf)(x / math.sqrt(2.0)))
    if distribution == "normal":
        return below
    cut = math.erf(_standards(distribution)[1] / math.sqrt(2.0))
    return ((below - 0.5) / cut + 0.5).clip(0.0, 1.0)


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("name", _inits())
def test_values_have_the_distribution(run: Run, framework: str, name: str) -> None:
    wanted = _inits()[name]
    tensors = [_standard(i, v) for i, v in _drawn(run, framework).values() if i == wanted]
    (distribution,) = {d for d, _ in tensors}
    deviation, largest = _standards(distribution)
    pooled = np.sort(np.concatenate([v.ravel() for _, v in tensors]))
    assert pooled.size >= 100_000
    assert pooled.std() == pytest.approx(deviation, rel=0.01)
    assert abs(pooled.mean()) <= 0.01 * deviation
    assert np.abs(pooled).max() <= largest * (1 + 1e-6)
    # Kolmogorov and Smirnov: chance alone gives 0.01 once in 10^8 times.
    shares = np.arange(pooled.size) / pooled.size
    assert np.abs(_share_below(distribution, pooled) - shares).max() <= 0.01
    for _, values in tensors:
        # A wrong fan changes the deviation of some shapes more than of others.
        assert values.std() == pytest.approx(deviation, rel=6 / math.sqrt(2 * values.size))


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_constants_are_what_they_say(run: Run, framework: str) -> None:
    found = [(i, v) for i, v in _drawn(run, framework).values() if i not in _inits().values()]
    assert {i.kind for i, _ in found} == {"constant", "zeros", "ones"}
    for init, values in found:
        assert (values == CONSTANTS.get(init.kind, init.value)).all(), init


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_layers_of_one_shape_start_differently(run: Run, framework: str) -> None:
    random = {k: v for k, (i, v) in _drawn(run, framework).items() if i in _inits().values()}
    shapes: dict[tuple[int, ...], list[str]] = {}
    for name, values in random.items():
        shapes.setdefault(values.shape, []).append(name)
    pairs = [pair for names in shapes.values() for pair in combinations(names, 2)]
    assert len(pairs) > 600
    for left, right in pairs:
        # Two kinds of initialiser may stretch the same draw: so signs are compared, too.
        equal = (np.sign(random[left]) == np.sign(random[right])).mean()
        assert 0.35 < equal < 0.65, (left, right)


def test_every_kind_is_tried() -> None:
    found = {w.init for n in network().walk() for w in n.weights if w.name == "kernel"}
    assert {i.kind for i in found} == {*INIT_WORDS, *INIT_NUMBERS}
    assert {(i.mode, i.distribution) for i in found if i.mode} == {
        (mode, distribution) for mode in FAN_MODES for distribution in DISTRIBUTIONS
    }
