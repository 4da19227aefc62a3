"""The emitted code of many small, nasty networks and of the shipped ones, run in both frameworks.

Each framework runs all networks in one process of its own (see `conformance/harness.py`); a test
here reads one result.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import harness
import numpy as np
import pytest
from emitted import LARGER, NAMES, network
from harness import FRAMEWORKS, Case, Results, difference

from archcompiler.initializer import Init
from archcompiler.softmax import gives_probabilities

# What costs seconds is tried on some of them: odd structures, odd names, every kind of output.
THOROUGH = (
    "inception_v3", "branch_reads_outer", "ceil_pools", "from_sections", "head_reads_head",
    "helper_names", "inception_next", "map_output", "minimal", "same_stride_two", "separable",
    "split_forks", "training_heads",
)  # fmt: skip
CHECKS = {
    "torch": ("import", "points", "output", "step", "init", "sizes", "trace", "script"),
    "tensorflow": ("import", "points", "output", "step", "init", "traces", "keras_file"),
}
MORE_CHECKS = {"torch": ("export", "compiled"), "tensorflow": ("saved_model", "graph_step")}
FOLDED = ("inception_v3", "map_norms", "residual_from")
"""Where norms are tried to be folded into convolutions; torch folds only some others."""

Run = Mapping[str, Results]
"""The results by framework."""


def checks(framework: str, name: str) -> tuple[str, ...]:
    more = MORE_CHECKS[framework] if name in THOROUGH else ()
    fold = ("fold",) if framework == "torch" and name in FOLDED else ()
    return (*CHECKS[framework], *more, *fold)


@pytest.fixture(scope="session")
def run(shared_folder: Path) -> Run:
    def cases(framework: str) -> list[Case]:
        found = [Case(name=n, network=network(n), checks=checks(framework, n)) for n in NAMES]
        batch = harness.larger_images("size_free", network("size_free"))
        larger = Case(name=LARGER, network=network(LARGER), checks=("points",), images=batch)
        return [*found, larger]

    return harness.run(shared_folder / "emitted", cases)


@pytest.mark.parametrize(
    ("framework", "name", "check"),
    [(f, n, c) for f in FRAMEWORKS for n in NAMES for c in checks(f, n)],
)
def test_the_code_runs(run: Run, framework: str, name: str, check: str) -> None:
    failure = run[framework].failure(name, check)
    assert not failure, failure


def _points(run: Run, framework: str, name: str) -> dict[str, np.ndarray]:
    found = run[framework].numbers(name, "points")
    return {k: harness.map_from_framework(framework, v) for k, v in found.items()}


@pytest.mark.parametrize("name", NAMES)
def test_end_points_agree(run: Run, name: str) -> None:
    torch, tensorflow = (_points(run, f, name) for f in FRAMEWORKS)
    wanted = {e.name: e.node.output.shape for e in network(name).end_points}
    assert torch.keys() == tensorflow.keys() == wanted.keys()
    # A softmax turns a relative error of its input into an absolute one, times its size.
    soft = {h.name for h in network(name).heads if gives_probabilities(network(name), h)}
    for point, shape in wanted.items():
        assert torch[point].shape[1:] == shape
        limit = 1e-4 if point in soft else 1e-5
        assert difference(torch[point], tensorflow[point]) <= limit, point


def test_a_network_without_fixed_sizes_is_right_at_others(run: Run) -> None:
    torch = run["torch"].numbers("size_free", "sizes")["output"]
    weights = harness.weights(network("size_free"))
    assert weights.keys() == harness.weights(network(LARGER)).keys()
    tensorflow = run["tensorflow"].numbers(LARGER, "points")["Logits"]
    assert difference(torch, tensorflow) <= 1e-5


@pytest.mark.parametrize("name", NAMES)
def test_weight_decay_is_in_the_losses_of_keras(run: Run, name: str) -> None:
    found = float(run["tensorflow"].numbers(name, "step")["decay"])
    wanted = harness.decay(network(name), harness.weights(network(name)))
    assert found == pytest.approx(wanted, rel=1e-5, abs=1e-12)


@pytest.mark.parametrize("name", THOROUGH)
def test_a_step_in_a_graph_has_the_same_loss(run: Run, name: str) -> None:
    eager, graph = (run["tensorflow"].numbers(name, c)["loss"] for c in ("step", "graph_step"))
    assert float(graph) == pytest.approx(float(eager), rel=1e-5)


def _cross_entropy(output: np.ndarray) -> float:
    """Return the mean cross entropy of logits, or of what is probabilities already."""
    powers = np.exp(output - output.max(-1, keepdims=True))
    is_soft = np.allclose(output.sum(-1), 1.0, atol=1e-5) and output.min() >= 0.0
    shares = output if is_soft else powers / powers.sum(-1, keepdims=True)
    rows = np.arange(len(output))
    return float(-np.log(shares[rows, rows % output.shape[-1]]).mean())


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("map_output", "minimal")])
def test_the_loss_weighs_the_cross_entropies(run: Run, name: str) -> None:
    found = run["torch"].numbers(name, "step")
    weights = [1.0, *(h.loss_weight or 0.0 for h in network(name).training_heads)]
    entropies = [_cross_entropy(found[str(i)].astype(float)) for i in range(len(weights))]
    wanted = sum(w * e for w, e in zip(weights, entropies, strict=True))
    assert float(found["loss"]) == pytest.approx(wanted, rel=1e-4)
    tensorflow = run["tensorflow"].numbers(name, "step")["loss"]
    assert float(tensorflow) == pytest.approx(wanted, rel=1e-4)


# Initial values


def _deviation(init: Init, shape: tuple[int, ...]) -> tuple[float, float]:
    """Return an initialiser's standard deviation and its largest value."""
    words = {
        "glorot_uniform": Init("variance_scaling", 1.0, "fan_avg", "uniform"),
        "glorot_normal": Init("variance_scaling", 1.0, "fan_avg", "truncated_normal"),
        "he_uniform": Init("variance_scaling", 2.0, "fan_in", "uniform"),
        "he_normal": Init("variance_scaling", 2.0, "fan_in", "truncated_normal"),
    }
    init = words.get(init.kind, init)
    number = init.value or 0.0
    kind = init.kind
    if kind == "variance_scaling":
        receptive = float(np.prod(shape[:-2]))
        # Of a bias, both fans are its length.
        fan_in, fan_out = receptive * shape[-2:][0], receptive * shape[-1]
        fans = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}
        kind, number = str(init.distribution), (number / fans[str(init.mode)]) ** 0.5
        number *= {"truncated_normal": 1 / 0.8796, "normal": 1.0, "uniform": 3**0.5}[kind]
    if kind == "truncated_normal":
        return number * 0.8796, number * 2
    return (number, float("inf")) if kind == "normal" else (number / 3**0.5, number)


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("name", ["initialisers", "decays", "vector_norms", "googlenet"])
def test_weights_start_as_the_spec_says(run: Run, framework: str, name: str) -> None:
    found = run[framework].numbers(name, "init")
    values = harness.canonical(framework, network(name), found)
    constants = {"zeros": 0.0, "ones": 1.0}
    kinds = set()
    for node in network(name).walk():
        for weight in node.weights:
            drawn, init = values[node.weight_name(weight)], weight.init
            kinds.add(init.kind)
            if init.kind in ("constant", "ones", "zeros"):
                wanted = constants.get(init.kind, init.value)
                assert (drawn == np.float32(wanted)).all(), node.path
                continue
            deviation, largest = _deviation(init, weight.shape)
            assert np.abs(drawn).max() <= largest * 1.001, node.path
            assert np.unique(drawn).size > drawn.size / 2, node.path
            if drawn.size > 500:
                assert drawn.std() == pytest.approx(deviation, rel=0.1), node.path
                assert abs(drawn.mean()) <= deviation / 4, node.path
    assert name != "initialisers" or len(kinds) == 11
