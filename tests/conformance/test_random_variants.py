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
