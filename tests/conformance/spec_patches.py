"""Patches random specs at random: what comes of it is a right network, or an error with a line."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spec_writer import write_spec

from archcompiler.compiler import compile_file
from archcompiler.errors import ArchcError
from archcompiler.ir import Network
from archcompiler.op import attributes
from archcompiler.ops import BY_KEY
from archcompiler.yaml_writer import to_yaml

VALUES: tuple[object, ...] = (
    1, 2, 3, 0, 0.5, True, None, "same", "valid", "relu", "none", "map", "1x3", "$in_channels",
    "$in_channels * 2", [0, 1, 1, 0], {"truncated_normal": 0.1}, {"multiplier": 0.5, "minimum": 1},
)  # fmt: skip
LAYERS: tuple[object, ...] = (
    "identity", [], {"conv": 3, "kernel": 1, "padding": "valid", "name": "Patch_1"},
    {"max_pool": 2, "stride": 1, "padding": "same"}, {"activate": "relu"}, {"scale": 2.0},
    [{"activate": "gelu", "name": "Patch_2"}, {"dropout": 0.1}],
    {"join": "add", "branches": {"Same": [], "Other": {"scale": 0.5}}, "name": "Patch_3"},
)  # fmt: skip


def patches(network: Network, chance: random.Random) -> Iterator[dict[str, Any]]:
    """Yield a few patches of what a network has, most of them sensible."""
    nodes = [node for node in network.walk() if node.named]
    for _ in range(chance.randint(1, 4)):
        node = chance.choice(nodes)
        path = node.path
        if chance.random() < 0.1:
            path = chance.choice((path.rpartition("/")[0] or "stem", f"{path}/x", f"{path}x"))
        verb = chance.choice(("set", "set", "set", "replace", "remove", "before", "after"))
        content = chance.choice(LAYERS)
        if verb == "set":
            known = [*attributes(BY_KEY[node.op.key])] if node.op.key in BY_KEY else []
            main = BY_KEY[node.op.key].main if known else None
            name = chance.choice([*known, "end_point", "name", "from", "defaults"])
            value = {
                "end_point": True,
                "name": f"New_{chance.randint(1, 3)}",
                "from": "input",
                "defaults": {"conv": {"activation": "relu"}},
            }.get(name, chance.choice(VALUES))
            yield {"set": path, node.op.key if name == main else name: value}
        elif verb == "replace":
            yield {"replace": path, "by": content}
        elif verb == "remove":
            yield {"remove": path}
        else:
            yield {verb: path, "insert": content}


def variant(seed: int, folder: Path) -> Network | None:
    """Return a random spec with random patches; None where it is refused, with a line.

    The folder holds the spec, `variant.yaml`, and the one that it extends.
    """
    chance = random.Random(f"variant {seed}")
    (folder / "base.yaml").write_text(to_yaml(write_spec(seed)), "utf-8")
    try:
        base = compile_file(folder / "base.yaml").network
    except ArchcError:
        return None
    text = to_yaml(
        {
            "archc": 1,
            "name": f"variant{seed}",
            "extends": "base.yaml",
            "patch": [*patches(base, chance)],
        }
    )
    (folder / "variant.yaml").write_text(text, "utf-8")
    try:
        return compile_file(folder / "variant.yaml").network
    except ArchcError as error:
        problem = error
    assert problem.exit_code == 1
    for found in problem.diagnostics:
        assert found.position is not None, (found, text)
        assert found.position.source.line(found.position.line), (found, text)
    return None
