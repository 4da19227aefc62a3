"""The reducer: what it leaves is small, still shows what is wrong, and can be kept as a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from networks import compiled
from shrink import Fails, apply, edits, keep, shrink, size
from spec_writer import Spec, write_spec

from archcompiler.compiler import compile_file
from archcompiler.errors import ArchcError
from archcompiler.ir import Network, Node
from archcompiler.ops.avg_pool import AvgPool
from archcompiler.ops.conv import Conv
from archcompiler.yaml_writer import to_yaml

SEEDS = 60


def shows(wrong: Callable[[Network], bool]) -> Fails:
    """Return what tells which specs compile to a network that has something."""

    def fails(specs: Sequence[Spec]) -> list[bool]:
        found = []
        for spec in specs:
            try:
                found.append(wrong(compiled(spec)))
            except ArchcError:
                found.append(False)
        return found

    return fails


def counts_padding(node: Node) -> bool:
    return isinstance(node.op, AvgPool) and node.op.count_include_pad and node.op.padding == "same"


def strides_in_block(node: Node) -> bool:
    return node.op.key == "block" and any(
        isinstance(n.op, Conv) and max(n.op.stride) > 1 for n in node.walk()
    )


def splits_to_convolution(node: Node) -> bool:
    return (
        node.op.key == "branches"
        and node.op.split is not None
        and any(isinstance(n.op, Conv) for n in node.walk())
    )


# What is wrong, and the most layers and lines that may be left.
WRONG = {
    "a pool that counts its padding": (counts_padding, 1, 14),
    "a stride inside a block": (strides_in_block, 1, 16),
    "a convolution behind a split": (splits_to_convolution, 8, 26),
}


@pytest.mark.parametrize("title", WRONG)
def test_what_is_left_is_small(title: str) -> None:
    wrong, layers, lines = WRONG[title]
    fails = shows(lambda network: any(map(wrong, network.walk())))
    starts = [spec for spec in map(write_spec, range(SEEDS)) if fails([spec])[0]]
    assert starts
    for spec in starts[:3]:
        small = shrink(spec, fails)
        assert fails([small]) == [True]
        network = compiled(small)
        ops = [n for n in network.walk() if not n.graphs]
        assert len(ops) <= layers, to_yaml(small)
        assert len(to_yaml(small).splitlines()) <= lines, to_yaml(small)
        assert not any(fails([s]) == [True] for s in smaller(small))


def smaller(spec: Spec) -> Iterator[Spec]:
    """Yield what single edits make of a spec, if it is smaller."""
    for edit in edits(spec):
        edited = apply(spec, [edit])
        if size(edited) < size(spec):
            yield edited


def test_a_spec_that_shows_nothing_smaller_stays() -> None:
    spec = write_spec(0)
    assert shrink(spec, lambda specs: [False] * len(specs)) == spec


def test_edits_leave_the_spec_alone() -> None:
    spec = write_spec(1)
    before = to_yaml(spec)
    for edit in edits(spec):
        apply(spec, [edit])
    assert to_yaml(spec) == before


def test_a_kept_spec_compiles_and_says_what_was_wrong(tmp_path: Path) -> None:
    path = keep(write_spec(2), "kept", "Something was wrong.", tmp_path)
    assert path.read_text(encoding="utf-8").startswith("# Something was wrong.\n")
    assert compile_file(path).network.name == "kept"
