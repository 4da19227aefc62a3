"""Random networks: shapes, weights, multiply-adds and values are the same everywhere.

What they found once is kept in `tests/cases/random` and runs along; `shrink.py` writes such files.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import harness
import pytest
from harness import Case, Results
from networks import FIXTURES, Mismatch, Tally, case, compare, drawn, variants
from spec_values import draw
from spec_writer import Spec, new_spec, write_spec

from archcompiler.compiler import compile_file
from archcompiler.fields import ACTIVATIONS
from archcompiler.ir import Network, Node
from archcompiler.op import Op, attributes
from archcompiler.ops import BY_KEY, OPS
from archcompiler.ops.avg_pool import AvgPool
from archcompiler.ops.conv import Conv
from archcompiler.ops.convolution import Depthwise
from archcompiler.ops.pool import Pool
from archcompiler.ops.unit import Unit
from archcompiler.yaml_writer import to_yaml

COUNT = 200
VARIANTS = 120
"""So many specs are also extended and patched; about one of four is a network."""
PARTS = 2
"""The networks run in so many processes of each framework, one a worker of pytest."""
LEAST = 8
"""How often each attribute of each op is written, at least."""

KEPT = sorted(FIXTURES.glob("*.yaml"))


# The specs


@functools.cache
def written(part: int) -> tuple[Tally, tuple[tuple[Spec, Network], ...]]:
    """Return what the seeds of a part give."""
    tally = Tally()
    share = COUNT // PARTS
    return tally, tuple(drawn(range(part * share, (part + 1) * share), tally))


def all_written() -> tuple[Tally, list[tuple[Spec, Network]]]:
    total, found = Tally(), []
    for part in range(PARTS):
        tally, pairs = written(part)
        total.add(tally)
        found += pairs
    return total, found


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.key)
def test_every_attribute_can_be_drawn(op: type[Op]) -> None:
    for name, annotation in attributes(op).items():
        try:
            draw(op, name)
        except KeyError:
            pytest.fail(f"add to DRAWS in spec_values.py how to draw {annotation}: {op.key}.{name}")


def test_a_spec_follows_from_its_seed() -> None:
    assert [new_spec(n) for n in range(5)] == [new_spec(n) for n in range(5)]


def test_a_spec_that_was_kept_is_the_one_that_was_written() -> None:
    for seed in range(5):
        written, kept = new_spec(seed), write_spec(seed)
        assert to_yaml(kept) == to_yaml(written)
        kept["heads"].clear()
        assert write_spec(seed)["heads"] == written["heads"]


def test_few_specs_are_lost() -> None:
    tally, found = all_written()
    assert tally.specs == COUNT
    assert not tally.wrong
    assert sum(tally.refused.values()) <= COUNT * 0.05, tally.refused
    assert len(found) >= COUNT * 0.95


def keys(value: object) -> Iterator[str]:
    """Yield the keys that a spec has, at any depth; attributes behind the key of their op."""
    if isinstance(value, list):
        for part in value:
            yield from keys(part)
    elif isinstance(value, Mapping):
        if "repeat" in value and value.get("join") == "add":
            yield "a repeated residual"
        if "map" in value.values():
            yield "the map's own size as kernel"
        own = [k for k in value if k in BY_KEY]
        for key, part in value.items():
            yield key
            if own:
                yield f"{own[0]}.{BY_KEY[own[0]].main if key == own[0] else key}"
            elif isinstance(part, Mapping) and key in BY_KEY:  # in `defaults` or `norm`
                yield from (f"{key}.{name}" for name in part)
            yield from keys(part)


def test_every_attribute_is_written() -> None:
    count = Counter(key for spec, _ in all_written()[1] for key in keys(spec))
    wanted = [f"{op.key}.{name}" for op in OPS for name in attributes(op)]
    wanted += [op.key for op in OPS]
    wanted += ["block", "branches", "layers", "split", "join", "repeat", "from", "end_point"]
    wanted += ["params", "with", "training_only", "loss_weight", "defaults"]
    wanted += ["a repeated residual", "the map's own size as kernel"]
    assert not {key: count[key] for key in wanted if count[key] < LEAST}


def sizes(node: Node) -> list[tuple[int, int]]:
    """Return a window's kernel and stride on both axes."""
    return [*zip(node.op.kernel, node.op.stride, strict=True)]  # type: ignore[union-attr]


