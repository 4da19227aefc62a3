"""Random specs grow by random patches: each is a right network, or an error with a line.

What a variant is, is also written out by `archc resolve` without `extends`, which must be the same
network. `test_random_networks.py` runs variants in both frameworks.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from spec_patches import variant
from spec_writer import write_spec
from test_variants import facts

from archcompiler.compiler import compile_file, compile_node
from archcompiler.errors import ArchcError
from archcompiler.ir import Node
from archcompiler.resolve import document
from archcompiler.source import parse
from archcompiler.yaml_writer import to_yaml

SEEDS = range(240)
LEAST_RIGHT = 0.15
"""The share of variants that are networks; the others are refused."""


def test_a_variant_is_right_or_refused_with_a_line(tmp_path: Path) -> None:
    found = [network for seed in SEEDS if (network := variant(seed, tmp_path))]
    assert len(found) > LEAST_RIGHT * len(SEEDS)
    changed = 0
    for network in found:
        text = to_yaml(document(network))
        whole = compile_node(parse(text, "whole.yaml"), source="whole.yaml").network
        one, other = facts(network), facts(whole)
        assert one == other, text
        changed += network.lineage != ()
    assert changed == len(found)


@pytest.mark.parametrize("seed", range(0, 40, 8))
def test_a_variant_without_changes_is_its_base(seed: int, tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(to_yaml(write_spec(seed)), "utf-8")
    (tmp_path / "same.yaml").write_text(
        "archc: 1\nname: same\nextends: base.yaml\npatch: []\n", "utf-8"
    )
    try:
        base = compile_file(tmp_path / "base.yaml").network
    except ArchcError:
        pytest.skip("the random spec is refused")
    _, *wanted = facts(base)
    _, *found = facts(compile_file(tmp_path / "same.yaml").network)
    assert found == wanted


@pytest.mark.parametrize("seed", range(0, 200, 5))
def test_a_branch_grows_wherever_a_fork_stands(seed: int, tmp_path: Path) -> None:
    """In blocks, in repetitions, in branches: the patch does what it says, or is refused."""
    (tmp_path / "base.yaml").write_text(to_yaml(write_spec(seed)), "utf-8")
    base = compile_file(tmp_path / "base.yaml").network
    forks = [node for node in base.walk() if node.named and _is_fork(node)]
    for node in forks:
        patch = {"set": node.path, "branches": {"Grown": "identity"}}
        spec = {"archc": 1, "name": "grown", "extends": "base.yaml", "patch": [patch]}
        (tmp_path / "grown.yaml").write_text(to_yaml(spec), "utf-8")
        try:
            network = compile_file(tmp_path / "grown.yaml").network
        except ArchcError as error:
            codes = {d.code for d in error.diagnostics}
        else:
            codes = set()
            inside = [n for n in network.walk() if f"{n.path}/".startswith(f"{node.path}/")]
            assert "Grown" in {graph.name for n in inside for graph in n.graphs}, node.path
        assert codes <= REFUSALS, node.path


REFUSALS = {"E309", "E402", "E403", "E404", "E406", "E408"}
"""A fork with a `split` needs a share for each branch, and what does not join is an error."""


def _is_fork(node: Node) -> bool:
    """Tell whether a node is a fork, or an instance of a block that is one."""
    if node.op.key == "block" and len(node.graphs[0].nodes) == 1:
        node = node.graphs[0].nodes[0]
        return node.op.key == "branches" and not node.named
    return node.op.key == "branches"
