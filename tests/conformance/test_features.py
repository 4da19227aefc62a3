"""What the examples of the ops cover, which every backend is held to: every feature of each op."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from archcompiler.fields import ACTIVATIONS, Shape
from archcompiler.ir import Node
from archcompiler.ops import OPS
from archcompiler.testing import example_networks
from archcompiler.window import output_size, overhang, pads

Features = Mapping[str, Callable[[Any, Node], bool]]
"""What a feature is called, and whether an op, resolved, has it at a node."""


def _map(node: Node) -> Shape:
    return node.inputs[0].shape


def _pads(op: Any, node: Node) -> tuple[int, ...]:
    return pads(_map(node), op.kernel, op.stride, op.padding, getattr(op, "dilation", (1, 1)))


def _is_symmetric(around: tuple[int, ...]) -> bool:
    return around[::2] == around[1::2]


def _is_even(op: Any, node: Node) -> bool:
    """Tell whether an even padding of numbers was written."""
    return isinstance(op.padding, tuple) and _is_symmetric(op.padding) and any(op.padding)


def _is_uneven(op: Any, node: Node) -> bool:
    return isinstance(op.padding, tuple) and not _is_symmetric(op.padding)


def _reaches_over(op: Any, node: Node) -> bool:
    """Tell whether ceil mode adds a window that reaches over the padding."""
    reach = overhang(_map(node), op.kernel, op.stride, op.padding, node.output.shape)
    return op.ceil_mode and reach != _pads(op, node)


def _drops_a_window(op: Any, node: Node) -> bool:
    """Tell whether ceil mode drops a window that would begin outside."""
    if not op.ceil_mode:
        return False
    around, shape = _pads(op, node), _map(node)
    rooms = (shape[i] + around[2 * i] + around[2 * i + 1] - op.kernel[i] for i in (0, 1))
    rounded = tuple(-(-room // s) + 1 for room, s in zip(rooms, op.stride, strict=True))
    return rounded != output_size(shape, op.kernel, op.stride, op.padding, ceil_mode=True)


SIZES: Features = {
    "an even map": lambda op, node: all(n % 2 == 0 for n in _map(node)[:2]),
    "an odd map": lambda op, node: all(n % 2 == 1 for n in _map(node)[:2]) and max(_map(node)) > 1,
    "a map that is even one way and odd the other": lambda op, node: sum(_map(node)[:2]) % 2 == 1,
    "a one-pixel map": lambda op, node: _map(node)[:2] == (1, 1),
}
WINDOWS: Features = SIZES | {
    "padding same": lambda op, node: op.padding == "same",
    "padding same, one pixel more at the end": lambda op, node: (
        op.padding == "same"
        and max(op.stride) > 1
        and _pads(op, node)[::2] != _pads(op, node)[1::2]
    ),
    "padding valid": lambda op, node: op.padding == "valid",
    "padding n": lambda op, node: _is_even(op, node) and len({*op.padding}) == 1,
    "padding [h, w]": lambda op, node: _is_even(op, node) and len({*op.padding}) == 2,
    "padding [t, b, l, r]": _is_uneven,
    "a stride": lambda op, node: 1 < min(op.stride) <= min(op.kernel),
    "a stride that differs between the axes": lambda op, node: op.stride[0] != op.stride[1],
    "a stride greater than the kernel": lambda op, node: any(
        s > k for s, k in zip(op.stride, op.kernel, strict=True)
    ),
    "a kernel of one pixel": lambda op, node: op.kernel == (1, 1),
    "an even kernel": lambda op, node: all(k % 2 == 0 for k in op.kernel),
    "a rectangular kernel": lambda op, node: op.kernel[0] != op.kernel[1],
    "a kernel as large as the map": lambda op, node: op.kernel == _map(node)[:2] != (1, 1),
    "a kernel larger than a one-pixel map": lambda op, node: (
        _map(node)[:2] == (1, 1) and max(op.kernel) > 1
    ),
    "an odd number of channels": lambda op, node: _map(node)[2] % 2 == 1,
}
POOLS: Features = WINDOWS | {
    "ceil mode that reaches over": _reaches_over,
    "ceil mode that drops a window": _drops_a_window,
    "ceil mode with padding": lambda op, node: op.ceil_mode and _is_even(op, node),
    "ceil mode with uneven padding": lambda op, node: op.ceil_mode and _is_uneven(op, node),
    "padding of more than half the window": lambda op, node: any(
        2 * p > op.kernel[i // 2] for i, p in enumerate(_pads(op, node))
    ),
}


def _counting(counts: bool) -> Features:
    word = "counted" if counts else "not counted"
    found: Features = {
        "padding same": lambda op, node: op.padding == "same" and any(_pads(op, node)),
        "even padding": _is_even,
        "uneven padding": _is_uneven,
        "what ceil mode reaches over, padded": lambda op, node: (
            _reaches_over(op, node) and any(_pads(op, node))
        ),
        "what ceil mode reaches over, padded unevenly": lambda op, node: (
            _reaches_over(op, node) and _is_uneven(op, node)
        ),
    }

    def narrowed(holds: Callable[[Any, Node], bool]) -> Callable[[Any, Node], bool]:
        return lambda op, node: op.count_include_pad is counts and holds(op, node)

    return {f"{k}, {word}": narrowed(v) for k, v in found.items()}


def _norm(gamma: bool, beta: bool, part: str = "") -> Callable[[Any, Node], bool]:
    def holds(op: Any, node: Node) -> bool:
        norm = op.norm if part else op
        return norm is not None and (norm.gamma, norm.beta) == (gamma, beta)

    return holds


def _norms(what: str, rank: int) -> Features:
    def ranked(holds: Callable[[Any, Node], bool]) -> Callable[[Any, Node], bool]:
        return lambda op, node: len(_map(node)) == rank and holds(op, node)

    return {
        f"{what}, gamma and beta": ranked(_norm(True, True)),
        f"{what}, gamma alone": ranked(_norm(True, False)),
        f"{what}, beta alone": ranked(_norm(False, True)),
        f"{what}, neither": ranked(_norm(False, False)),
    }


UNITS: Features = {
    "a bias": lambda op, node: op.bias and op.single,
    "no bias": lambda op, node: not op.bias and op.norm is None,
    "a norm": _norm(True, True, "norm"),
    "a norm without gamma": _norm(False, True, "norm"),
    "a norm without beta": _norm(True, False, "norm"),
    "a norm without gamma and beta": _norm(False, False, "norm"),
    "a norm and a bias": lambda op, node: op.norm is not None and op.bias,
    "a norm and an activation": lambda op, node: op.norm is not None and op.activation is not None,
    "an activation and no norm": lambda op, node: op.norm is None and op.activation is not None,
    "softmax": lambda op, node: op.activation == "softmax",
    "one output": lambda op, node: node.output.shape[-1] == 1,
}
RANKS: Features = {
    "a map": lambda op, node: len(_map(node)) == 3,
    "a vector": lambda op, node: len(_map(node)) == 1,
}
DILATIONS: Features = {
    "dilation": lambda op, node: min(op.dilation) > 1,
    "dilation that differs between the axes": lambda op, node: op.dilation[0] != op.dilation[1],
    "dilation with padding same": lambda op, node: max(op.dilation) > 1 and op.padding == "same",
    "dilation with padding valid": lambda op, node: max(op.dilation) > 1 and op.padding == "valid",
    "dilation with even padding": lambda op, node: max(op.dilation) > 1 and _is_even(op, node),
    "dilation with uneven padding": lambda op, node: max(op.dilation) > 1 and _is_uneven(op, node),
}
DEPTHWISE: Features = {
    # TensorFlow's depthwise convolution has one stride.
    **{k: v for k, v in WINDOWS.items() if k != "a stride that differs between the axes"},
    **UNITS,
    **DILATIONS,
    "a bias": lambda op, node: op.bias and op.norm is None and op.activation is None,
    "a multiplier": lambda op, node: op.multiplier > 1 and _map(node)[2] > 1,
    "a multiplier of one channel": lambda op, node: op.multiplier > 1 and _map(node)[2] == 1,
    "a multiplier with a stride": lambda op, node: op.multiplier > 1 and max(op.stride) > 1,
    "a multiplier with dilation": lambda op, node: op.multiplier > 1 and max(op.dilation) > 1,
}


def _axes(op: Any, node: Node) -> list[tuple[int, int]]:
    """Return the pixels and the windows of each axis."""
    return [*zip(_map(node)[:2], op.size, strict=True)]


def _function(name: str, rank: int) -> Callable[[Any, Node], bool]:
    return lambda op, node: op.function == name and len(_map(node)) == rank


FEATURES: dict[str, Features] = {
    "conv": WINDOWS | UNITS | DILATIONS | {
        "groups": lambda op, node: 1 < op.groups < _map(node)[2],
        "a group for each channel": lambda op, node: op.groups == _map(node)[2] > 1,
        "groups with a stride": lambda op, node: op.groups > 1 and max(op.stride) > 1,
        "groups with a norm": lambda op, node: op.groups > 1 and op.norm is not None,
        "uneven padding with a norm": lambda op, node: _is_uneven(op, node) and op.norm is not None,
        "strides that differ with padding same": lambda op, node: (
            op.stride[0] != op.stride[1] and op.padding == "same"
        ),
    },
    "depthwise_conv": DEPTHWISE | {
        "a norm and a multiplier": lambda op, node: op.multiplier > 1 and op.norm is not None,
    },
    "separable_conv": DEPTHWISE | {
        "fewer filters than channels": lambda op, node: op.filters < _map(node)[2],
    },
    "dense": UNITS | {"one input": lambda op, node: _map(node) == (1,)},
    "max_pool": POOLS,
    "avg_pool": POOLS | _counting(True) | _counting(False),
    "global_avg_pool": SIZES,
    "adaptive_avg_pool": SIZES | {
        "windows of one size": lambda op, node: all(n % s == 0 for n, s in _axes(op, node)),
        "windows that overlap": lambda op, node: all(n % s for n, s in _axes(op, node)),
        "one window": lambda op, node: op.size == (1, 1) != _map(node)[:2],
        "windows of one pixel": lambda op, node: op.size == _map(node)[:2],
        "more windows than pixels": lambda op, node: all(s > n > 1 for n, s in _axes(op, node)),
        "sizes that differ between the axes": lambda op, node: op.size[0] != op.size[1],
    },
    "batch_norm": {
        **_norms("a map", 3),
        **_norms("a vector", 1),
        "a one-pixel map": SIZES["a one-pixel map"],
        "nothing kept": lambda op, node: op.decay == 0.0,
    },
    "layer_norm": {
        **_norms("a map", 3),
        **_norms("a vector", 1),
        "a one-pixel map": SIZES["a one-pixel map"],
    },
    "lrn": SIZES | {
        "a window of one channel": lambda op, node: op.size == 1,
        "a window of more channels than there are": lambda op, node: op.size > _map(node)[2],
        "a window of fewer channels than there are": lambda op, node: 1 < op.size < _map(node)[2],
        "k other than 1": lambda op, node: op.k != 1.0,
        "beta other than one half": lambda op, node: op.beta != 0.5,
    },
    "activate": {
        **{f"{name} of a map": _function(name, 3) for name in ACTIVATIONS},
        **{f"{name} of a vector": _function(name, 1) for name in ACTIVATIONS},
        "none": lambda op, node: op.function is None,
    },
    "dropout": RANKS | {"nothing dropped": lambda op, node: op.rate == 0.0},
    "flatten": SIZES | {"a row": lambda op, node: _map(node)[0] == 1 < _map(node)[1]},
    "squeeze": {"a one-pixel map": SIZES["a one-pixel map"]},
    "concat": RANKS | {
        "two inputs": lambda op, node: len(node.inputs) == 2,
        "more inputs": lambda op, node: len(node.inputs) > 2,
    },
    "add": RANKS | {
        "two inputs": lambda op, node: len(node.inputs) == 2,
        "more inputs": lambda op, node: len(node.inputs) > 2,
    },
    "scale": RANKS | {
        "a fraction that no float32 holds": lambda op, node: op.factor == 0.17,
        "a negative factor": lambda op, node: op.factor < 0.0,
        "zero": lambda op, node: op.factor == 0.0,
    },
    "layer_scale": SIZES | {
        "a number that no float32 holds": lambda op, node: op.initial == 0.17,
        "a start of zero": lambda op, node: op.initial == 0.0,
        "one channel": lambda op, node: _map(node)[2] == 1,
    },
    "channel_affine": SIZES | {
        "lists": lambda op, node: len(op.gain) == len(op.offset) == _map(node)[2] > 1,
        "numbers": lambda op, node: len(op.gain) == len(op.offset) == 1 < _map(node)[2],
        "a number and a list": lambda op, node: len(op.gain) < len(op.offset),
        "a list and a number": lambda op, node: len(op.gain) > len(op.offset),
        "one channel": lambda op, node: _map(node)[2] == 1,
        "a fraction that no float32 holds": lambda op, node: -0.17 in op.gain,
    },
    "identity": RANKS,
    "pad": {
        "n": lambda op, node: len({*op.amount}) == 1,
        "[h, w]": lambda op, node: op.amount[::2] == op.amount[1::2] and len({*op.amount}) == 2,
        "[t, b, l, r]": lambda op, node: op.amount[::2] != op.amount[1::2],
        "a one-pixel map": SIZES["a one-pixel map"],
    },
}  # fmt: skip
"""By op, what its examples must have."""

EXAMPLES = [
    (e.op.key, e.network.output_head.node.op, e.network.output_head.node)
    for e in example_networks()
]


def test_every_op_has_features() -> None:
    for op in OPS:
        assert op.key in FEATURES, f'add to FEATURES: "{op.key}": RANKS,'
    assert FEATURES.keys() <= {op.key for op in OPS}


@pytest.mark.parametrize(("key", "feature"), [(k, f) for k, v in FEATURES.items() for f in v])
def test_an_example_has_the_feature(key: str, feature: str) -> None:
    holds = FEATURES[key][feature]
    found = any(holds(op, node) for other, op, node in EXAMPLES if other == key)
    assert found, f"add an Example to `{key}` that has: {feature}"