WINDOW = (Conv, Pool)
SITUATIONS: Mapping[str, Callable[[Node], bool]] = {
    **{
        f"activation {name}": functools.partial(
            lambda name, n: (
                (isinstance(n.op, Unit) and n.op.activation == name)
                or (n.op.key == "activate" and n.op.function == name)
            ),
            name,
        )
        for name in ACTIVATIONS
    },
    "a kernel larger than its stride": lambda n: (
        isinstance(n.op, WINDOW) and any(1 < s < k for k, s in sizes(n))
    ),
    "a kernel smaller than its stride": lambda n: (
        isinstance(n.op, WINDOW) and any(k < s for k, s in sizes(n))
    ),
    "same with a stride": lambda n: (
        isinstance(n.op, WINDOW) and n.op.padding == "same" and max(n.op.stride) > 1
    ),
    "uneven padding": lambda n: (
        isinstance(n.op, WINDOW)
        and isinstance(n.op.padding, tuple)
        and (n.op.padding[0] != n.op.padding[1] or n.op.padding[2] != n.op.padding[3])
    ),
    "a window over one pixel": lambda n: (
        isinstance(n.op, WINDOW) and n.inputs[0].shape[:2] == (1, 1)
    ),
    "a pool that counts its padding": lambda n: (
        isinstance(n.op, AvgPool) and n.op.count_include_pad and n.op.padding != "valid"
    ),
    "ceil mode": lambda n: isinstance(n.op, Pool) and n.op.ceil_mode,
    "groups": lambda n: getattr(n.op, "groups", 1) > 1 or isinstance(n.op, Depthwise),
    "dilation": lambda n: isinstance(n.op, Conv) and n.op.dilation != (1, 1),
    "a norm of a vector": lambda n: n.op.key == "batch_norm" and len(n.output.shape) == 1,
    "a rectangular map": lambda n: len(n.output.shape) == 3 and len({*n.output.shape[:2]}) == 2,
    "an even and an odd side": lambda n: (
        len(n.output.shape) == 3 and sum(n.output.shape[:2]) % 2 == 1
    ),
    "channels split": lambda n: n.op.key == "branches" and n.op.split is not None,
    "a sum": lambda n: n.op.key == "add" or (n.op.key == "branches" and n.op.join == "add"),
    "a fork in a fork": lambda n: (
        n.op.key == "branches" and any(i.op.key == "branches" for i in [*n.walk()][1:])
    ),
    "a block in a block": lambda n: (
        n.op.key == "block" and any(i.op.key == "block" for i in [*n.walk()][1:])
    ),
    "an expression": lambda n: bool(n.expressions),
}


def test_every_situation_occurs() -> None:
    networks = [network for _, network in all_written()[1]]
    count = {
        title: sum(holds(node) for network in networks for node in network.walk())
        for title, holds in SITUATIONS.items()
    }
    count["an end point in a block or a branch"] = sum(
        "/" in e.node.path for network in networks for e in network.end_points
    )
    count["a training head"] = sum(bool(network.training_heads) for network in networks)
    count["three heads"] = sum(len(network.heads) == 3 for network in networks)
    assert not {title: n for title, n in count.items() if n < LEAST}


# The networks


def mistake(*, old: str, new: str) -> Callable[[str, str], str]:
    """Return what puts a mistake into emitted torch code."""

    def edit(framework: str, text: str) -> str:
        if framework != "torch":
            return text
        assert old in text, text
        return text.replace(old, new, 1)

    return edit


MISTAKES = {
    "pool": (mistake(old="count_include_pad=False", new="count_include_pad=True"),
             "node: float32 values of"),
    "epsilon": (mistake(old="eps=0.001", new="eps=0.00100001"), "node: float64 values of"),
    "rounding": (mistake(old="self.norm(self.conv(x))",
                         new="self.norm(self.conv(x)) * (1 + 2e-5 * (x.dtype == torch.float32))"),
                 "node: float32 values of"),
    "padding": (mistake(old="padding=1", new="padding=2"), "node: shape of"),
    "twice": (mistake(old="return points", new="self.Conv_2(points['Pool']); return points"),
              "torch macs all"),
    "bias": (mistake(old="bias=False", new="bias=True"), "torch fails in `import`"),
}  # fmt: skip
"""Mistakes in emitted code, and as what the comparison must see each."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """The networks of one job and what the frameworks made of them."""

    run: Mapping[str, Results]
    cases: tuple[Case, ...]
    mistakes: Mapping[str, Case]


@pytest.fixture(scope="session", params=range(PARTS))
def part(request: pytest.FixtureRequest, shared_folder: Path) -> Part:
    number: int = request.param
    share = VARIANTS // PARTS
    extended = variants(range(number * share, (number + 1) * share), Tally())
    cases = [case(n) for n in (*(n for _, n in written(number)[1]), *extended)]
    mistakes: dict[str, Case] = {}
    if number == 0:
        cases += [case(compile_file(path).network) for path in KEPT]
        witness = compile_file(FIXTURES / "witness.yaml").network
        for name, (edit, _) in MISTAKES.items():
            made = case(witness)
            mistakes[name] = Case(
                name=f"mistake_{name}", network=witness, edit=edit,
                checks=made.checks, dtypes=made.dtypes,
            )  # fmt: skip
    everything = [*cases, *mistakes.values()]
    run = harness.run(shared_folder / f"random_{number}", lambda framework: everything)
    return Part(run=run, cases=tuple(cases), mistakes=mistakes)


def test_all_networks_are_equal(part: Part) -> None:
    tally = Tally()
    for one in part.cases:
        compare(part.run, one, tally)
    assert not tally.mismatches, "\n".join(map(str, tally.mismatches))
    print(tally)
    assert tally.networks == len(part.cases)
    assert sum(case.network.lineage != () for case in part.cases) >= VARIANTS // PARTS // 8
    # Nearly all nodes have values to compare; a join or a container has none in torch.
    assert tally.values >= 0.8 * tally.nodes
    assert tally.points >= 5 * tally.networks
    assert tally.noisy <= 0.005 * tally.values, tally


def test_the_comparison_sees_mistakes(part: Part) -> None:
    for name, one in part.mistakes.items():
        tally = Tally()
        compare(part.run, one, tally)
        found: list[Mismatch] = tally.mismatches
        assert MISTAKES[name][1] in {m.what for m in found}, (name, found)
